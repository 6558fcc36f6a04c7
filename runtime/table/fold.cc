// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/fold.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "runtime/table/half.h"
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

// H is the table's dtype, T the one that is summed in: float for the 16-bit dtypes, else the same.

// Values first .. first + n - 1 of an input: the input itself when nothing has to be widened, else in `widened`.
template <typename T, typename H>
const T* ValuesOf(const FoldInput& input, uint64_t first, uint64_t n, T* widened) {
  const H* const from = static_cast<const H*>(input.values) + first;
  if constexpr (std::is_same_v<T, H>) {
    return from;
  } else {
    ForLanes<T>(n, [=]<typename V>(uint64_t i) { StoreLanes(widened + i, LoadNumbers<V>(from + i)); });
    return widened;
  }
}

// sum[i] = left[i] + the input's value. `sum` may be `left`.
template <typename T, typename H>
void AddInput(const FoldInput& input, uint64_t first, uint64_t n, const T* left, T* sum) {
  const H* const from = static_cast<const H*>(input.values) + first;
  ForLanes<T>(n, [=]<typename V>(uint64_t i) {
    const V added = LoadLanes<V>(left + i) + LoadNumbers<V>(from + i);
    StoreLanes(sum + i, added);
  });
}

// The left fold of inputs[begin, end) at values first .. first + n - 1, rounded to H: the input itself or in `sum`.
template <typename T, typename H>
const T* FoldGroup(absl::Span<const FoldInput> inputs, size_t begin, size_t end, uint64_t first, uint64_t n, T* sum) {
  const T* left = ValuesOf<T, H>(inputs[begin], first, n, sum);
  if (end == begin + 1) return left;
  for (size_t i = begin + 1; i < end; ++i) {
    AddInput<T, H>(inputs[i], first, n, left, sum);
    left = sum;
  }
  if constexpr (!std::is_same_v<T, H>) {
    ForLanes<T>(n, [=]<typename V>(uint64_t i) {
      // NOLINTNEXTLINE(bugprone-sizeof-expression): V is T itself where a lane is one number
      alignas(16) H rounded[sizeof(V) / sizeof(T)];
      StoreNumbers(rounded, LoadLanes<V>(sum + i));
      StoreLanes(sum + i, LoadNumbers<V>(static_cast<const H*>(rounded)));
    });
  }
  return left;
}

// The fold over all groups, in T: in an input or in `block`.
template <typename T, typename H>
const T* FoldBlock(absl::Span<const FoldInput> inputs, uint64_t first, uint64_t n, Block<T>* block) {
  const T* total = nullptr;
  for (size_t begin = 0, end = 0; begin < inputs.size(); begin = end) {
    for (end = begin + 1; end < inputs.size() && inputs[end].group == inputs[begin].group;) ++end;
    if (total == nullptr) {
      total = FoldGroup<T, H>(inputs, begin, end, first, n, block->total);
    } else if (end == begin + 1) {
      AddInput<T, H>(inputs[begin], first, n, total, block->total);
      total = block->total;
    } else {
      const T* group = FoldGroup<T, H>(inputs, begin, end, first, n, block->group);
      AddLanes(n, total, group, block->total);
      total = block->total;
    }
  }
  return total;
}

// The fold, divided where the reduction says so.
template <typename T, typename H>
const T* ReduceBlock(absl::Span<const FoldInput> inputs, Reduce reduce, uint64_t first, uint64_t n, Block<T>* block) {
  const T* total = FoldBlock<T, H>(inputs, first, n, block);
  if (reduce == Reduce::kSum || inputs.size() == 1) return total;
  const T divisor = static_cast<T>(inputs.size());
  T* const mean = block->total;
  ForLanes<T>(n, [=]<typename V>(uint64_t i) { StoreLanes(mean + i, LoadLanes<V>(total + i) / divisor); });
  return mean;
}

// A reduced contribution: grad, or grad + addend.
template <typename T>
struct Reduced {
  const T* grad = nullptr;
  const T* addend = nullptr;
  Reduced At(uint64_t i) const { return {grad + i, addend != nullptr ? addend + i : nullptr}; }
};

// As ReduceBlock, but the last addition is left to the rule where it is the last operation: then a sum of two
// contributors needs no memory of its own.
template <typename T, typename H>
Reduced<T> ReduceForRule(absl::Span<const FoldInput> inputs, Reduce reduce, uint64_t first, uint64_t n,
                         Block<T>* block) {
  const size_t last = inputs.size() - 1;
  const bool ends_with_addition = last > 0 && reduce == Reduce::kSum && std::is_same_v<T, H> &&
                                  (last == 1 || inputs[last].group != inputs[last - 1].group);
  if (!ends_with_addition) return {ReduceBlock<T, H>(inputs, reduce, first, n, block), nullptr};
  return {FoldBlock<T, H>(inputs.first(last), first, n, block), static_cast<const T*>(inputs[last].values) + first};
}

