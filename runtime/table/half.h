// SPDX-License-Identifier: Apache-2.0
// Half: the 16-bit dtypes f16 (IEEE 754 binary16) and bf16 (the upper half of an f32), converted to f32 and back. To
// f32 is exact; from f32 rounds to the nearest, to the even one of two; what is beyond the largest number becomes
// infinity; a NaN stays one, with its sign and the upper bits of its payload, and becomes quiet when it is rounded.
// Written for packs of 4 with the vector extension (lanes.h) and once more for single values. Thread contract: pure
// functions. f16 from subnormal numbers needs the default floating-point environment.
#ifndef GEEPS_RUNTIME_TABLE_HALF_H_
#define GEEPS_RUNTIME_TABLE_HALF_H_

#include <bit>
#include <cstdint>
#include <cstring>

#include "runtime/table/lanes.h"

namespace geeps::table {

struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};

// 4 lanes of bits, as wide as a pack of f32, and as they lie in memory.
typedef uint32_t Bits4 __attribute__((vector_size(16)));
typedef int32_t Signed4 __attribute__((vector_size(16)));
typedef uint16_t HalfBits4 __attribute__((vector_size(8)));

// mask ? a : b, lane by lane; every lane of the mask is all ones or zero.
inline Bits4 Select(Bits4 mask, Bits4 a, Bits4 b) { return (mask & a) | (~mask & b); }
inline uint32_t Select(bool mask, uint32_t a, uint32_t b) { return mask ? a : b; }
// For bits below 2^31: a comparison of signed numbers is one instruction, of unsigned ones several.
inline Bits4 IsAbove(Bits4 a, Bits4 b) {
  return reinterpret_cast<Bits4>(reinterpret_cast<Signed4>(a) > reinterpret_cast<Signed4>(b));
}
inline bool IsAbove(uint32_t a, uint32_t b) { return a > b; }

// The functions below take U = uint32_t with V = float, or U = Bits4 with V = the pack of f32.

template <typename V, typename U>
inline V NumberOf(U bits) {
  return std::bit_cast<V>(bits);
}

// f16 bits, one in each lane, as f32. The exponent is moved by a multiplication with 2^112, which makes subnormal
// numbers normal, too; infinity and NaN keep the largest exponent.
template <typename V, typename U>
inline V WidenF16(U half) {
  const U sign = (half & 0x8000u) << 16;
  const U moved = (half & 0x7fffu) << 13;
  const U scaled = std::bit_cast<U>(NumberOf<V>(moved) * 0x1p112f);
  const U size = Select(IsAbove(moved, U{} + 0x0f7fffffu), moved | 0x7f800000u, scaled);
  return NumberOf<V>(sign | size);
}

// Source of the two roundings: Giesen, "Half to float done quick" and its converse (public domain).
template <typename V, typename U>
inline U NarrowF16(V number) {
  const U bits = std::bit_cast<U>(number);
  const U sign = bits & 0x80000000u;
  const U size = bits ^ sign;
  // Subnormal as f16: adding 0.5 leaves the multiple of 2^-24 in the low bits, rounded by the adder.
  const U magic = U{} + 0x3f000000u;
  const U small = std::bit_cast<U>(NumberOf<V>(size) + NumberOf<V>(magic)) - magic;
  const U odd = (size >> 13) & 1u;
  const U normal = (size + 0xc8000fffu + odd) >> 13;
  const U special = Select(IsAbove(size, U{} + 0x7f800000u), ((size >> 13) & 0x3ffu) | 0x7e00u, U{} + 0x7c00u);
  const U finite = Select(IsAbove(U{} + 0x38800000u, size), small, normal);
  return (sign >> 16) | Select(IsAbove(size, U{} + 0x477fffffu), special, finite);
}

template <typename V, typename U>
inline V WidenBf16(U half) {
  return NumberOf<V>(half << 16);
}

template <typename V, typename U>
inline U NarrowBf16(V number) {
  const U bits = std::bit_cast<U>(number);
  const U odd = (bits >> 16) & 1u;
  const U rounded = (bits + 0x7fffu + odd) >> 16;
  const U nan = (bits >> 16) | 0x40u;
  return Select(IsAbove(bits & 0x7fffffffu, U{} + 0x7f800000u), nan, rounded);
}

template <typename V, typename U>
inline V Widen(F16 /*tag*/, U half) {
  return WidenF16<V>(half);
}
template <typename V, typename U>
inline V Widen(Bf16 /*tag*/, U half) {
  return WidenBf16<V>(half);
}
template <typename U, typename V>
inline U Narrow(F16 /*tag*/, V number) {
  return NarrowF16<V, U>(number);
}
template <typename U, typename V>
inline U Narrow(Bf16 /*tag*/, V number) {
  return NarrowBf16<V, U>(number);
}

// Loads V, f32 or a pack of them, from numbers of dtype H, and stores it, rounded. For H = float as LoadLanes.
template <typename V, typename H>
inline V LoadNumbers(const H* from) {
  if constexpr (sizeof(H) != sizeof(uint16_t)) {
    return LoadLanes<V>(from);
  } else if constexpr (sizeof(V) == sizeof(float)) {
    return Widen<V, uint32_t>(H{}, from->bits);
  } else {
    HalfBits4 half;
    std::memcpy(&half, from, sizeof half);
    return Widen<V, Bits4>(H{}, __builtin_convertvector(half, Bits4));
  }
}

template <typename V, typename H>
inline void StoreNumbers(H* to, const V& numbers) {
  if constexpr (sizeof(H) != sizeof(uint16_t)) {
    StoreLanes(to, numbers);
  } else if constexpr (sizeof(V) == sizeof(float)) {
    to->bits = static_cast<uint16_t>(Narrow<uint32_t>(H{}, numbers));
  } else {
    const HalfBits4 half = __builtin_convertvector(Narrow<Bits4>(H{}, numbers), HalfBits4);
    std::memcpy(to, &half, sizeof half);
  }
}

// out[i] = a[i] + b[i], calculated in T and rounded to H. `out` may be a or b.
template <typename T, typename H>
inline void AddNumbers(uint64_t n, const H* a, const H* b, H* out) {
  ForLanes<T>(n, [=]<typename V>(uint64_t i) {
    const V sum = LoadNumbers<V>(a + i) + LoadNumbers<V>(b + i);
    StoreNumbers(out + i, sum);
  });
}

// to[i] = from[i], rounded to H.
template <typename T, typename H>
inline void RoundNumbers(uint64_t n, const T* from, H* to) {
  ForLanes<T>(n, [=]<typename V>(uint64_t i) { StoreNumbers(to + i, LoadLanes<V>(from + i)); });
}

// to[i] = from[i]: exact.
template <typename T, typename H>
inline void WidenNumbers(uint64_t n, const H* from, T* to) {
  ForLanes<T>(n, [=]<typename V>(uint64_t i) { StoreLanes(to + i, LoadNumbers<V>(from + i)); });
}

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_HALF_H_
