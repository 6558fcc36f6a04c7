// SPDX-License-Identifier: Apache-2.0
// Memory: what one opened device allocates. Memory for users is counted and limited; what the back end needs for itself
// (tables of launches, scratch, row indexes) is neither, for its owner has planned with the limit and can do nothing
// when a kernel finds no scratch. Where pinned memory runs out, ordinary memory takes its place: copies from and to it
// are slower and hold up the calling thread, which is said once.
// Thread contract: any thread. REQUIRES for all but the counters: the device's context is current.
#ifndef GEEPS_PLUGINS_CUDA_MEMORY_H_
#define GEEPS_PLUGINS_CUDA_MEMORY_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>

#include "geeps_device.h"
#include "plugins/cuda/driver.h"
#include "plugins/cuda/loss.h"

namespace geeps::cuda {

inline constexpr uint64_t kMemoryAlignment = 256;

class Memory {
 public:
  // limit: most bytes of counted device memory; 0: what there is. host may be nullptr.
  Memory(const Driver* driver, Loss* loss, const geeps_host* host, uint64_t total_bytes, uint64_t limit)
      : driver_(*driver), loss_(*loss), host_(host), limit_(limit > 0 && limit < total_bytes ? limit : total_bytes) {}

  // As alloc and free of the table.
  Status Allocate(int32_t kind, uint64_t bytes, void** out);
  void Free(int32_t kind, void* memory, uint64_t bytes);

  // The same, not counted. Errors: NOMEM with the bytes wanted and free; the cause when the device is lost.
  Status AllocateDevice(uint64_t bytes, DevicePointer* out);
  void FreeDevice(DevicePointer memory);
  Status AllocatePinned(uint64_t bytes, void** out);
  void FreePinned(void* memory);

  // True for memory that AllocatePinned could not pin: the device cannot write it but by copies.
  bool IsPageable(const void* memory) const;

  uint64_t limit() const { return limit_; }
  uint64_t memory_used() const { return memory_used_.load(std::memory_order_relaxed); }
  uint64_t pinned_used() const { return pinned_used_.load(std::memory_order_relaxed); }

 private:
  class Reservation;
  Status AllocatePageable(uint64_t bytes, Result why, void** out);

  const Driver& driver_;
  Loss& loss_;
  const geeps_host* const host_;
  const uint64_t limit_;
  std::atomic<uint64_t> memory_used_{0};
  std::atomic<uint64_t> pinned_used_{0};
  std::atomic<uint64_t> num_pageable_{0};
  mutable std::mutex mutex_;
  std::map<uintptr_t, uint64_t> pageable_;  // address -> bytes; guarded by mutex_
  bool has_warned_ = false;                 // guarded by mutex_
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_MEMORY_H_
