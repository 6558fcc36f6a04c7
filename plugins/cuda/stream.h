// SPDX-License-Identifier: Apache-2.0
// Stream: a stream of the driver, its own (one that does not wait for the legacy default stream) or the embedder's, and
// the work that this plugin puts into it. What geeps_dev_stream is in this plugin.
// Thread contract: one thread at a time. REQUIRES for all: the device's context is current.
#ifndef GEEPS_PLUGINS_CUDA_STREAM_H_
#define GEEPS_PLUGINS_CUDA_STREAM_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "geeps_device.h"
#include "plugins/cuda/device.h"

namespace geeps::cuda {

class Stream {
 public:
  Stream(Device* device, uint64_t id) : device_(*device), id_(id) {}
  // REQUIRES: IsDone, or a lost device.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Status Open(const uint64_t* native);

  Device* device() const { return &device_; }
  uint64_t native() const { return reinterpret_cast<uintptr_t>(native_); }

  Status WaitFor(const Event& event);
  Status Record(Event* event);
  Status Copy(void* dst, const void* src, uint64_t bytes);
  Status Fill(void* dst, uint8_t value, uint64_t bytes);
  Status MoveRows(const geeps_row_move* moves, uint64_t num_moves);
  Status Apply(const geeps_apply* applies, uint64_t num_applies);

  // Sleeps until the work so far is done, whether the device is lost or not. Any thread.
  void Finish() const;
  // No more work follows: marks its end.
  void MarkEnd();
  // Whether all work up to the end is done; sleeps until it is when `waits`.
  bool IsDone(bool waits);
  Workspace* workspace() const { return workspace_; }

  Stream* next_ended = nullptr;  // in the device's list

 private:
  Status FillPageable(void* dst, uint8_t value, uint64_t bytes);
  // Puts launches_ into the stream.
  Status Submit(const char* what);
  Status Run(const Launch& launch, void** parameters, bool is_inline, bool is_first, const char* what);
  void NeedWorkspace();

  Device& device_;
  const uint64_t id_;  // unlike every other stream of the device
  NativeStream native_ = nullptr;
  bool is_own_ = false;
  bool has_work_ = false;  // some that uses memory
  NativeEvent end_ = nullptr;
  uint64_t num_records_ = 0;
  Workspace* workspace_ = nullptr;  // the device's, while this stream lives; nullptr: not needed yet
  // Kept so that the steady state allocates nothing.
  LaunchSet launches_;
  std::vector<geeps_row_move> moves_;
  std::vector<geeps_apply> applies_;
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_STREAM_H_