// How many values are stepped at once: those of a block, or all when a built-in rule adds the inputs itself.
template <typename T, typename H>
uint64_t StepLength(absl::Span<const FoldInput> inputs, const FoldTarget& target, uint64_t num_values) {
  const bool in_rule =
      std::is_same_v<T, H> && (inputs.size() == 1 || (inputs.size() == 2 && target.reduce == Reduce::kSum));
  return in_rule && target.rule->id != RuleId::kPlugin ? num_values : kBlockValues;
}

// The factors of a rule in dtype T, those of the step count that was asked for last.
template <typename T>
class Factors {
 public:
  explicit Factors(const FoldTarget& target) : rule_(*target.rule), params_(target.params.data()) {}

  // [num_factors]
  const T* At(uint64_t steps) {
    if (is_set_ && steps == steps_) return values_;
    double exact[kMaxRuleFactors] = {};
    rule_.factors(params_, steps, exact);
    for (int i = 0; i < rule_.num_factors; ++i) values_[i] = static_cast<T>(exact[i]);
    steps_ = steps;
    is_set_ = true;
    return values_;
  }

 private:
  const UpdateRule& rule_;
  const double* const params_;
  bool is_set_ = false;
  uint64_t steps_ = 0;
  T values_[kMaxRuleFactors] = {};
};

// n values of the target from `first` on; without factors and sums.
template <typename T>
RulePiece<T> PieceAt(const FoldTarget& target, uint64_t first, uint64_t n, const Reduced<T>& reduced) {
  RulePiece<T> piece;
  piece.rule = target.rule;
  piece.num_values = n;
  piece.params = target.params.data();
  piece.grad = reduced.grad;
  piece.addend = reduced.addend;
  piece.value_in = static_cast<const T*>(target.value_in) + first;
  piece.value_out = static_cast<T*>(target.value_out) + first;
  for (int i = 0; i < target.rule->num_states; ++i) piece.states[i] = static_cast<T*>(target.states[i]) + first;
  return piece;
}

// What is published of the values that the rule has changed.
template <typename T, typename H>
void Publish(const FoldTarget& target, uint64_t first, uint64_t n) {
  if constexpr (!std::is_same_v<T, H>) {
    RoundNumbers(n, static_cast<const T*>(target.value_out) + first, static_cast<H*>(target.rounded_out) + first);
  }
}

// The rows do not matter: blocks of any values.
template <typename T, typename H>
void StepValues(uint64_t num_values, absl::Span<const FoldInput> inputs, const FoldTarget& target) {
  const RuleStep<T> step = StepOf<T>(*target.rule);
  Factors<T> factors(target);
  Block<T> block;
  const uint64_t length = StepLength<T, H>(inputs, target, num_values);
  for (uint64_t first = 0; first < num_values; first += length) {
    const uint64_t n = std::min(length, num_values - first);
    RulePiece<T> piece = PieceAt<T>(target, first, n, ReduceForRule<T, H>(inputs, target.reduce, first, n, &block));
    piece.factors = factors.At(0);
    step(piece);
    Publish<T, H>(target, first, n);
  }
}

// Rows count their steps: a block is summed at once and stepped in stretches of rows with the same count.
template <typename T, typename H>
void StepCountedRows(uint64_t num_values, absl::Span<const FoldInput> inputs, const FoldTarget& target) {
  const RuleStep<T> step = StepOf<T>(*target.rule);
  Factors<T> factors(target);
  Block<T> block;
  const uint64_t length = StepLength<T, H>(inputs, target, num_values);
  for (uint64_t first = 0; first < num_values; first += length) {
    const uint64_t n = std::min(length, num_values - first);
    const Reduced<T> reduced = ReduceForRule<T, H>(inputs, target.reduce, first, n, &block);
    const uint64_t end_row = (first + n - 1) / target.row_values + 1;
    for (uint64_t begin = 0, end = 0; begin < n; begin = end) {
      const uint64_t row = (first + begin) / target.row_values;
      uint64_t next_row = row + 1;
      while (next_row < end_row && target.steps[next_row] == target.steps[row]) ++next_row;
      end = std::min(n, next_row * target.row_values - first);
      RulePiece<T> piece = PieceAt<T>(target, first + begin, end - begin, reduced.At(begin));
      piece.factors = factors.At(target.steps[row]);
      step(piece);
    }
    Publish<T, H>(target, first, n);
  }
}

