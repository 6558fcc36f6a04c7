// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/bench_gpu_device.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tools/geeps/options.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kPinnedBytes = uint64_t{32} << 20;
constexpr int kDevicesMax = 1024;

// The module that counts: beside this program, or in LIBDIR/geeps of the libgeeps in use.
std::string CountedModule() {
  std::error_code error;
  std::vector<std::filesystem::path> folders = {std::filesystem::read_symlink("/proc/self/exe", error).parent_path()};
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&geeps_version), &info) != 0 && info.dli_fname != nullptr) {
    folders.push_back(std::filesystem::canonical(info.dli_fname, error).parent_path() / "geeps");
  }
  for (const std::filesystem::path& folder : folders) {
    const std::filesystem::path path = folder / "geeps_device_counted.so";
    if (std::filesystem::exists(path, error)) return path.string();
  }
  return "";
}

}  // namespace

GpuDevice::GpuDevice(const std::string& spec, geeps::Error* err) : err_(err) {
  if (ok()) Open(spec);
  if (ok()) Good(table_->stream_create(dev_, nullptr, &stream_, err_->raw()));
  if (ok()) Good(table_->event_create(dev_, &event_, err_->raw()));
  info_.struct_size = sizeof info_;
  if (ok()) Good(table_->get_info(dev_, &info_, err_->raw()));
}

GpuDevice::~GpuDevice() {
  if (dev_ == nullptr) return;
  if (event_ != nullptr && stream_ != nullptr) {  // also after a failure: memory goes when no work uses it
    if (table_->event_record(event_, stream_, nullptr) == GEEPS_OK) table_->event_wait(event_, nullptr);
  }
  for (geeps_dev_index* const index : indexes_) table_->index_destroy(index);
  for (const Region& region : regions_) table_->free(dev_, region.kind, region.memory, region.bytes);
  table_->event_destroy(event_);
  table_->stream_destroy(stream_);
  table_->destroy(dev_);
}

void GpuDevice::Open(const std::string& spec) {
  std::string name = spec, variant;
  const size_t first = spec.find(':'), last = spec.rfind(':');
  if (spec.substr(0, first) == "host" || spec.substr(0, first) == "deferred") {
    name = spec.substr(0, first);
    if (first != std::string::npos) variant = spec.substr(first + 1);
  } else if (last != std::string::npos) {
    const std::optional<int> number = ParseInt(spec.substr(last + 1), 0, kDevicesMax - 1);
    if (!number.has_value()) {
      err_->Fail(GEEPS_E_INVALID, "device " + spec + ": behind the last ':' stands the number of a device, from 0 on");
      return;
    }
    device_id_ = *number;
    name = spec.substr(0, last);
  }
  loader_ = geeps::Runtime(geeps::Options{}, *err_);
  loader_.LoadPlugin(name.c_str(), *err_);
  // A path is a name of what was loaded from it, too.
  table_ = loader_.GetInterface<geeps_device>(name.c_str(), GEEPS_DEVICE_ID, &host_, *err_);
  if (!ok()) return;
  geeps_dev_config config = {};
  config.struct_size = sizeof config;
  config.device_id = device_id_;
  config.variant = variant.c_str();
  Good(table_->create(host_, &config, &dev_, err_->raw()));
}

geeps_stream GpuDevice::stream() const {
  geeps_stream stream = {};
  stream.struct_size = sizeof stream;
  stream.kind = GEEPS_STREAM_DEVICE;
  if (stream_ != nullptr) table_->stream_get_native(stream_, &stream.handle, nullptr);
  return stream;
}

void* GpuDevice::Allocate(int32_t kind, uint64_t bytes) {
  void* memory = nullptr;
  if (!ok() || !Good(table_->alloc(dev_, kind, bytes, &memory, err_->raw()))) return nullptr;
  regions_.push_back({kind, memory, bytes});
  return memory;
}

void* GpuDevice::TryAllocate(int32_t kind, uint64_t bytes, std::string* why) {
  if (!ok()) return nullptr;
  geeps_error error = {};
  error.struct_size = sizeof error;
  void* memory = nullptr;
  if (table_->alloc(dev_, kind, bytes, &memory, &error) != GEEPS_OK) {
    *why = error.message;
    return nullptr;
  }
  regions_.push_back({kind, memory, bytes});
  return memory;
}

const geeps_dev_index* GpuDevice::MakeIndex(const std::vector<geeps_row_run>& runs,
                                            const std::vector<geeps_row_pair>& pairs, uint64_t dst_rows,
                                            uint64_t src_rows) {
  geeps_dev_index* index = nullptr;
  if (!ok() || !Good(table_->index_create(dev_, runs.data(), runs.size(), pairs.data(), pairs.size(), dst_rows,
                                          src_rows, &index, err_->raw()))) {
    return nullptr;
  }
  indexes_.push_back(index);
  return index;
}

