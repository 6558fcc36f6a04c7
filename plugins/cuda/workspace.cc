// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/workspace.h"

#include <bit>
#include <cstring>

namespace geeps::cuda {
namespace {

constexpr uint64_t kBytesLeast = 16384;

uint64_t GrownBytes(uint64_t bytes) {
  if (bytes > UINT64_MAX / 2) return bytes;
  return std::bit_ceil(std::max(bytes, kBytesLeast));
}

}  // namespace

Workspace::~Workspace() {
  for (const auto& slot : slots_) {
    memory_.FreePinned(slot->memory);
    driver_.EventDestroy(slot->copied);
  }
  for (void* memory : old_slots_) memory_.FreePinned(memory);
  memory_.FreeDevice(table_.memory);
  memory_.FreeDevice(scratch_.memory);
  for (const DevicePointer memory : old_regions_) memory_.FreeDevice(memory);
}

Status Workspace::Grow(Region* region, uint64_t bytes) {
  if (bytes <= region->bytes) return Status();
  old_regions_.reserve(old_regions_.size() + 1);
  DevicePointer memory = 0;
  const uint64_t grown_bytes = GrownBytes(bytes);
  if (Status status = memory_.AllocateDevice(grown_bytes, &memory); !status.ok()) return status;
  if (region->memory != 0) old_regions_.push_back(region->memory);
  *region = {memory, grown_bytes};
  return Status();
}

Status Workspace::GetScratch(uint64_t bytes, DevicePointer* out) {
  if (Status status = Grow(&scratch_, bytes); !status.ok()) return status;
  *out = bytes > 0 ? scratch_.memory : 0;
  return Status();
}

Status Workspace::AddSlot(uint64_t bytes) {
  slots_.reserve(slots_.size() + 1);
  auto slot = std::make_unique<Slot>();
  if (Status status = loss_.Check(driver_.EventCreate(&slot->copied, kEventBlockingSync | kEventDisableTiming),
                                  "cuEventCreate for a table of launches");
      !status.ok()) {
    return status;
  }
  if (Status status = memory_.AllocatePinned(GrownBytes(bytes), &slot->memory); !status.ok()) {
    driver_.EventDestroy(slot->copied);
    return status;
  }
  slot->bytes = GrownBytes(bytes);
  slots_.insert(slots_.begin() + static_cast<std::ptrdiff_t>(next_slot_), std::move(slot));
  return Status();
}

Status Workspace::PrepareSlot(uint64_t bytes) {
  Result result = kNotReady;
  if (!slots_.empty()) result = driver_.EventQuery(slots_[next_slot_]->copied);
  if (result == kNotReady && slots_.size() < kSlotsMax) {
    if (Status status = AddSlot(bytes); !status.ok()) return status;
  } else {
    // Far behind: the host waits for the stream rather than queue without a bound.
    if (result == kNotReady) result = driver_.EventSynchronize(slots_[next_slot_]->copied);
    if (Status status = loss_.Check(result, "an earlier copy of a table of launches"); !status.ok()) return status;
  }
  Slot* const slot = slots_[next_slot_].get();
  if (slot->bytes < bytes) {
    old_slots_.reserve(old_slots_.size() + 1);
    void* memory = nullptr;
    if (Status status = memory_.AllocatePinned(GrownBytes(bytes), &memory); !status.ok()) return status;
    old_slots_.push_back(slot->memory);
    slot->memory = memory;
    slot->bytes = GrownBytes(bytes);
  }
  return Status();
}

Status Workspace::CopyTable(const std::vector<uint8_t>& table, NativeStream stream, DevicePointer* out) {
  if (Status status = Grow(&table_, table.size()); !status.ok()) return status;
  if (Status status = PrepareSlot(table.size()); !status.ok()) return status;
  Slot* const slot = slots_[next_slot_].get();
  std::memcpy(slot->memory, table.data(), table.size());
  const DevicePointer from = reinterpret_cast<uintptr_t>(slot->memory);
  if (Status status = loss_.Check(driver_.MemcpyAsync(table_.memory, from, table.size(), stream),
                                  "cuMemcpyAsync of a table of ", table.size(), " bytes");
      !status.ok()) {
    return status;
  }
  // Without the event the slot would be used again too early: then the host waits for the copy, which is in the stream
  // already. The device is not lost by that: its other work runs on in memory that would be freed.
  Result marked = driver_.EventRecord(slot->copied, stream);
  if (marked != kSuccess) marked = driver_.StreamSynchronize(stream);
  if (Status status = loss_.CheckOrLose(marked, "cuEventRecord behind a table"); !status.ok()) return status;
  next_slot_ = (next_slot_ + 1) % slots_.size();
  *out = table_.memory;
  return Status();
}

}  // namespace geeps::cuda