// Row by row, twice: the second time with what the first one has summed up.
template <typename T, typename H>
void StepAndFinishRows(uint64_t num_values, absl::Span<const FoldInput> inputs, const FoldTarget& target) {
  static_assert(kBlockValues == kRulePieceValues);
  const RuleStep<T> step = StepOf<T>(*target.rule);
  const RuleStep<T> finish = FinishOf<T>(*target.rule);
  Factors<T> factors(target);
  Block<T> block;
  alignas(64) T kept[kRulePieceValues];
  T* const one_piece = target.row_values <= kRulePieceValues ? kept : nullptr;
  for (uint64_t row = 0; row < num_values / target.row_values; ++row) {
    const T* const row_factors = factors.At(target.rule->counts_steps ? target.steps[row] : 0);
    const uint64_t end = (row + 1) * target.row_values;
    double sums[kMaxRuleSums] = {};
    for (uint64_t first = row * target.row_values; first < end; first += kRulePieceValues) {
      const uint64_t n = std::min(kRulePieceValues, end - first);
      RulePiece<T> piece = PieceAt<T>(target, first, n, ReduceForRule<T, H>(inputs, target.reduce, first, n, &block));
      piece.factors = row_factors;
      piece.sums = sums;
      piece.kept = one_piece;
      step(piece);
    }
    for (uint64_t first = row * target.row_values; first < end; first += kRulePieceValues) {
      const uint64_t n = std::min(kRulePieceValues, end - first);
      RulePiece<T> piece = PieceAt<T>(target, first, n, Reduced<T>());
      piece.factors = row_factors;
      piece.sums = sums;
      piece.kept = one_piece;
      finish(piece);
      Publish<T, H>(target, first, n);
    }
  }
}

template <typename T, typename H>
void FoldAndStepAs(uint64_t num_values, absl::Span<const FoldInput> inputs, const FoldTarget& target) {
  if (target.rule->counts_steps) {
    for (uint64_t row = 0; row < num_values / target.row_values; ++row) ++target.steps[row];
  }
  if (FinishOf<T>(*target.rule) != nullptr) {
    StepAndFinishRows<T, H>(num_values, inputs, target);
  } else if (target.rule->counts_steps) {
    StepCountedRows<T, H>(num_values, inputs, target);
  } else {
    StepValues<T, H>(num_values, inputs, target);
  }
}

template <typename T, typename H>
void FoldAs(uint64_t num_values, absl::Span<const FoldInput> inputs, Reduce reduce, void* out) {
  Block<T> block;
  for (uint64_t first = 0; first < num_values; first += kBlockValues) {
    const uint64_t n = std::min(kBlockValues, num_values - first);
    const T* total = ReduceBlock<T, H>(inputs, reduce, first, n, &block);
    RoundNumbers(n, total, static_cast<H*>(out) + first);
  }
}

// Calls fn.operator()<T, H>() for the table's dtype.
template <typename Fn>
void ForDType(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kF16:
      return fn.template operator()<float, F16>();
    case DType::kBf16:
      return fn.template operator()<float, Bf16>();
    case DType::kF32:
      return fn.template operator()<float, float>();
    case DType::kF64:
      return fn.template operator()<double, double>();
  }
}

}  // namespace

void FoldAndStep(DType dtype, uint64_t num_values, absl::Span<const FoldInput> inputs, const FoldTarget& target) {
  ForDType(dtype, [&]<typename T, typename H>() { FoldAndStepAs<T, H>(num_values, inputs, target); });
}

void Fold(DType dtype, uint64_t num_values, absl::Span<const FoldInput> inputs, Reduce reduce, void* out) {
  ForDType(dtype, [&]<typename T, typename H>() { FoldAs<T, H>(num_values, inputs, reduce, out); });
}

void AddInto(DType dtype, uint64_t num_values, const void* src, void* dst) {
  ForDType(dtype, [&]<typename T, typename H>() {
    AddNumbers<T>(num_values, static_cast<const H*>(dst), static_cast<const H*>(src), static_cast<H*>(dst));
  });
}

void WidenInto(DType dtype, uint64_t num_values, const void* src, void* dst) {
  ForDType(dtype, [&]<typename T, typename H>() {
    WidenNumbers<T>(num_values, static_cast<const H*>(src), static_cast<T*>(dst));
  });
}

void RoundInto(DType dtype, uint64_t num_values, const void* src, void* dst) {
  ForDType(dtype, [&]<typename T, typename H>() {
    RoundNumbers(num_values, static_cast<const T*>(src), static_cast<H*>(dst));
  });
}

}  // namespace geeps::table
