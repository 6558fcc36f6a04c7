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

struct CopyOp {
  static constexpr int kValueBytes = 1;
  static constexpr bool kReadsDst = false;
  template <int kBytes>
  static GEEPS_HD Unit<kBytes> Combine(const Unit<kBytes>& /*dst*/, const Unit<kBytes>& src) {
    return src;
  }
};

template <typename H>
struct AddOp {
  static constexpr int kValueBytes = sizeof(H);
  static constexpr bool kReadsDst = true;
  template <int kBytes>
  static GEEPS_HD Unit<kBytes> Combine(const Unit<kBytes>& dst, const Unit<kBytes>& src) {
    using Values = Pack<H, kBytes / sizeof(H)>;
    const Values a = BitsAs<Values>(dst);
    const Values b = BitsAs<Values>(src);
    Values sum;
    GEEPS_UNROLL
    for (int i = 0; i < static_cast<int>(kBytes / sizeof(H)); ++i) {
      sum.values[i] = AddNumbers(a.values[i], b.values[i]);
    }
    return BitsAs<Unit<kBytes>>(sum);
  }
};

template <typename Op, int kBytes>
GEEPS_HD void MoveUnit(uint64_t dst, uint64_t src) {
  Unit<kBytes> old = {};
  if constexpr (Op::kReadsDst) old = Load<Unit<kBytes>>(dst);
  Store(dst, Op::template Combine<kBytes>(old, Load<Unit<kBytes>>(src)));
}

// As many reads are made before the first write as may be in flight.
template <typename Op, int kBytes>
GEEPS_HD void MoveUnits(uint64_t dst, uint64_t src, uint64_t num, uint32_t lane, uint32_t num_lanes) {
  constexpr int kInFlight = 4;
  uint64_t i = lane;
  for (; i + uint64_t{kInFlight - 1} * num_lanes < num; i += uint64_t{kInFlight} * num_lanes) {
    Unit<kBytes> from[kInFlight], old[kInFlight];
    GEEPS_UNROLL
    for (int k = 0; k < kInFlight; ++k) {
      const uint64_t offset = (i + uint64_t{static_cast<uint32_t>(k)} * num_lanes) * kBytes;
      from[k] = Load<Unit<kBytes>>(src + offset);
      if constexpr (Op::kReadsDst) old[k] = Load<Unit<kBytes>>(dst + offset);
    }
    GEEPS_UNROLL
    for (int k = 0; k < kInFlight; ++k) {
      const uint64_t offset = (i + uint64_t{static_cast<uint32_t>(k)} * num_lanes) * kBytes;
      if constexpr (!Op::kReadsDst) old[k] = from[k];
      Store(dst + offset, Op::template Combine<kBytes>(old[k], from[k]));
    }
  }
  for (; i < num; i += num_lanes) MoveUnit<Op, kBytes>(dst + i * kBytes, src + i * kBytes);
}

// REQUIRES: dst and src are equally far from a multiple of kBytes.
template <typename Op, int kBytes>
GEEPS_HD void MoveRangeBy(uint64_t dst, uint64_t src, uint64_t bytes, uint32_t lane, uint32_t num_lanes) {
  if constexpr (kBytes > Op::kValueBytes) {
    const uint64_t head = Least<uint64_t>((0 - dst) & (kBytes - 1), bytes);
    MoveUnits<Op, Op::kValueBytes>(dst, src, head / Op::kValueBytes, lane, num_lanes);
    const uint64_t middle = (bytes - head) / kBytes * kBytes;
    MoveUnits<Op, kBytes>(dst + head, src + head, middle / kBytes, lane, num_lanes);
    const uint64_t done = head + middle;
    MoveUnits<Op, Op::kValueBytes>(dst + done, src + done, (bytes - done) / Op::kValueBytes, lane, num_lanes);
  } else if constexpr (kBytes == Op::kValueBytes) {
    MoveUnits<Op, kBytes>(dst, src, bytes / kBytes, lane, num_lanes);
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
