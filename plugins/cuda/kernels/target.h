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

// Loops over a few places of an array that must stay in registers, and loops that would only become larger.
#if defined(__CUDA_ARCH__)
#define GEEPS_UNROLL _Pragma("unroll")
#define GEEPS_NO_UNROLL _Pragma("unroll 1")
#else
#define GEEPS_UNROLL
#define GEEPS_NO_UNROLL
#endif

namespace geeps::cuda {

// One access of kBytes bytes: 1, 2, 4, 8 or 16. Made of words as wide as there are, so that it stays in registers.
template <int kBytes>
struct alignas(kBytes) Unit {
  uint32_t words[kBytes / 4];
};
template <>
struct alignas(2) Unit<2> {
  uint16_t word;
};
template <>
struct Unit<1> {
  uint8_t word;
};

#if !defined(__CUDA_ARCH__)
// The host's memory behind an address of device memory; kernels_host.h sets what it asks.
void* HostAddress(uint64_t device_address, uint64_t bytes, bool is_written);
#endif

#if defined(__CUDA_ARCH__)
// Accesses of the global window, where device and pinned memory lie; a plain pointer made of a number would be taken
// for one that may be shared or local memory as well. A load is not volatile and neither names memory: no kernel reads
// again what it has written, and so the compiler keeps in registers what it has read of the table.
template <int kBytes>
struct GlobalAccess;
template <>
struct GlobalAccess<16> {
  static GEEPS_HD Unit<16> Load(uint64_t address) {
    Unit<16> u;
    asm("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(u.words[0]), "=r"(u.words[1]), "=r"(u.words[2]), "=r"(u.words[3])
        : "l"(address));
    return u;
  }
  static GEEPS_HD void Store(uint64_t address, const Unit<16>& u) {
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(address), "r"(u.words[0]), "r"(u.words[1]),
                 "r"(u.words[2]), "r"(u.words[3]));
  }
};
template <>
struct GlobalAccess<8> {
  static GEEPS_HD Unit<8> Load(uint64_t address) {
    Unit<8> u;
    asm("ld.global.v2.u32 {%0, %1}, [%2];" : "=r"(u.words[0]), "=r"(u.words[1]) : "l"(address));
    return u;
  }
  static GEEPS_HD void Store(uint64_t address, const Unit<8>& u) {
    asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(address), "r"(u.words[0]), "r"(u.words[1]));
  }
};
template <>
struct GlobalAccess<4> {
  static GEEPS_HD Unit<4> Load(uint64_t address) {
    Unit<4> u;
    asm("ld.global.u32 %0, [%1];" : "=r"(u.words[0]) : "l"(address));
    return u;
  }
  static GEEPS_HD void Store(uint64_t address, const Unit<4>& u) {
    asm volatile("st.global.u32 [%0], %1;" ::"l"(address), "r"(u.words[0]));
  }
};
template <>
struct GlobalAccess<2> {
  static GEEPS_HD Unit<2> Load(uint64_t address) {
    Unit<2> u;
    asm("ld.global.u16 %0, [%1];" : "=h"(u.word) : "l"(address));
    return u;
  }
  static GEEPS_HD void Store(uint64_t address, const Unit<2>& u) {
    asm volatile("st.global.u16 [%0], %1;" ::"l"(address), "h"(u.word));
  }
};
template <>
struct GlobalAccess<1> {
  static GEEPS_HD Unit<1> Load(uint64_t address) {
    uint32_t byte;
    asm("ld.global.u8 %0, [%1];" : "=r"(byte) : "l"(address));
    return {static_cast<uint8_t>(byte)};
  }
  static GEEPS_HD void Store(uint64_t address, const Unit<1>& u) {
    asm volatile("st.global.u8 [%0], %1;" ::"l"(address), "r"(static_cast<uint32_t>(u.word)));
  }
};
#endif

// REQUIRES: the address is aligned to sizeof(V).
template <typename V>
GEEPS_HD V Load(uint64_t address) {
  V value;
#if defined(__CUDA_ARCH__)
  const Unit<sizeof(V)> unit = GlobalAccess<sizeof(V)>::Load(address);
  memcpy(&value, &unit, sizeof value);
#else
  std::memcpy(&value, HostAddress(address, sizeof value, false), sizeof value);
#endif
  return value;
}

template <typename V>
GEEPS_HD void Store(uint64_t address, const V& value) {
#if defined(__CUDA_ARCH__)
  Unit<sizeof(V)> unit;
  memcpy(&unit, &value, sizeof unit);
  GlobalAccess<sizeof(V)>::Store(address, unit);
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
