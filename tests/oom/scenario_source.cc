// SPDX-License-Identifier: Apache-2.0
// The data source idx through geeps.source/1, with a host of its own whose memory is counted, too.
#include <dlfcn.h>
#include <errno.h>
#include <zlib.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "geeps_source.h"
#include "tests/oom/scenarios.h"
#include "tests/support/temporary_folder.h"

namespace geeps::oom_test {
namespace {

constexpr uint32_t kSamples = 20;
constexpr uint32_t kSide = 4;
constexpr uint32_t kBatch = 6;

std::string IdxBytes(std::initializer_list<uint32_t> dims, const std::string& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(dim >> shift));
  }
  return bytes + values;
}

int64_t live_host_blocks = 0;

void* HostAlloc(void*, uint64_t bytes, uint64_t align) {
  void* memory = nullptr;
  if (posix_memalign(&memory, align, bytes) != 0) return nullptr;
  ++live_host_blocks;
  return memory;
}
void HostFree(void*, void* memory, uint64_t, uint64_t) {
  --live_host_blocks;
  std::free(memory);
}

geeps_host MakeHost() {
  geeps_host host;
  std::memset(&host, 0, sizeof host);
  host.struct_size = sizeof host;
  host.abi = GEEPS_PLUGIN_ABI;
  host.log = [](void*, int32_t, const char*, const char*, uint64_t) {};
  host.alloc = HostAlloc;
  host.free = HostFree;
  host.get_extension = [](void*, const char*) -> const void* { return nullptr; };
  return host;
}

// Calls of one source: repeated once when they failed for want of something, since one request fails.
class Source {
 public:
  Source(const geeps_source_api* api, const Fault& fault) : api_(api), fault_(fault) {}
  ~Source() {
    const test::Inside inside;
    api_->close(handle_);
  }

  bool Walk(const std::string& uri, bool compressed);
  const std::string& complaints() const { return complaints_; }

 private:
  bool Call(const char* what, const Worker::Function& call, geeps_status also = GEEPS_OK);
  bool Fill(geeps_source_slot* slot, int64_t* labels);

  const geeps_source_api* const api_;
  const Fault fault_;
  const geeps_host host_ = MakeHost();  // until the handle is closed
  geeps_source_handle* handle_ = nullptr;
  std::string complaints_;
};

bool Source::Call(const char* what, const Worker::Function& call, geeps_status also) {
  for (int attempt = 0;; ++attempt) {
    geeps_error err;
    std::memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    geeps_status status;
    {
      const test::Inside inside;
      status = call(&err);
    }
    if (status == GEEPS_OK || (also != GEEPS_OK && status == also)) return true;
    const bool allowed = status == GEEPS_E_NOMEM || (fault_.resource == test::Resource::kDescriptor &&
                                                     status == GEEPS_E_IO && err.native_code == EMFILE);
    if (!allowed || test::NumFailed() == 0 || (attempt > 0 && !fault_.lasting)) {
      complaints_ += std::string(what) + " returned " + std::to_string(status) + ": " + err.message + "\n";
      return false;
    }
    if (err.code != status || err.message[0] == '\0')
      complaints_ += std::string(what) + ": the error does not say so\n";
    if (fault_.lasting) return false;
  }
}

bool Source::Fill(geeps_source_slot* slot, int64_t* labels) {
  geeps_source_slot* filled = nullptr;
  const bool good = Call("enqueue", [&](geeps_error* e) { return api_->enqueue(handle_, slot, e); }) &&
                    Call(
                        "dequeue", [&](geeps_error* e) { return api_->dequeue(handle_, 0, &filled, e); }, GEEPS_END);
  if (!good) return false;
  if (filled == nullptr) {  // the end of an epoch: the slot is filled from the next one
    if (!Call("dequeue", [&](geeps_error* e) { return api_->dequeue(handle_, 0, &filled, e); })) return false;
  }
  for (uint32_t i = 0; i < slot->num_samples; ++i) {
    if (labels[i] != static_cast<int64_t>(slot->sample_ids[i] % 10)) {
      complaints_ += "a sample has another's label\n";
      return false;
    }
  }
  return true;
}

