// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/memory.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <utility>

namespace geeps::cuda {
namespace {

constexpr Result kOperatingSystem = 304;  // a call of the system failed, such as the one that pins

uint64_t RoundUp(uint64_t bytes) {
  // Beyond this nothing is there anyway, and the sum would wrap around.
  if (bytes > UINT64_MAX - kMemoryAlignment) return bytes;
  return (bytes + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
}

// Of the machine: all, or what is free.
uint64_t HostBytes(int pages_name) {
  const long pages = sysconf(pages_name);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes) : 0;
}

}  // namespace

// Bytes counted as used, until the end of this object or, when kept, until they are given back.
class Memory::Reservation {
 public:
  explicit Reservation(Memory* memory) : memory_(*memory) {}
  ~Reservation() {
    if (!is_kept_) memory_.memory_used_.fetch_sub(bytes_, std::memory_order_relaxed);
  }
  Status Take(uint64_t bytes) {
    const uint64_t limit = memory_.limit_;
    uint64_t before = memory_.memory_used();
    do {
      if (bytes > limit || before > limit - bytes) {
        return Status(GEEPS_E_NOMEM, Text(bytes, " bytes of device memory wanted, ",
                                          before > limit ? 0 : limit - before, " of ", limit, " are free"));
      }
    } while (!memory_.memory_used_.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
    bytes_ = bytes;
    return Status();
  }
  void Keep() { is_kept_ = true; }

 private:
  Memory& memory_;
  uint64_t bytes_ = 0;
  bool is_kept_ = false;
};

Status Memory::Allocate(int32_t kind, uint64_t bytes, void** out) {
  if (kind != GEEPS_DEV_MEMORY && kind != GEEPS_DEV_PINNED) return Invalid("memory kind ", kind, " is unknown");
  if (bytes == 0) return Invalid("0 bytes of memory wanted");
  if (kind == GEEPS_DEV_PINNED) {
    Status status = AllocatePinned(bytes, out);
    if (status.ok()) pinned_used_.fetch_add(bytes, std::memory_order_relaxed);
    return status;
  }
  Reservation reservation(this);
  if (Status status = reservation.Take(bytes); !status.ok()) return status;
  DevicePointer memory = 0;
  if (Status status = AllocateDevice(bytes, &memory); !status.ok()) return status;
  reservation.Keep();
  *out = reinterpret_cast<void*>(memory);
  return Status();
}

void Memory::Free(int32_t kind, void* memory, uint64_t bytes) {
  if (memory == nullptr) return;
  if (kind == GEEPS_DEV_MEMORY) {
    FreeDevice(reinterpret_cast<uintptr_t>(memory));
    memory_used_.fetch_sub(bytes, std::memory_order_relaxed);
  } else {
    FreePinned(memory);
    pinned_used_.fetch_sub(bytes, std::memory_order_relaxed);
  }
}

Status Memory::AllocateDevice(uint64_t bytes, DevicePointer* out) {
  const Result result = driver_.MemAlloc(out, RoundUp(bytes));
  if (result != kOutOfMemory) return loss_.Check(result, "cuMemAlloc of ", bytes, " bytes");
  size_t free_bytes = 0, total_bytes = 0;
  if (const Result told = driver_.MemGetInfo(&free_bytes, &total_bytes); told != kSuccess) {
    return loss_.Check(told, "cuMemGetInfo, after ", bytes, " bytes of device memory were refused,");
  }
  return Status(GEEPS_E_NOMEM,
                Text(bytes, " bytes of device memory wanted, ", free_bytes, " of ", total_bytes, " are free on ",
                     loss_.device_text()),
                result);
}

// Of a lost device too, where the driver refuses: the memory ends with the context.
void Memory::FreeDevice(DevicePointer memory) {
  if (memory != 0) driver_.MemFree(memory);
}

Status Memory::AllocatePinned(uint64_t bytes, void** out) {
  void* memory = nullptr;
  const Result result = driver_.MemHostAlloc(&memory, RoundUp(bytes), kHostAllocPortable);
  if (result == kOutOfMemory || result == kInvalidValue || result == kOperatingSystem) {
    return AllocatePageable(bytes, result, out);
  }
  Status status = loss_.Check(result, "cuMemHostAlloc of ", bytes, " bytes");
  if (status.ok()) *out = memory;
  return status;
}

Status Memory::AllocatePageable(uint64_t bytes, Result why, void** out) {
  void* memory = nullptr;
  // The system lends more than it has, and ends processes when they use it.
  if (bytes > HostBytes(_SC_PHYS_PAGES) || posix_memalign(&memory, kMemoryAlignment, RoundUp(bytes)) != 0) {
    return Status(GEEPS_E_NOMEM,
                  Text(bytes, " bytes of pinned memory wanted, and as ordinary memory they are not there either: ",
                       HostBytes(_SC_AVPHYS_PAGES), " bytes are free"),
                  why);
  }
  std::unique_ptr<void, decltype(&std::free)> owner(memory, &std::free);
  const std::string warning =
      Text(loss_.device_text(), ": the system pins no further ", bytes, " bytes of memory (", ResultText(driver_, why),
           "); ordinary memory is used, copies from and to it are slower");
  bool warns = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    pageable_.emplace(reinterpret_cast<uintptr_t>(memory), bytes);
    warns = !std::exchange(has_warned_, true);
  }
  num_pageable_.fetch_add(1, std::memory_order_release);
  *out = owner.release();
  if (warns && host_ != nullptr && host_->log != nullptr) {
    host_->log(host_->ctx, GEEPS_LOG_WARNING, "cuda", warning.data(), warning.size());
  }
  return Status();
}

void Memory::FreePinned(void* memory) {
  if (memory == nullptr) return;
  if (num_pageable_.load(std::memory_order_acquire) > 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (pageable_.erase(reinterpret_cast<uintptr_t>(memory)) > 0) {
      num_pageable_.fetch_sub(1, std::memory_order_relaxed);
      std::free(memory);
      return;
    }
  }
  driver_.MemFreeHost(memory);
}

bool Memory::IsPageable(const void* memory) const {
  if (num_pageable_.load(std::memory_order_acquire) == 0) return false;
  const uintptr_t address = reinterpret_cast<uintptr_t>(memory);
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto after = pageable_.upper_bound(address);
  if (after == pageable_.begin()) return false;
  const auto& [first, bytes] = *std::prev(after);
  return address - first < bytes;
}

}  // namespace geeps::cuda
