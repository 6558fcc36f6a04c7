// SPDX-License-Identifier: Apache-2.0
// UpdateRule: what a keeper does with the reduced contribution g of one clock, row by row, as a small table of
// functions. Rules are written operation by operation and calculated in the accumulate dtype, so that every device
// gives the same bits.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_RULE_H_
#define GEEPS_RUNTIME_TABLE_RULE_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/table/dtype.h"

namespace geeps::table {

// The values are the codes of the ABI (GEEPS_RULE_ADD ..).
enum class RuleId : uint32_t {
  kAdd = 1,
  kSgd = 2,
};

inline constexpr int kMaxRuleParams = 8;
inline constexpr int kMaxRuleStates = 4;

struct RuleParam {
  const char* name;  // "lr"; in options "param.lr"
  double initial;
};

// One step of a rule for n values that lie side by side. `params` are already in dtype T. value_out may equal value_in,
// state arrays are read and written in place; grad overlaps none of them.
template <typename T>
using RuleStep = void (*)(uint64_t n, const T* params, const T* grad, const T* value_in, T* value_out,
                          T* const* states);

struct UpdateRule {
  RuleId id;
  const char* name;
  int num_params;
  RuleParam params[kMaxRuleParams];
  // Arrays of rule state, each shaped like the values, zero at the beginning.
  int num_states;
  // Each row counts the steps taken for it.
  bool counts_steps;
  RuleStep<float> step_f32;
  RuleStep<double> step_f64;
};

// All rules, by ascending id. Static.
absl::Span<const UpdateRule> AllRules();
// nullptr when there is none of that name or id.
const UpdateRule* FindRule(absl::string_view name);
const UpdateRule* FindRule(RuleId id);
// Position of a parameter, -1 when the rule has none of that name.
int FindRuleParam(const UpdateRule& rule, absl::string_view name);

template <typename T>
RuleStep<T> StepOf(const UpdateRule& rule);
template <>
inline RuleStep<float> StepOf<float>(const UpdateRule& rule) {
  return rule.step_f32;
}
template <>
inline RuleStep<double> StepOf<double>(const UpdateRule& rule) {
  return rule.step_f64;
}

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_RULE_H_
