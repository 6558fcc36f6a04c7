// SPDX-License-Identifier: Apache-2.0
// A handle is 64 bits: generation << 24 | index + 1. Slots live in chunks that are never freed or moved, so that
// looking one up needs no lock: two atomic loads. A slot's state word is generation << 8 | type.
#include "runtime/capi/handle.h"

#include <atomic>
#include <new>

#include "runtime/base/mutex.h"

namespace geeps::capi {
namespace {

constexpr uint32_t kChunkSlots = 1024;
constexpr uint32_t kChunks = 8192;  // 8 million handles at a time
constexpr uint64_t kIndexMask = (uint64_t{1} << 24) - 1;

struct Slot {
  std::atomic<uint64_t> state{0};
  std::atomic<void*> object{nullptr};
  uint32_t next_free = 0;  // index + 1; guarded by the table's mutex
};

struct HandleTable {
  std::atomic<Slot*> chunks[kChunks] = {};
  Mutex mutex;
  uint32_t num_slots GEEPS_GUARDED_BY(mutex) = 0;
  uint32_t first_free GEEPS_GUARDED_BY(mutex) = 0;  // index + 1
};

// Constant-initialized and never destroyed: usable from the first to the last moment of the process.
constinit HandleTable handles;

Slot* SlotAt(uint32_t index) {
  Slot* const chunk = handles.chunks[index / kChunkSlots].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : chunk + index % kChunkSlots;
}

}  // namespace

void* NewHandle(HandleType type, void* object) {
  MutexLock lock(&handles.mutex);
  uint32_t index = 0;
  if (handles.first_free != 0) {
    index = handles.first_free - 1;
    handles.first_free = SlotAt(index)->next_free;
  } else {
    index = handles.num_slots;
    if (index / kChunkSlots >= kChunks) return nullptr;
    if (index % kChunkSlots == 0) {
      Slot* const chunk = new (std::nothrow) Slot[kChunkSlots];
      if (chunk == nullptr) return nullptr;
      handles.chunks[index / kChunkSlots].store(chunk, std::memory_order_release);
    }
    ++handles.num_slots;
  }
  Slot* const slot = SlotAt(index);
  const uint64_t generation = ((slot->state.load(std::memory_order_relaxed) >> 8) + 1) & 0xffffffff;
  slot->object.store(object, std::memory_order_relaxed);
  slot->state.store(generation << 8 | static_cast<uint64_t>(type), std::memory_order_release);
  return reinterpret_cast<void*>(static_cast<uintptr_t>(generation << 24 | (index + 1)));
}

void NameHandle(const void* handle, HandleType type) {
  const uint64_t bits = reinterpret_cast<uintptr_t>(handle);
  SlotAt(static_cast<uint32_t>((bits & kIndexMask) - 1))
      ->state.store((bits >> 24) << 8 | static_cast<uint64_t>(type), std::memory_order_release);
}

void* FindHandle(HandleType type, const void* handle) {
  const uint64_t bits = reinterpret_cast<uintptr_t>(handle);
  const uint64_t place = bits & kIndexMask;
  if (place == 0 || (place - 1) / kChunkSlots >= kChunks) return nullptr;
  Slot* const slot = SlotAt(static_cast<uint32_t>(place - 1));
  if (slot == nullptr) return nullptr;
  const uint64_t wanted = (bits >> 24) << 8 | static_cast<uint64_t>(type);
  if (slot->state.load(std::memory_order_acquire) != wanted) return nullptr;
  return slot->object.load(std::memory_order_relaxed);
}

void EndHandle(const void* handle) {
  const uint64_t bits = reinterpret_cast<uintptr_t>(handle);
  const uint64_t place = bits & kIndexMask;
  if (place == 0 || (place - 1) / kChunkSlots >= kChunks) return;
  Slot* const slot = SlotAt(static_cast<uint32_t>(place - 1));
  if (slot == nullptr) return;
  MutexLock lock(&handles.mutex);
  const uint64_t state = slot->state.load(std::memory_order_relaxed);
  if (state >> 8 != bits >> 24 || (state & 0xff) == 0) return;
  slot->state.store(state & ~uint64_t{0xff}, std::memory_order_release);
  slot->object.store(nullptr, std::memory_order_relaxed);
  slot->next_free = handles.first_free;
  handles.first_free = static_cast<uint32_t>(place);
}

}  // namespace geeps::capi