bool Source::Walk(const std::string& uri, bool compressed) {
  const std::vector<geeps_kv> options = {{"split", compressed ? "train" : "test"}};
  geeps_source_description description = {};
  description.struct_size = sizeof description;
  geeps_source_field field = {};
  field.struct_size = sizeof field;
  geeps_source_layout layout = {};
  layout.struct_size = sizeof layout;
  geeps_source_stats stats = {};
  stats.struct_size = sizeof stats;
  geeps_source_config config = {};
  config.struct_size = sizeof config;
  config.world = 1;
  config.global_batch = kBatch;
  config.seed = 3;
  config.shuffle = compressed ? GEEPS_SOURCE_SHUFFLE_FULL : GEEPS_SOURCE_SHUFFLE_WINDOW;
  config.shuffle_window = compressed ? 0 : 5;
  config.remainder = GEEPS_SOURCE_REMAINDER_PAD;
  config.on_bad = GEEPS_SOURCE_BAD_FAIL;
  std::vector<uint8_t> images(kBatch * kSide * kSide);
  std::vector<int64_t> labels(kBatch);
  std::vector<uint64_t> ids(kBatch);
  const geeps_source_buffer buffers[] = {{images.data(), images.size(), GEEPS_MEM_HOST, -1},
                                         {labels.data(), labels.size() * 8, GEEPS_MEM_HOST, -1}};
  geeps_source_slot slot = {};
  slot.struct_size = sizeof slot;
  slot.num_buffers = 2;
  slot.buffers = buffers;
  slot.buffer_stride = sizeof buffers[0];
  slot.sample_ids = ids.data();
  int32_t fd = -1;
  uint64_t length = 0;
  std::vector<char> text(4096);
  const bool opened =
      Call("open",
           [&](geeps_error* e) {
             return api_->open(&host_, uri.c_str(), options.data(), options.size(), &handle_, e);
           }) &&
      Call("describe", [&](geeps_error* e) { return api_->describe(handle_, &description, e); }) &&
      Call("get_field", [&](geeps_error* e) { return api_->get_field(handle_, 0, &field, e); }) &&
      Call("get_sample_name",
           [&](geeps_error* e) { return api_->get_sample_name(handle_, 3, text.data(), text.size(), &length, e); }) &&
      Call("configure", [&](geeps_error* e) { return api_->configure(handle_, &config, &layout, e); }) &&
      Call("get_event_fd", [&](geeps_error* e) { return api_->get_event_fd(handle_, &fd, e); });
  for (int batch = 0; opened && batch < 6; ++batch) {
    if (!Fill(&slot, labels.data())) return false;
  }
  return opened &&
         Call("save_state",
              [&](geeps_error* e) {
                return api_->save_state(handle_, slot.epoch, slot.position, text.data(), text.size(), &length, e);
              }) &&
         Call("seek", [&](geeps_error* e) { return api_->seek(handle_, 2, 6, e); }) && Fill(&slot, labels.data()) &&
         Call("load_state", [&](geeps_error* e) { return api_->load_state(handle_, text.data(), length, e); }) &&
         Call("get_stats", [&](geeps_error* e) { return api_->get_stats(handle_, &stats, e); }) &&
         Call(
             "cancelled dequeue",
             [&](geeps_error* e) {
               api_->cancel(handle_);
               geeps_source_slot* none = nullptr;
               return api_->dequeue(handle_, 0, &none, e);
             },
             GEEPS_E_CANCELLED);
}

const geeps_source_api* Api() {
  void* const module = dlopen(GEEPS_TEST_PLUGIN_DIR "/geeps_source_idx.so", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == nullptr) return nullptr;
  using Query = const geeps_plugin* (*)(uint32_t);
  const auto query = reinterpret_cast<Query>(dlsym(module, "geeps_plugin_query"));
  return static_cast<const geeps_source_api*>(query(GEEPS_PLUGIN_ABI)->get_interface(GEEPS_SOURCE_ID));
}

}  // namespace

void WriteDataSet() {
  std::string pixels, labels;
  for (uint32_t i = 0; i < kSamples; ++i) {
    pixels.append(kSide * kSide, static_cast<char>(i));
    labels.push_back(static_cast<char>(i % 10));
  }
  const std::string images_bytes = IdxBytes({kSamples, kSide, kSide}, pixels);
  const std::string labels_bytes = IdxBytes({kSamples}, labels);
  WriteFile(Folder() + "/t10k-images-idx3-ubyte", images_bytes);
  WriteFile(Folder() + "/t10k-labels-idx1-ubyte", labels_bytes);
  for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"/train-images-idx3-ubyte.gz", images_bytes},
                                    {"/train-labels-idx1-ubyte.gz", labels_bytes}}) {
    const gzFile file = gzopen((Folder() + name).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  }
}

std::string RunSource(const Fault& fault) {
  const test::Outside own;
  const geeps_source_api* const api = Api();
  if (api == nullptr) return "the data source cannot be loaded\n";
  std::string complaints;
  for (const bool compressed : {true, false}) {
    Source source(api, fault);
    source.Walk("idx://" + Folder(), compressed);
    complaints += source.complaints();
  }
  if (live_host_blocks != 0) complaints += std::to_string(live_host_blocks) + " blocks of the host are left\n";
  live_host_blocks = 0;
  return complaints;
}

}  // namespace geeps::oom_test
