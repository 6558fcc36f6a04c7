// SPDX-License-Identifier: Apache-2.0
// Lanes: element-wise loops over arrays, a pack of values at a time, the same operations for the pack and for the
// values left over. Written with the vector extension of g++ and clang rather than left to the optimizer, which gives
// up at -O2. Element-wise IEEE operations have the same bits in packs of any width.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_LANES_H_
#define GEEPS_RUNTIME_TABLE_LANES_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace geeps::table {

// 16 bytes: what every x86-64 and aarch64 CPU has.
template <typename T>
struct PackOf {
  typedef T type __attribute__((vector_size(16)));
};

template <typename V, typename T>
inline V LoadLanes(const T* from) {
  V lanes;
  std::memcpy(&lanes, from, sizeof(V));
  return lanes;
}

template <typename V, typename T>
inline void StoreLanes(T* to, const V& lanes) {
  std::memcpy(to, &lanes, sizeof(V));
}

// Calls fn.operator()<V>(i) so that every i in 0 .. n - 1 is covered once: V is a pack that covers i and the places
// behind it, or T. Arrays may be the same, place for place, as each call loads before it stores.
template <typename T, typename Fn>
inline void ForLanes(uint64_t n, Fn&& fn) {
  using Pack = typename PackOf<T>::type;
  constexpr uint64_t kWidth = sizeof(Pack) / sizeof(T);
  uint64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    fn.template operator()<Pack>(i);
    fn.template operator()<Pack>(i + kWidth);
    fn.template operator()<Pack>(i + 2 * kWidth);
    fn.template operator()<Pack>(i + 3 * kWidth);
  }
  for (; i < n; ++i) fn.template operator()<T>(i);
}

// The square root of each lane, correctly rounded (IEEE 754). The vector extension has none of its own.
inline float SqrtLanes(float x) { return std::sqrt(x); }
inline double SqrtLanes(double x) { return std::sqrt(x); }
inline PackOf<float>::type SqrtLanes(PackOf<float>::type x) {
#if defined(__SSE2__)
  return reinterpret_cast<PackOf<float>::type>(_mm_sqrt_ps(reinterpret_cast<__m128>(x)));
#elif defined(__aarch64__)
  return reinterpret_cast<PackOf<float>::type>(vsqrtq_f32(reinterpret_cast<float32x4_t>(x)));
#else
  for (int k = 0; k < 4; ++k) x[k] = std::sqrt(x[k]);
  return x;
#endif
}
inline PackOf<double>::type SqrtLanes(PackOf<double>::type x) {
#if defined(__SSE2__)
  return reinterpret_cast<PackOf<double>::type>(_mm_sqrt_pd(reinterpret_cast<__m128d>(x)));
#elif defined(__aarch64__)
  return reinterpret_cast<PackOf<double>::type>(vsqrtq_f64(reinterpret_cast<float64x2_t>(x)));
#else
  for (int k = 0; k < 2; ++k) x[k] = std::sqrt(x[k]);
  return x;
#endif
}

// The sum of the squares of n values, in T, in an order that suits a warp of 32 lanes as well: lane k adds those of
// places k, k + 32, .. from zero on; then the upper half of the lanes is added to the lower one until one is left.
template <typename T>
inline T SumOfSquares(uint64_t n, const T* x) {
  using Pack = typename PackOf<T>::type;
  constexpr uint64_t kLanes = 32;
  constexpr uint64_t kWidth = sizeof(Pack) / sizeof(T);
  constexpr uint64_t kPacks = kLanes / kWidth;
  Pack sums[kPacks] = {};
  uint64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (uint64_t k = 0; k < kPacks; ++k) {
      const Pack lanes = LoadLanes<Pack>(x + i + k * kWidth);
      const Pack squares = lanes * lanes;
      sums[k] = sums[k] + squares;
    }
  }
  T lanes[kLanes];
  std::memcpy(lanes, sums, sizeof lanes);
  for (uint64_t k = 0; i < n; ++i, ++k) {
    const T square = x[i] * x[i];
    lanes[k] = lanes[k] + square;
  }
  for (uint64_t half = kLanes / 2; half > 0; half /= 2) {
    for (uint64_t k = 0; k < half; ++k) lanes[k] = lanes[k] + lanes[k + half];
  }
  return lanes[0];
}

// out[i] = a[i] + b[i]. `out` may be a or b.
template <typename T>
inline void AddLanes(uint64_t n, const T* a, const T* b, T* out) {
  ForLanes<T>(n, [=]<typename V>(uint64_t i) { StoreLanes(out + i, LoadLanes<V>(a + i) + LoadLanes<V>(b + i)); });
}

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_LANES_H_
