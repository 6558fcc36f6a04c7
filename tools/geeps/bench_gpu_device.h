// SPDX-License-Identifier: Apache-2.0
// GpuDevice: a device as `geeps bench gpu` uses it for its own work, by the functions of geeps_device.h: one stream,
// memory and indexes that live as long as the device. The first failure is kept in the Error; after it calls do
// nothing. Thread contract: one thread.
#ifndef GEEPS_TOOLS_GEEPS_BENCH_GPU_DEVICE_H_
#define GEEPS_TOOLS_GEEPS_BENCH_GPU_DEVICE_H_

#include <geeps_device.h>

#include <cstdint>
#include <geeps.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/geeps/counted/counts.h"

namespace geeps::tool {

class GpuDevice {
 public:
  // spec: as the option `device` of a runtime, but for "auto".
  GpuDevice(const std::string& spec, geeps::Error* err);
  ~GpuDevice();
  GpuDevice(const GpuDevice&) = delete;
  GpuDevice& operator=(const GpuDevice&) = delete;

  bool ok() const { return err_->ok(); }
  geeps::Error& error() { return *err_; }
  const geeps_dev_info& info() const { return info_; }
  // Whether a runtime on the same device knows the stream of this one.
  bool shares_stream() const { return info_.mem_kind == GEEPS_MEM_CUDA; }
  // REQUIRES: shares_stream().
  geeps_stream stream() const;

  // Memory for f32 values or bytes. nullptr after a failure. The second one leaves a lack of memory to the caller.
  void* Allocate(int32_t kind, uint64_t bytes);
  void* TryAllocate(int32_t kind, uint64_t bytes, std::string* why);
  float* Floats(uint64_t count) { return static_cast<float*>(Allocate(GEEPS_DEV_MEMORY, count * sizeof(float))); }
  const geeps_dev_index* MakeIndex(const std::vector<geeps_row_run>& runs, const std::vector<geeps_row_pair>& pairs,
                                   uint64_t dst_rows, uint64_t src_rows);

  // Work at the end of the stream.
  void Copy(void* dst, const void* src, uint64_t bytes);
  void Fill(void* dst, uint8_t value, uint64_t bytes);
  void Move(const std::vector<geeps_row_move>& moves);
  void Apply(const std::vector<geeps_apply>& applies);
  // Waits until it is done.
  void Finish();

  // Values to the device, and back, through pinned memory; both wait.
  void Upload(void* dst, const float* values, uint64_t count);
  std::vector<float> Download(const void* src, uint64_t count);

  // The name under which a runtime of this process opens the same device so that its work is counted, and the counters.
  // "" and nullptr with a reason where the module that counts is not there.
  std::string CountedName(const WorkCounts** counts, std::string* why);

 private:
  bool Good(geeps_status status) { return err_->Take(status) == GEEPS_OK; }
  void Open(const std::string& spec);
  void* Pinned();

  struct Region {
    int32_t kind;
    void* memory;
    uint64_t bytes;
  };

  geeps::Error* const err_;
  geeps::Runtime loader_;  // its registry holds the plugin
  const geeps_device* table_ = nullptr;
  const geeps_host* host_ = nullptr;
  geeps_dev* dev_ = nullptr;
  geeps_dev_stream* stream_ = nullptr;
  geeps_dev_event* event_ = nullptr;
  geeps_dev_info info_ = {};
  int32_t device_id_ = -1;
  std::vector<Region> regions_;
  std::vector<geeps_dev_index*> indexes_;
  void* pinned_ = nullptr;  // of Upload and Download
};

// A move of f32 rows.
geeps_row_move RowMove(uint32_t mode, uint64_t row_values, void* dst, const void* src, const geeps_dev_index* index);

// One step of a rule for all rows of an array of f32, with one contribution or several; and what it points to.
struct GpuStep {
  geeps_apply apply = {};
  geeps_apply_segment segment = {};
  std::vector<geeps_apply_input> inputs;
};
GpuStep MakeStep(uint32_t rule, const std::vector<double>& params, uint64_t num_rows, uint64_t row_values, void* values,
                 const std::vector<void*>& states, void* steps, const std::vector<const void*>& inputs);
// The steps as they are given to apply; valid until the vector changes or moves.
std::vector<geeps_apply> AppliesOf(const std::vector<GpuStep>& steps);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_BENCH_GPU_DEVICE_H_
