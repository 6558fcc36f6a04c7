// SPDX-License-Identifier: Apache-2.0
#include "tests/source/idx_fixture.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <dlfcn.h>
#include <zlib.h>

#include <doctest/doctest.h>

namespace geeps::source_test {

CountingHost::CountingHost() {
  table_.struct_size = sizeof table_;
  table_.abi = GEEPS_PLUGIN_ABI;
  table_.ctx = this;
  table_.log = &Log;
  table_.alloc = &Alloc;
  table_.free = &Free;
  table_.get_extension = [](void*, const char*) -> const void* { return nullptr; };
}

void* CountingHost::Alloc(void* ctx, uint64_t bytes, uint64_t align) {
  auto* self = static_cast<CountingHost*>(ctx);
  self->max_request_bytes_ = std::max(self->max_request_bytes_, bytes);
  if (self->out_of_memory_) return nullptr;
  self->live_bytes_ += bytes;
  return std::aligned_alloc(align, (bytes + align - 1) / align * align);
}

void CountingHost::Free(void* ctx, void* p, uint64_t bytes, uint64_t) {
  static_cast<CountingHost*>(ctx)->live_bytes_ -= bytes;
  std::free(p);
}

void CountingHost::Log(void*, int32_t, const char*, const char*, uint64_t) {}

const geeps_plugin* Plugin() {
  void* module = dlopen(GEEPS_TEST_PLUGIN_DIR "/geeps_source_idx.so", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  REQUIRE_MESSAGE(module != nullptr, dlerror());
  using Query = const geeps_plugin* (*)(uint32_t);
  const auto query = reinterpret_cast<Query>(dlsym(module, "geeps_plugin_query"));
  const bool exported = query != nullptr;
  REQUIRE(exported);
  return query(GEEPS_PLUGIN_ABI);
}

const geeps_source_api* Api() {
  const auto* api = static_cast<const geeps_source_api*>(Plugin()->get_interface(GEEPS_SOURCE_ID));
  REQUIRE(api != nullptr);
  return api;
}

TempDir::TempDir() { REQUIRE(!path().empty()); }

void TempDir::Write(const std::string& name, const std::string& bytes) const { WriteFile(folder_.File(name), bytes); }

void TempDir::Remove(const std::string& name) const { std::filesystem::remove(folder_.File(name)); }

std::string IdxBytes(const std::vector<uint32_t>& dims, const std::string& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(dim >> shift));
  }
  return bytes + values;
}

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);  // + 16: a gzip wrapper
  std::string out(deflateBound(&stream, bytes.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string ImageOf(uint32_t i, uint32_t rows, uint32_t cols) {
  std::string pixels;
  for (uint32_t p = 0; p < rows * cols; ++p) pixels.push_back(static_cast<char>(i * 31 + p * 7 + 1));
  return pixels;
}

int64_t LabelOf(uint32_t i) { return i * 3 % 10; }

void WriteDataSet(const TempDir& dir, uint32_t n, uint32_t rows, uint32_t cols, bool compressed) {
  std::string pixels, labels;
  for (uint32_t i = 0; i < n; ++i) {
    pixels += ImageOf(i, rows, cols);
    labels.push_back(static_cast<char>(LabelOf(i)));
  }
  const std::string images_file = IdxBytes({n, rows, cols}, pixels), labels_file = IdxBytes({n}, labels);
  dir.Write(compressed ? "train-images-idx3-ubyte.gz" : "train-images-idx3-ubyte",
            compressed ? Gzip(images_file) : images_file);
  dir.Write(compressed ? "train-labels-idx1-ubyte.gz" : "train-labels-idx1-ubyte",
            compressed ? Gzip(labels_file) : labels_file);
}

geeps_error MakeError() {
  geeps_error error = {};
  error.struct_size = sizeof error;
  return error;
}

geeps_source_config MakeConfig(uint32_t rank, uint32_t world, uint32_t global_batch) {
  geeps_source_config config = {};
  config.struct_size = sizeof config;
  config.rank = rank;
  config.world = world;
  config.global_batch = global_batch;
  config.seed = 7;
  config.shuffle = GEEPS_SOURCE_SHUFFLE_FULL;
  config.remainder = GEEPS_SOURCE_REMAINDER_UNEVEN;
  config.on_bad = GEEPS_SOURCE_BAD_FAIL;
  return config;
}

geeps_status Source::Open(const std::string& uri, const std::map<std::string, std::string>& options) {
  std::vector<geeps_kv> pairs;
  for (const auto& option : options) pairs.push_back({option.first.c_str(), option.second.c_str()});
  return Api()->open(host_, uri.c_str(), pairs.data(), pairs.size(), &handle, &error);
}

void Source::Close() {
  Api()->close(handle);
  handle = nullptr;
}

geeps_status Source::Configure(const geeps_source_config& config) {
  layout.struct_size = sizeof layout;
  return Api()->configure(handle, &config, &layout, &error);
}

Slot::Slot(uint32_t samples, uint64_t image_bytes)
    : image_bytes_(image_bytes), images_(samples * image_bytes, '\x55'), labels_(samples, -1), ids_(samples, ~0ull),
      lengths_(2 * samples, ~0ull), flags_(samples, 0xff) {
  buffers[0] = {images_.data(), images_.size(), GEEPS_MEM_HOST, -1};
  buffers[1] = {labels_.data(), labels_.size() * sizeof(int64_t), GEEPS_MEM_HOST, -1};
  slot_.struct_size = sizeof slot_;
  slot_.num_buffers = 2;
  slot_.buffers = buffers;
  slot_.buffer_stride = sizeof buffers[0];
  slot_.sample_ids = ids_.data();
  slot_.sample_lengths = lengths_.data();
  slot_.sample_flags = flags_.data();
}

Seen Take(Source* source, uint64_t image_bytes, uint64_t max_batches, bool* ended) {
  Seen seen;
  if (ended != nullptr) *ended = false;
  while (seen.batches.size() < max_batches) {
    // Without a slot: the end of the epoch is told all the same, and a batch that is wanted is a wrong moment.
    geeps_source_slot* out = nullptr;
    const geeps_status without_slot = Api()->dequeue(source->handle, 0, &out, &source->error);
    if (without_slot == GEEPS_END) {
      if (ended != nullptr) *ended = true;
      break;
    }
    REQUIRE(without_slot == GEEPS_E_STATE);
    Slot slot(source->layout.slot_samples, image_bytes);
    REQUIRE(Api()->enqueue(source->handle, slot.get(), &source->error) == GEEPS_OK);
    REQUIRE(Api()->dequeue(source->handle, 0, &out, &source->error) == GEEPS_OK);
    REQUIRE(out == slot.get());
    seen.batches.push_back(out->num_samples);
    seen.global_valid.push_back(out->num_global_valid);
    seen.positions.push_back(out->position);
    for (uint32_t i = 0; i < out->num_samples; ++i) {
      (slot.flags(i) & GEEPS_SOURCE_SAMPLE_PADDED ? seen.padded : seen.ids).push_back(slot.id(i));
      seen.bytes += slot.image(i) + std::to_string(slot.label(i)) + "," + std::to_string(slot.id(i)) + ";";
    }
  }
  return seen;
}

}  // namespace geeps::source_test
