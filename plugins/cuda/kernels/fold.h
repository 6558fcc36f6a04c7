// SPDX-License-Identifier: Apache-2.0
// Fold: the contributions to a few values that lie side by side become the reduced one, in the canonical order: inputs
// of a group from left to right, then the groups' sums, then the mean. Thread contract: pure functions.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_FOLD_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_FOLD_H_

#include <cstdint>

#include "plugins/cuda/kernels/apply_table.h"
#include "plugins/cuda/kernels/arithmetic.h"
#include "plugins/cuda/kernels/move_range.h"

namespace geeps::cuda {

// H: as the inputs lie in memory; T: in which they are summed; kWidth values at once.
template <typename T, typename H, int kWidth>
class FoldSum {
 public:
  GEEPS_HD void Take(const Pack<H, kWidth>& values, uint32_t group) {
    if (has_group_ && group == group_) {
      GEEPS_UNROLL
      for (int k = 0; k < kWidth; ++k) sum_.values[k] = cuda::Add(sum_.values[k], T{Widen(values.values[k])});
      is_sum_ = true;
      return;
    }
    EndGroup();
    GEEPS_UNROLL
    for (int k = 0; k < kWidth; ++k) sum_.values[k] = Widen(values.values[k]);
    group_ = group;
    has_group_ = true;
    is_sum_ = false;
  }

  // Of num_inputs in all. REQUIRES: at least one was taken.
  GEEPS_HD Pack<T, kWidth> Reduce(uint32_t num_inputs, bool is_mean) {
    EndGroup();
    if (is_mean && num_inputs > 1) {
      const T divisor = static_cast<T>(num_inputs);
      GEEPS_UNROLL
      for (int k = 0; k < kWidth; ++k) total_.values[k] = cuda::Divide(total_.values[k], divisor);
    }
    return total_;
  }

 private:
  // The sum of several inputs, which might have travelled, is rounded to what travels.
  GEEPS_HD void EndGroup() {
    if (!has_group_) return;
    if (sizeof(H) != sizeof(T) && is_sum_) {
      GEEPS_UNROLL
      for (int k = 0; k < kWidth; ++k) {
        H rounded;
        cuda::Round(sum_.values[k], &rounded);
        sum_.values[k] = Widen(rounded);
      }
    }
    GEEPS_UNROLL
    for (int k = 0; k < kWidth; ++k) {
      total_.values[k] = has_total_ ? cuda::Add(total_.values[k], sum_.values[k]) : sum_.values[k];
    }
    has_total_ = true;
  }

  Pack<T, kWidth> total_ = {};
  Pack<T, kWidth> sum_ = {};
  uint32_t group_ = 0;
  bool has_group_ = false;
  bool is_sum_ = false;  // of more than one input
  bool has_total_ = false;
};

// The reduced contribution to kWidth values, `place` values behind the first of the segment. Several inputs are on
// their way at once.
template <typename T, typename H, int kWidth>
GEEPS_HD Pack<T, kWidth> FoldInputs(const ApplyInput* inputs, uint32_t num_inputs, uint64_t place, bool is_mean) {
  constexpr uint32_t kInFlight = 4;
  FoldSum<T, H, kWidth> sum;
  GEEPS_NO_UNROLL
  for (uint32_t first = 0; first < num_inputs; first += kInFlight) {
    Pack<H, kWidth> values[kInFlight] = {};
    GEEPS_UNROLL
    for (uint32_t i = 0; i < kInFlight; ++i) {
      if (first + i < num_inputs) values[i] = Load<Pack<H, kWidth>>(inputs[first + i].values + place * sizeof(H));
    }
    GEEPS_UNROLL
    for (uint32_t i = 0; i < kInFlight; ++i) {
      if (first + i < num_inputs) sum.Take(values[i], inputs[first + i].group);
    }
  }
  return sum.Reduce(num_inputs, is_mean);
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_FOLD_H_
