// SPDX-License-Identifier: Apache-2.0
// UpdateRule: what a keeper does with the reduced contribution g of one clock, row by row, as a small table of
// functions. docs/rules.md defines each rule operation by operation; every device gives the same bits.
//
// A step of a rule has three parts. `factors` turns parameters and step count into scalars: f64, each rounded once to
// the accumulate dtype. `step` walks over values that lie side by side, in the accumulate dtype. A rule that needs to
// know something about its whole row first sums it up in `step` and changes the values in `finish`, a second walk over
// the row.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_RULE_H_
#define GEEPS_RUNTIME_TABLE_RULE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/table/dtype.h"

struct geeps_rule;  // include/geeps_rule.h: what a plugin brings. Not looked into here

namespace geeps::table {

// The values are the codes of the ABI (GEEPS_RULE_ADD ..).
enum class RuleId : uint32_t {
  kAdd = 1,
  kSgd = 2,
  kReplace = 3,
  kAdam = 4,
  kAdamW = 5,
  kAdagrad = 6,
  kRmsProp = 7,
  kLamb = 8,
  kPlugin = 0xffffffff,  // every rule that a plugin brings
};

inline constexpr int kMaxRuleParams = 8;
inline constexpr int kMaxRuleStates = 4;
inline constexpr int kMaxRuleFactors = 8;
inline constexpr int kMaxRuleSums = 2;
// Rows that are summed up are walked over in pieces of so many values, from the first one on; the last may be shorter.
inline constexpr uint64_t kRulePieceValues = 1024;

// Which finite numbers a parameter may be.
enum class ParamRange : uint8_t {
  kAny,
  kNotNegative,
  kBelowOne,  // 0 <= x < 1
};

struct RuleParam {
  const char* name;  // "lr"; in options "param.lr"
  double initial;
  ParamRange range;
  bool is_required = false;  // the options of a table must give it
};

struct UpdateRule;

// Values that lie side by side, of rows with the same step count.
template <typename T>
struct RulePiece {
  const UpdateRule* rule = nullptr;
  uint64_t num_values = 0;
  const T* factors = nullptr;      // [kMaxRuleFactors], num_factors of them from the rule
  const double* params = nullptr;  // [num_params]
  const T* grad = nullptr;         // the reduced contribution; overlaps nothing else; nullptr in `finish`
  const T* addend = nullptr;       // where not nullptr, g = grad + addend: the last sum of the fold, left to the rule
  const T* value_in = nullptr;     // the values before the step
  T* value_out = nullptr;          // those behind it; may equal value_in
  T* states[kMaxRuleStates] = {};  // read and written in place
  double* sums = nullptr;          // [kMaxRuleSums] of the row: zero before its first piece
  T* kept = nullptr;               // where not nullptr: memory for num_values that `finish` finds as `step` left it
};
template <typename T>
using RuleStep = void (*)(const RulePiece<T>& piece);

struct UpdateRule {
  RuleId id;
  const char* name;
  int num_params;
  RuleParam params[kMaxRuleParams];
  // Arrays of rule state, each shaped like the values, zero at the beginning.
  int num_states;
  // Each row counts the steps taken for it, and `factors` depends on the count.
  bool counts_steps;
  int num_factors;
  // steps: those taken for the row, this one included; 0 where the rule does not count.
  void (*factors)(const double* params, uint64_t steps, double* factors);
  RuleStep<float> step_f32;
  RuleStep<double> step_f64;
  // Both or none. With them `step` leaves value_out alone, and every piece is of one row.
  RuleStep<float> finish_f32;
  RuleStep<double> finish_f64;

  // What only rules of plugins have.
  const char* version = "";
  const geeps_rule* functions = nullptr;
  // nullptr, or: whether parameters that are in their ranges go together. [num_params]
  absl::Status (*check_params)(const UpdateRule& rule, const double* params) = nullptr;
};

// All built-in rules, by ascending id. Static.
absl::Span<const UpdateRule> AllRules();
// A built-in rule. nullptr when there is none of that name or id.
const UpdateRule* FindRule(absl::string_view name);
const UpdateRule* FindRule(RuleId id);
// Position of a parameter, -1 when the rule has none of that name.
int FindRuleParam(const UpdateRule& rule, absl::string_view name);
// False for infinities and NaN, too.
bool IsInRange(ParamRange range, double value);
// "numbers from 0 up to 1, 1 excluded"; static.
const char* RangeText(ParamRange range);

// Whether parameters that are in their ranges go together. Errors: Invalid, with the rule's reason.
inline absl::Status CheckTogether(const UpdateRule& rule, const double* params) {
  return rule.check_params == nullptr ? absl::OkStatus() : rule.check_params(rule, params);
}

template <typename T>
RuleStep<T> StepOf(const UpdateRule& rule) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return rule.step_f64;
  } else {
    return rule.step_f32;
  }
}
template <typename T>
RuleStep<T> FinishOf(const UpdateRule& rule) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return rule.finish_f64;
  } else {
    return rule.finish_f32;
  }
}

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_RULE_H_
