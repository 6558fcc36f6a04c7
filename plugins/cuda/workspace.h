// SPDX-License-Identifier: Apache-2.0
// Workspace: the memory that the launches of one stream need besides their operands: a ring of pinned slots in which
// tables wait for their copy, device memory that they are copied to, and scratch of the kernels. Device memory is used
// again and again in the order of the stream, without a wait; a slot when the copy from it is done. Everything grows
// when something larger is met, by powers of two, and is given back at the end only, for freeing waits for the device.
// Thread contract: one thread at a time, in one stream at a time. REQUIRES for all: the device's context is current.
#ifndef GEEPS_PLUGINS_CUDA_WORKSPACE_H_
#define GEEPS_PLUGINS_CUDA_WORKSPACE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "plugins/cuda/driver.h"
#include "plugins/cuda/loss.h"
#include "plugins/cuda/memory.h"

namespace geeps::cuda {

class Workspace {
 public:
  Workspace(const Driver* driver, Loss* loss, Memory* memory) : driver_(*driver), loss_(*loss), memory_(*memory) {}
  // REQUIRES: the work that uses it is done, or the device is lost.
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // Copies a table to device memory, in the order of `stream`. The address is right for the launches that follow, up to
  // the next table. Sleeps when the stream is kSlotsMax tables behind. On an error nothing that matters was added.
  Status CopyTable(const std::vector<uint8_t>& table, NativeStream stream, DevicePointer* out);
  // Scratch of at least so many bytes; 0 for none.
  Status GetScratch(uint64_t bytes, DevicePointer* out);

 private:
  // More tables than a host thread gets ahead of a stream in practice; a few KiB each.
  static constexpr size_t kSlotsMax = 64;

  struct Slot {
    void* memory = nullptr;
    uint64_t bytes = 0;
    NativeEvent copied = nullptr;
  };
  // Device memory that grows.
  struct Region {
    DevicePointer memory = 0;
    uint64_t bytes = 0;
  };

  Status Grow(Region* region, uint64_t bytes);
  // Afterwards slots_[next_slot_] is free and has room for as many bytes.
  Status PrepareSlot(uint64_t bytes);
  Status AddSlot(uint64_t bytes);

  const Driver& driver_;
  Loss& loss_;
  Memory& memory_;
  Region table_;
  Region scratch_;
  std::vector<std::unique_ptr<Slot>> slots_;
  size_t next_slot_ = 0;  // the oldest one
  // Grown out of.
  std::vector<DevicePointer> old_regions_;
  std::vector<void*> old_slots_;
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_WORKSPACE_H_
