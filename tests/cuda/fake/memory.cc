// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "tests/cuda/fake/findings.h"
#include "tests/cuda/fake/trap.h"

namespace geeps::fake {
namespace {

constexpr uint64_t kRangeBytes = uint64_t{64} << 30;
constexpr uint64_t kAlignment = 256;  // as cuMemAlloc promises
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kGuardBytes = 256;  // around the real bytes
constexpr uint8_t kGuardByte = 0xc3;
constexpr uint8_t kNewByte = 0xff;
constexpr uint8_t kFreedByte = 0xdd;
constexpr size_t kMostFreed = 4096;

void* AsPointer(uint64_t address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); }

uint64_t RoundUp(uint64_t bytes, uint64_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

uint64_t ReserveRange() {
  void* const memory = mmap(nullptr, kRangeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? 0 : reinterpret_cast<uintptr_t>(memory);
}

}  // namespace

std::string Region::Name() const {
  return Text("allocation ", number, " (", bytes.num, " bytes of ", kind == Kind::kDevice ? "device" : "pinned",
              " memory", kind == Kind::kDevice ? Text(" of device ", device) : std::string(), ")");
}

bool Memory::Reserve() {
  for (Range* range : {&device_, &pinned_}) {
    range->first = range->next = ReserveRange();
    if (range->first == 0) return false;
    range->end = range->first + kRangeBytes;
  }
  SetTrapRanges({device_.first, kRangeBytes}, {pinned_.first, kRangeBytes});
  return true;
}

uint64_t Memory::TakeAddresses(Range* range, uint64_t bytes, uint64_t alignment) {
  // One gap of an alignment behind each, so that what lies right behind it belongs to nobody.
  if (bytes > kRangeBytes / 2) return 0;
  const uint64_t taken = RoundUp(bytes, alignment) + alignment;
  for (int round = 0; round < 2; ++round) {
    uint64_t first = range->next;
    for (auto it = regions_.lower_bound(first); it != regions_.end() && it->first < first + taken; ++it) {
      if (!range->Contains(it->first)) break;
      first = RoundUp(it->second.bytes.end(), alignment) + alignment;
    }
    if (first + taken <= range->end) {
      range->next = first + taken;
      return first;
    }
    range->next = range->first;
  }
  return 0;
}

Region* Memory::Allocate(Kind kind, uint64_t bytes, uint64_t context, int device) {
  Region region;
  region.kind = kind;
  region.context = context;
  region.device = device;
  region.number = num_allocated_ + 1;
  if (kind == Kind::kDevice) {
    region.storage.reset(new (std::nothrow) uint8_t[bytes + 2 * kGuardBytes]);
    if (region.storage == nullptr) return nullptr;
    std::memset(region.storage.get(), kGuardByte, bytes + 2 * kGuardBytes);
    std::memset(region.storage.get() + kGuardBytes, kNewByte, bytes);
  }
  const uint64_t first = TakeAddresses(kind == Kind::kDevice ? &device_ : &pinned_, bytes,
                                       kind == Kind::kDevice ? kAlignment : kPageBytes);
  if (first == 0) return nullptr;
  if (kind == Kind::kPinned) {
    if (mprotect(AsPointer(first), RoundUp(bytes, kPageBytes), PROT_READ | PROT_WRITE) != 0) return nullptr;
    std::memset(AsPointer(first), kNewByte, bytes);
    pinned_bytes_ += bytes;
  }
  region.bytes = {first, bytes};
  ++num_allocated_;
  return &(regions_[first] = std::move(region));
}

void Memory::Free(Region* region) {
  const Bytes bytes = region->bytes;
  freed_.push_back({bytes, region->Name()});
  if (freed_.size() > kMostFreed) freed_.pop_front();
  if (region->kind == Kind::kDevice) {
    std::memset(region->storage.get() + kGuardBytes, kFreedByte, bytes.num);
  } else {
    pinned_bytes_ -= bytes.num;
    madvise(AsPointer(bytes.first), RoundUp(bytes.num, kPageBytes), MADV_DONTNEED);
    mprotect(AsPointer(bytes.first), RoundUp(bytes.num, kPageBytes), PROT_NONE);
  }
  regions_.erase(bytes.first);
}

Region* Memory::Find(uint64_t address) {
  auto it = regions_.upper_bound(address);
  if (it == regions_.begin()) return nullptr;
  --it;
  return address < it->second.bytes.end() ? &it->second : nullptr;
}

std::string Memory::Describe(uint64_t address) const {
  const auto contains = [&](const Freed& freed) { return address - freed.bytes.first < freed.bytes.num; };
  const auto freed = std::find_if(freed_.rbegin(), freed_.rend(), contains);
  if (freed != freed_.rend()) return Text("lies in ", freed->name, ", which was freed");
  const auto after = regions_.upper_bound(address);
  if (after != regions_.begin()) {
    const Region& before = std::prev(after)->second;
    if (address - before.bytes.end() < kPageBytes) {
      return Text("lies ", address - before.bytes.end(), " bytes behind the end of ", before.Name());
    }
  }
  return IsReserved(address) ? "was never allocated" : "is no address of the driver's";
}

uint8_t* Memory::RealAddress(const Region& region, uint64_t address) {
  if (region.kind == Kind::kPinned) return static_cast<uint8_t*>(AsPointer(address));
  return region.storage.get() + kGuardBytes + (address - region.bytes.first);
}

std::string Memory::CheckGuards(const Region& region) {
  if (region.kind != Kind::kDevice) return "";
  const uint8_t* const front = region.storage.get();
  const uint8_t* const back = front + kGuardBytes + region.bytes.num;
  const auto is_changed = [](uint8_t byte) { return byte != kGuardByte; };
  const bool front_is_changed = std::any_of(front, front + kGuardBytes, is_changed);
  if (!front_is_changed && std::none_of(back, back + kGuardBytes, is_changed)) return "";
  return Text("bytes ", front_is_changed ? "in front of " : "behind ", region.Name(), " were written");
}

uint64_t Memory::used_bytes(int device) const {
  uint64_t bytes = 0;
  for (const auto& [first, region] : regions_) {
    if (region.kind == Kind::kDevice && region.device == device) bytes += region.bytes.num;
  }
  return bytes;
}

}  // namespace geeps::fake