void GpuDevice::Copy(void* dst, const void* src, uint64_t bytes) {
  if (ok()) Good(table_->copy(stream_, dst, src, bytes, err_->raw()));
}

void GpuDevice::Fill(void* dst, uint8_t value, uint64_t bytes) {
  if (ok()) Good(table_->fill(stream_, dst, value, bytes, err_->raw()));
}

void GpuDevice::Move(const std::vector<geeps_row_move>& moves) {
  if (ok()) Good(table_->move_rows(stream_, moves.data(), moves.size(), err_->raw()));
}

void GpuDevice::Apply(const std::vector<geeps_apply>& applies) {
  if (ok()) Good(table_->apply(stream_, applies.data(), applies.size(), err_->raw()));
}

void GpuDevice::Finish() {
  if (ok()) Good(table_->event_record(event_, stream_, err_->raw()));
  if (ok()) Good(table_->event_wait(event_, err_->raw()));
}

void* GpuDevice::Pinned() {
  if (pinned_ == nullptr) pinned_ = Allocate(GEEPS_DEV_PINNED, kPinnedBytes);
  return pinned_;
}

void GpuDevice::Upload(void* dst, const float* values, uint64_t count) {
  void* const pinned = Pinned();
  const uint64_t piece = kPinnedBytes / sizeof(float);
  for (uint64_t done = 0; done < count && ok(); done += piece) {
    const uint64_t bytes = std::min(piece, count - done) * sizeof(float);
    std::memcpy(pinned, values + done, bytes);
    Copy(static_cast<float*>(dst) + done, pinned, bytes);
    Finish();
  }
}

std::vector<float> GpuDevice::Download(const void* src, uint64_t count) {
  std::vector<float> values(count);
  void* const pinned = Pinned();
  const uint64_t piece = kPinnedBytes / sizeof(float);
  for (uint64_t done = 0; done < count && ok(); done += piece) {
    const uint64_t bytes = std::min(piece, count - done) * sizeof(float);
    Copy(pinned, static_cast<const float*>(src) + done, bytes);
    Finish();
    if (ok()) std::memcpy(values.data() + done, pinned, bytes);
  }
  return values;
}

std::string GpuDevice::CountedName(const WorkCounts** counts, std::string* why) {
  *counts = nullptr;
  const std::string path = CountedModule();
  if (path.empty()) {
    *why = "geeps_device_counted.so is not beside this program";
    return "";
  }
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  using QueryFunction = const geeps_plugin* (*)(uint32_t);
  const auto query = module == nullptr ? nullptr : reinterpret_cast<QueryFunction>(dlsym(module, "geeps_plugin_query"));
  const auto* const interface =
      query == nullptr ? nullptr
                       : static_cast<const CountsInterface*>(query(GEEPS_PLUGIN_ABI)->get_interface(kCountsId));
  if (interface == nullptr) {
    *why = path + " cannot be used";
    return "";
  }
  interface->use(table_, host_);
  *counts = interface->counts;
  return device_id_ < 0 ? path : path + ":" + std::to_string(device_id_);
}

geeps_row_move RowMove(uint32_t mode, uint64_t row_values, void* dst, const void* src, const geeps_dev_index* index) {
  geeps_row_move move = {};
  move.struct_size = sizeof move;
  move.mode = mode;
  move.dtype = GEEPS_F32;
  move.row_values = row_values;
  move.dst = dst;
  move.src = src;
  move.index = index;
  return move;
}

GpuStep MakeStep(uint32_t rule, const std::vector<double>& params, uint64_t num_rows, uint64_t row_values, void* values,
                 const std::vector<void*>& states, void* steps, const std::vector<const void*>& inputs) {
  GpuStep step;
  step.apply.struct_size = sizeof step.apply;
  step.apply.rule = rule;
  step.apply.dtype = step.apply.input_dtype = GEEPS_F32;
  step.apply.reduce = GEEPS_REDUCE_SUM;
  step.apply.num_rows = num_rows;
  step.apply.row_values = row_values;
  step.apply.values_in = step.apply.values_out = values;
  std::copy(states.begin(), states.end(), step.apply.states);
  std::copy(params.begin(), params.end(), step.apply.params);
  step.apply.steps = static_cast<uint64_t*>(steps);
  for (const void* const input : inputs) step.inputs.push_back({input, 0, 0});
  step.segment = {0, num_rows, 0, inputs.size()};
  return step;
}

std::vector<geeps_apply> AppliesOf(const std::vector<GpuStep>& steps) {
  std::vector<geeps_apply> applies;
  for (const GpuStep& step : steps) {
    applies.push_back(step.apply);
    applies.back().segments = &step.segment;
    applies.back().num_segments = 1;
    applies.back().inputs = step.inputs.data();
    applies.back().num_inputs = step.inputs.size();
  }
  return applies;
}

}  // namespace geeps::tool
