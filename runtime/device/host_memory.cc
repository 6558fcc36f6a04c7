// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/host_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "geeps_device.h"
#include "runtime/base/status.h"

namespace geeps::device {
namespace {

constexpr uint64_t kAlignment = 256;
// Sums and gathers over huge pages take about a fifth less time; smaller regions would waste too much of them.
constexpr uint64_t kHugePage = 2ull << 20;
constexpr uint64_t kHugePageLeast = 4 * kHugePage;

void* AllocateAligned(uint64_t bytes) {
  void* memory = nullptr;
  const bool huge = bytes >= kHugePageLeast;
  if (posix_memalign(&memory, huge ? kHugePage : kAlignment, bytes) != 0) return nullptr;
  // Only a hint: without huge pages everything works as well.
  if (huge) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return memory;
}

}  // namespace

absl::Status HostMemory::Allocate(int32_t kind, uint64_t bytes, void** out) {
  if (kind != GEEPS_DEV_MEMORY && kind != GEEPS_DEV_PINNED) return Invalid("memory kind ", kind, " is unknown");
  if (bytes == 0) return Invalid("0 bytes of memory wanted");
  const bool is_device = kind == GEEPS_DEV_MEMORY;
  std::atomic<uint64_t>& used = is_device ? memory_used_ : pinned_used_;
  const uint64_t limit = is_device && limit_ > 0 ? limit_ : MachineMemoryBytes();
  uint64_t before = used.load(std::memory_order_relaxed);
  do {
    if (bytes > limit || before > limit - bytes) {
      return NoMemory(bytes, " bytes of ", is_device ? "device" : "pinned", " memory wanted, ",
                      before > limit ? 0 : limit - before, " of ", limit, " are free");
    }
  } while (!used.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
  void* memory = AllocateAligned(bytes);
  if (memory == nullptr) {
    used.fetch_sub(bytes, std::memory_order_relaxed);
    return NoMemory(bytes, " bytes of ", is_device ? "device" : "pinned", " memory wanted; the system has no more, ",
                    before, " are in use");
  }
  *out = memory;
  return absl::OkStatus();
}

void HostMemory::Free(int32_t kind, void* memory, uint64_t bytes) {
  if (memory == nullptr) return;
  std::free(memory);
  (kind == GEEPS_DEV_MEMORY ? memory_used_ : pinned_used_).fetch_sub(bytes, std::memory_order_relaxed);
}

uint64_t MachineMemoryBytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes) : 0;
}

}  // namespace geeps::device
