// SPDX-License-Identifier: Apache-2.0
// Target: what the bodies of the kernels need of the machine they run on. nvcc compiles them for the device; g++ and
// clang compile the same text for the host, where tests run them block by block (kernels_host.h). A body reaches device
// memory by its address alone, through Load and Store: on the device that is the memory itself, on the host the bytes
// behind HostAddress. What a body is called with, the table, is host memory there. Thread contract: pure functions.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_TARGET_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_TARGET_H_

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define GEEPS_HD __host__ __device__ __forceinline__
#else
#define GEEPS_HD inline
#endif

// Loops over a few places of an array that must stay in registers.
#if defined(__CUDA_ARCH__)
#define GEEPS_UNROLL _Pragma("unroll")
#else
#define GEEPS_UNROLL
#endif

namespace geeps::cuda {

// One access of kBytes bytes: 1, 2, 4, 8 or 16.
template <int kBytes>
struct alignas(kBytes) Unit {
  uint8_t bytes[kBytes];
};

#if !defined(__CUDA_ARCH__)
// The host's memory behind an address of device memory; kernels_host.h sets what it asks.
void* HostAddress(uint64_t device_address, uint64_t bytes, bool is_written);
#endif

#if defined(__CUDACC__)
// The widest type that the device moves in one instruction.
template <int kBytes>
struct WordOf;
template <>
struct WordOf<16> {
  using type = uint4;
};
template <>
struct WordOf<8> {
  using type = uint2;
};
template <>
struct WordOf<4> {
  using type = uint32_t;
};
template <>
struct WordOf<2> {
  using type = uint16_t;
};
template <>
struct WordOf<1> {
  using type = uint8_t;
};
#endif

// REQUIRES: the address is aligned to sizeof(V).
template <typename V>
GEEPS_HD V Load(uint64_t address) {
  V value;
#if defined(__CUDA_ARCH__)
  using Word = typename WordOf<sizeof(V)>::type;
  const void* const memory = reinterpret_cast<const void*>(address);
  // Pinned and device memory alike lie in the global window; without this the compiler uses the slower generic access.
  __builtin_assume(__isGlobal(memory));
  const Word word = *static_cast<const Word*>(memory);
  memcpy(&value, &word, sizeof value);
#else
  std::memcpy(&value, HostAddress(address, sizeof value, false), sizeof value);
#endif
  return value;
}

template <typename V>
GEEPS_HD void Store(uint64_t address, const V& value) {
#if defined(__CUDA_ARCH__)
  using Word = typename WordOf<sizeof(V)>::type;
  void* const memory = reinterpret_cast<void*>(address);
  __builtin_assume(__isGlobal(memory));
  Word word;
  memcpy(&word, &value, sizeof word);
  *static_cast<Word*>(memory) = word;
#else
  std::memcpy(HostAddress(address, sizeof value, true), &value, sizeof value);
#endif
}

template <typename T>
GEEPS_HD T Least(T a, T b) {
  return a < b ? a : b;
}

// What one thread of a launch knows of its place.
struct Place {
  const uint8_t* table;  // host memory on the host
  uint64_t scratch;      // an address of device memory
  uint64_t tile;         // the piece of work
  uint32_t thread;       // of the block
  uint32_t num_threads;
  uint8_t* shared;  // of the block; aligned to 16 bytes
};

// Bits of a number as another type of the same size.
template <typename To, typename From>
GEEPS_HD To BitsAs(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

// x / divisor for x < 2^32 by a multiplication, without a division. Source: Granlund and Montgomery, "Division by
// invariant integers using multiplication" (PLDI 1994), with a multiplier of 33 bits.
struct Divider {
  uint32_t divisor;
  uint32_t multiplier;  // its lower 32 bits
  uint32_t shift;
  uint32_t reserved0;

  GEEPS_HD uint32_t Divide(uint32_t x) const {
    const uint32_t high = static_cast<uint32_t>((uint64_t{multiplier} * x) >> 32);
    if (shift == 0) return x;  // by one
    return (((x - high) >> 1) + high) >> (shift - 1);
  }
};

// REQUIRES: 1 <= divisor < 2^31.
inline Divider DividerOf(uint32_t divisor) {
  uint32_t shift = 0;
  while ((uint64_t{1} << shift) < divisor) ++shift;
  const uint64_t beyond = ((uint64_t{1} << shift) - divisor) << 32;
  return {divisor, static_cast<uint32_t>(beyond / divisor + 1), shift, 0};
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_TARGET_H_
