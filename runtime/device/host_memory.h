// SPDX-License-Identifier: Apache-2.0
// HostMemory: the memory of the built-in back ends: ordinary memory, counted by kind against a limit.
// Thread contract: any thread.
#ifndef GEEPS_RUNTIME_DEVICE_HOST_MEMORY_H_
#define GEEPS_RUNTIME_DEVICE_HOST_MEMORY_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"

namespace geeps::device {

class HostMemory {
 public:
  // limit: most bytes of GEEPS_DEV_MEMORY; 0: no limit but the machine's.
  explicit HostMemory(uint64_t limit) : limit_(limit) {}

  // Aligned to 256 bytes. Errors: Invalid for an unknown kind or 0 bytes; NoMemory with the bytes wanted and free.
  absl::Status Allocate(int32_t kind, uint64_t bytes, void** out);
  // REQUIRES: memory, kind and bytes are those of an allocation, or memory is nullptr.
  void Free(int32_t kind, void* memory, uint64_t bytes);

  uint64_t limit() const { return limit_; }
  uint64_t memory_used() const { return memory_used_.load(std::memory_order_relaxed); }
  uint64_t pinned_used() const { return pinned_used_.load(std::memory_order_relaxed); }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> memory_used_{0};
  std::atomic<uint64_t> pinned_used_{0};
};

// Bytes of memory that the machine has.
uint64_t MachineMemoryBytes();

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_HOST_MEMORY_H_
