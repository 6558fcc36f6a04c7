// SPDX-License-Identifier: Apache-2.0
// MoveRange: bytes that lie side by side, copied or added by a few threads, in the widest accesses that the two
// addresses allow. Thread contract: each of the threads calls it with its number among them; they do not wait for each
// other.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_MOVE_RANGE_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_MOVE_RANGE_H_

#include <cstdint>

#include "plugins/cuda/kernels/arithmetic.h"
#include "plugins/cuda/kernels/target.h"

namespace geeps::cuda {

// kCount numbers as one access.
template <typename H, int kCount>
struct alignas(sizeof(H) * kCount) Pack {
  H values[kCount];
};

// What is done with an access of kBytes bytes, as the type `Of`.
struct CopyOp {
  static constexpr int kValueBytes = 1;
  static constexpr bool kReadsDst = false;
  static constexpr int kInFlight = 4;
  template <int kBytes>
  using Of = Unit<kBytes>;
  template <typename V>
  static GEEPS_HD V Combine(const V& /*dst*/, const V& src) {
    return src;
  }
};

template <typename H>
struct AddOp {
  static constexpr int kValueBytes = sizeof(H);
  static constexpr bool kReadsDst = true;
  static constexpr int kInFlight = 2;  // of each of two arrays
  template <int kBytes>
  using Of = Pack<H, kBytes / sizeof(H)>;
  template <int kCount>
  static GEEPS_HD Pack<H, kCount> Combine(const Pack<H, kCount>& dst, const Pack<H, kCount>& src) {
    Pack<H, kCount> sum;
    GEEPS_UNROLL
    for (int i = 0; i < kCount; ++i) sum.values[i] = AddNumbers(dst.values[i], src.values[i]);
    return sum;
  }
};

template <typename Op, int kBytes>
GEEPS_HD void MoveUnit(uint64_t dst, uint64_t src) {
  using V = typename Op::template Of<kBytes>;
  V old = {};
  if constexpr (Op::kReadsDst) old = Load<V>(dst);
  Store(dst, Op::Combine(old, Load<V>(src)));
}

// As many reads are made before the first write as may be in flight.
template <typename Op, int kBytes>
GEEPS_HD void MoveUnits(uint64_t dst, uint64_t src, uint64_t num, uint32_t lane, uint32_t num_lanes) {
  using V = typename Op::template Of<kBytes>;
  constexpr int kInFlight = Op::kInFlight;
  uint64_t i = lane;
  const uint64_t stride = uint64_t{num_lanes} * kBytes;
  GEEPS_NO_UNROLL
  for (; i + uint64_t{kInFlight - 1} * num_lanes < num; i += uint64_t{kInFlight} * num_lanes) {
    const uint64_t to = dst + i * kBytes, from = src + i * kBytes;
    V values[kInFlight], old[kInFlight] = {};
    GEEPS_UNROLL
    for (int k = 0; k < kInFlight; ++k) {
      values[k] = Load<V>(from + static_cast<uint64_t>(k) * stride);
      if constexpr (Op::kReadsDst) old[k] = Load<V>(to + static_cast<uint64_t>(k) * stride);
    }
    GEEPS_UNROLL
    for (int k = 0; k < kInFlight; ++k) {
      Store(to + static_cast<uint64_t>(k) * stride, Op::Combine(old[k], values[k]));
    }
  }
  GEEPS_NO_UNROLL
  for (; i < num; i += num_lanes) MoveUnit<Op, kBytes>(dst + i * kBytes, src + i * kBytes);
}

// Fewer values than a wide access has, at one end of a range.
template <typename Op>
GEEPS_HD void MoveEnd(uint64_t dst, uint64_t src, uint64_t bytes, uint32_t lane, uint32_t num_lanes) {
  constexpr int kBytes = Op::kValueBytes;
  GEEPS_NO_UNROLL
  for (uint64_t at = uint64_t{lane} * kBytes; at < bytes; at += uint64_t{num_lanes} * kBytes) {
    MoveUnit<Op, kBytes>(dst + at, src + at);
  }
}

// REQUIRES: dst and src are equally far from a multiple of kBytes.
template <typename Op, int kBytes>
GEEPS_HD void MoveRangeBy(uint64_t dst, uint64_t src, uint64_t bytes, uint32_t lane, uint32_t num_lanes) {
  if constexpr (kBytes >= Op::kValueBytes) {
    const uint64_t head = Least<uint64_t>((0 - dst) & (kBytes - 1), bytes);
    const uint64_t middle = (bytes - head) / kBytes * kBytes;
    const uint64_t done = head + middle;
    if (head > 0) MoveEnd<Op>(dst, src, head, lane, num_lanes);
    MoveUnits<Op, kBytes>(dst + head, src + head, middle / kBytes, lane, num_lanes);
    if (done < bytes) MoveEnd<Op>(dst + done, src + done, bytes - done, lane, num_lanes);
  }
}

// The widest access, up to 16 bytes, that an address or a sum of several, or-ed together, is aligned to.
GEEPS_HD uint32_t UnitBytesOf(uint64_t addresses) {
  const uint32_t low = (static_cast<uint32_t>(addresses) & 15u) | 16u;
  return low & (0u - low);
}

// dst[i] = Op(dst[i], src[i]). REQUIRES: both are aligned to the op's values and `bytes` is a multiple of them.
template <typename Op>
GEEPS_HD void MoveRange(uint64_t dst, uint64_t src, uint64_t bytes, uint32_t lane, uint32_t num_lanes) {
  switch (UnitBytesOf(dst ^ src)) {
    case 16:
      return MoveRangeBy<Op, 16>(dst, src, bytes, lane, num_lanes);
    case 8:
      return MoveRangeBy<Op, 8>(dst, src, bytes, lane, num_lanes);
    case 4:
      return MoveRangeBy<Op, 4>(dst, src, bytes, lane, num_lanes);
    case 2:
      return MoveRangeBy<Op, 2>(dst, src, bytes, lane, num_lanes);
    default:
      return MoveRangeBy<Op, 1>(dst, src, bytes, lane, num_lanes);
  }
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_MOVE_RANGE_H_
