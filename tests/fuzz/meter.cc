// SPDX-License-Identifier: Apache-2.0
// Counts what operator new hands out. The functions below replace the standard library's, and stand on malloc, so that
// a sanitizer goes on looking at every block.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "tests/fuzz/fuzz.h"

namespace {

std::atomic<int64_t> held{0};
std::atomic<int64_t> most{0};
std::atomic<int64_t> at_begin{0};

void* Count(void* block) {
  if (block == nullptr) return nullptr;
  const int64_t bytes = static_cast<int64_t>(malloc_usable_size(block));
  const int64_t now = held.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  int64_t seen = most.load(std::memory_order_relaxed);
  while (now > seen && !most.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
  return block;
}

void* Allocate(size_t bytes) {
  void* const block = Count(std::malloc(std::max<size_t>(bytes, 1)));
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void* AllocateAligned(size_t bytes, std::align_val_t align) {
  const size_t wanted = static_cast<size_t>(align);
  void* const block = Count(std::aligned_alloc(wanted, (std::max<size_t>(bytes, 1) + wanted - 1) / wanted * wanted));
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void Release(void* block) noexcept {
  if (block == nullptr) return;
  held.fetch_sub(static_cast<int64_t>(malloc_usable_size(block)), std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

void* operator new(size_t bytes) { return Allocate(bytes); }
void* operator new[](size_t bytes) { return Allocate(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return Count(std::malloc(std::max<size_t>(bytes, 1)));
}
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept {
  return Count(std::malloc(std::max<size_t>(bytes, 1)));
}
void* operator new(size_t bytes, std::align_val_t align) { return AllocateAligned(bytes, align); }
void* operator new[](size_t bytes, std::align_val_t align) { return AllocateAligned(bytes, align); }
void operator delete(void* block) noexcept { Release(block); }
void operator delete[](void* block) noexcept { Release(block); }
void operator delete(void* block, size_t) noexcept { Release(block); }
void operator delete[](void* block, size_t) noexcept { Release(block); }
void operator delete(void* block, std::align_val_t) noexcept { Release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { Release(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { Release(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { Release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { Release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { Release(block); }

namespace geeps::fuzz {

Meter::Meter() {
  const int64_t now = held.load(std::memory_order_relaxed);
  at_begin.store(now, std::memory_order_relaxed);
  most.store(now, std::memory_order_relaxed);
}

uint64_t Meter::peak_bytes() const {
  const int64_t bytes = most.load(std::memory_order_relaxed) - at_begin.load(std::memory_order_relaxed);
  return static_cast<uint64_t>(std::max<int64_t>(bytes, 0));
}

}  // namespace geeps::fuzz
