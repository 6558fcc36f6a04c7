// SPDX-License-Identifier: Apache-2.0
// Lanes: element-wise loops over arrays, a pack of values at a time, the same operations for the pack and for the
// values left over. Written with the vector extension of g++ and clang rather than left to the optimizer, which gives
// up at -O2. Element-wise IEEE operations have the same bits in packs of any width.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_LANES_H_
#define GEEPS_RUNTIME_TABLE_LANES_H_

#include <cstdint>
#include <cstring>

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

// out[i] = a[i] + b[i]. `out` may be a or b.
template <typename T>
inline void AddLanes(uint64_t n, const T* a, const T* b, T* out) {
  ForLanes<T>(n, [=]<typename V>(uint64_t i) { StoreLanes(out + i, LoadLanes<V>(a + i) + LoadLanes<V>(b + i)); });
}

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_LANES_H_
