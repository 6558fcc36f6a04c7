// SPDX-License-Identifier: Apache-2.0
// The fold: contributions of one clock become one reduced contribution, which the rule applies, in a single pass. The
// order of the sum is canonical, hence its bits: groups of consecutive ranks, a left fold in rank order inside a group,
// then a left fold over the groups. A sum starts with its first contributor's values, never from zero (-0.0 + 0.0 would
// lose a sign), and absent contributors are skipped. Sums are in the accumulate dtype; the sum of a group, which may
// travel, is rounded to the table's dtype. Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_FOLD_H_
#define GEEPS_RUNTIME_TABLE_FOLD_H_

#include <cstdint>

#include "absl/types/span.h"
#include "runtime/table/dtype.h"
#include "runtime/table/rule.h"

namespace geeps::table {

// The values are the codes of the ABI (GEEPS_REDUCE_SUM ..).
enum class Reduce : uint32_t {
  kSum = 1,
  kMean = 2,
};

// One contributor's values for the rows at hand.
struct FoldInput {
  const void* values = nullptr;  // [num_values], the table's dtype, aligned to it
  uint32_t group = 0;            // ascending; equal groups are summed first
};

// Where one step of the rule happens. Value and state pointers are those of the first value at hand.
struct FoldTarget {
  const UpdateRule* rule = nullptr;
  Reduce reduce = Reduce::kSum;
  // Values of one row, for rules that look at rows: those that count steps, those with a `finish`. Others take any.
  uint64_t row_values = 1;
  uint64_t* steps = nullptr;       // [rows at hand] of a rule that counts them; one more afterwards
  const void* value_in = nullptr;  // accumulate dtype, as the states
  void* value_out = nullptr;       // may equal value_in, else no overlap
  void* rounded_out = nullptr;     // a dtype with masters: receives value_out in the table's dtype
  void* states[kMaxRuleStates] = {};
  absl::Span<const double> params;  // [rule->num_params]
};

// Sums `inputs` and takes one step of the rule for num_values values of a table of `dtype`. Every input is read once,
// values and state are read and written once (rules with a `finish`: read twice). REQUIRES: inputs are not empty, in
// rank order; none overlaps the target; whole rows where the rule looks at rows.
void FoldAndStep(DType dtype, uint64_t num_values, absl::Span<const FoldInput> inputs, const FoldTarget& target);

// The sum alone, in `dtype`, written to `out` (which may be the values of inputs[0], else overlaps none).
// REQUIRES: inputs are not empty, in rank order.
void Fold(DType dtype, uint64_t num_values, absl::Span<const FoldInput> inputs, Reduce reduce, void* out);

// dst[i] = dst[i] + src[i]: later updates of a clock on top of the first.
void AddInto(DType dtype, uint64_t num_values, const void* src, void* dst);

// dst[i] = src[i], from the accumulate dtype of `dtype` to it.
void RoundInto(DType dtype, uint64_t num_values, const void* src, void* dst);
// dst[i] = src[i], from `dtype` to its accumulate dtype: exact.
void WidenInto(DType dtype, uint64_t num_values, const void* src, void* dst);

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_FOLD_H_
