// SPDX-License-Identifier: Apache-2.0
// Home: where partitions are kept: the device that sums and steps them, and the stream that the movers let it do so in.
// Thread contract: constant once made.
#ifndef GEEPS_RUNTIME_CACHE_HOME_H_
#define GEEPS_RUNTIME_CACHE_HOME_H_

#include "runtime/device/device.h"

namespace geeps::cache {

struct Home {
  const device::Device* device = nullptr;
  const device::Stream* stream = nullptr;
  // Whose pinned memory holds the values, so that it copies them well to and from its own; nullptr: the device's memory.
  const device::Device* pinned_by = nullptr;

  absl::StatusOr<device::Memory> AllocateValues(uint64_t bytes) const {
    return pinned_by != nullptr ? pinned_by->Allocate(device::MemoryKind::kPinned, bytes)
                                : device->Allocate(device::MemoryKind::kDevice, bytes);
  }
};

}  // namespace geeps::cache

#endif  // GEEPS_RUNTIME_CACHE_HOME_H_
