// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/fold.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "runtime/table/lanes.h"

namespace geeps::table {
namespace {

// Values worked on at once: two sums of 8 KiB at most beside the inputs, values and state, in a level-1 cache of 32
// KiB.
constexpr uint64_t kBlockValues = 1024;

template <typename T>
struct Block {
  alignas(64) T total[kBlockValues];
  alignas(64) T group[kBlockValues];
};

template <typename T>
const T* ValuesOf(const FoldInput& input, uint64_t first) {
  return static_cast<const T*>(input.values) + first;
}

// The left fold of inputs[begin, end) at values first .. first + n - 1: the input itself when there is one, else in
// `sum`.
template <typename T>
const T* FoldGroup(absl::Span<const FoldInput> inputs, size_t begin, size_t end, uint64_t first, uint64_t n, T* sum) {
  const T* left = ValuesOf<T>(inputs[begin], first);
  for (size_t i = begin + 1; i < end; ++i) {
    AddLanes(n, left, ValuesOf<T>(inputs[i], first), sum);
    left = sum;
  }
  return left;
}

// The fold over all groups, likewise: in an input or in `block`.
template <typename T>
const T* FoldBlock(absl::Span<const FoldInput> inputs, uint64_t first, uint64_t n, Block<T>* block) {
  const T* total = nullptr;
  for (size_t begin = 0, end = 0; begin < inputs.size(); begin = end) {
    for (end = begin + 1; end < inputs.size() && inputs[end].group == inputs[begin].group;) ++end;
    if (total == nullptr) {
      total = FoldGroup(inputs, begin, end, first, n, block->total);
    } else {
      const T* group = FoldGroup(inputs, begin, end, first, n, block->group);
      AddLanes(n, total, group, block->total);
      total = block->total;
    }
  }
  return total;
}

// The fold, divided where the reduction says so.
template <typename T>
const T* ReduceBlock(absl::Span<const FoldInput> inputs, Reduce reduce, uint64_t first, uint64_t n, Block<T>* block) {
  const T* total = FoldBlock(inputs, first, n, block);
  if (reduce == Reduce::kSum || inputs.size() == 1) return total;
  const T divisor = static_cast<T>(inputs.size());
  T* const mean = block->total;
  ForLanes<T>(n, [=]<typename V>(uint64_t i) { StoreLanes(mean + i, LoadLanes<V>(total + i) / divisor); });
  return mean;
}

template <typename T>
void FoldAndStepAs(uint64_t num_values, absl::Span<const FoldInput> inputs, const FoldTarget& target) {
  const UpdateRule& rule = *target.rule;
  const RuleStep<T> step = StepOf<T>(rule);
  T params[kMaxRuleParams] = {};
  for (int i = 0; i < rule.num_params; ++i) params[i] = static_cast<T>(target.params[i]);
  const T* value_in = static_cast<const T*>(target.value_in);
  T* value_out = static_cast<T*>(target.value_out);
  Block<T> block;
  T* states[kMaxRuleStates] = {};
  for (uint64_t first = 0; first < num_values; first += kBlockValues) {
    const uint64_t n = std::min(kBlockValues, num_values - first);
    const T* grad = ReduceBlock(inputs, target.reduce, first, n, &block);
    for (int i = 0; i < rule.num_states; ++i) states[i] = static_cast<T*>(target.states[i]) + first;
    step(n, params, grad, value_in + first, value_out + first, states);
  }
}

template <typename T>
void FoldAs(uint64_t num_values, absl::Span<const FoldInput> inputs, Reduce reduce, T* out) {
  Block<T> block;
  for (uint64_t first = 0; first < num_values; first += kBlockValues) {
    const uint64_t n = std::min(kBlockValues, num_values - first);
    const T* total = ReduceBlock(inputs, reduce, first, n, &block);
    if (total != out + first) std::memcpy(out + first, total, n * sizeof(T));
  }
}

}  // namespace

void FoldAndStep(DType dtype, uint64_t num_values, absl::Span<const FoldInput> inputs, const FoldTarget& target) {
  if (dtype == DType::kF64) {
    FoldAndStepAs<double>(num_values, inputs, target);
  } else {
    FoldAndStepAs<float>(num_values, inputs, target);
  }
}

void Fold(DType dtype, uint64_t num_values, absl::Span<const FoldInput> inputs, Reduce reduce, void* out) {
  if (dtype == DType::kF64) {
    FoldAs(num_values, inputs, reduce, static_cast<double*>(out));
  } else {
    FoldAs(num_values, inputs, reduce, static_cast<float*>(out));
  }
}

void AddInto(DType dtype, uint64_t num_values, const void* src, void* dst) {
  if (dtype == DType::kF64) {
    double* const to = static_cast<double*>(dst);
    AddLanes(num_values, to, static_cast<const double*>(src), to);
  } else {
    float* const to = static_cast<float*>(dst);
    AddLanes(num_values, to, static_cast<const float*>(src), to);
  }
}

}  // namespace geeps::table
