// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/plugin_rule.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/base/status.h"
#include "runtime/device/abi_status.h"
#include "runtime/table/lanes.h"

namespace geeps::device {
namespace {

using table::ParamRange;
using table::RuleParam;
using table::RulePiece;
using table::UpdateRule;

constexpr size_t kParamNameMax = 31;

static_assert(GEEPS_RULE_PARAMS_MAX == table::kMaxRuleParams && GEEPS_RULE_STATES_MAX == table::kMaxRuleStates &&
              GEEPS_RULE_FACTORS_MAX == table::kMaxRuleFactors && GEEPS_RULE_SUMS == table::kMaxRuleSums &&
              GEEPS_RULE_PIECE_MAX == table::kRulePieceValues);
static_assert(GEEPS_RULE_ANY_NUMBER == static_cast<uint32_t>(ParamRange::kAny) &&
              GEEPS_RULE_NOT_NEGATIVE == static_cast<uint32_t>(ParamRange::kNotNegative) &&
              GEEPS_RULE_BELOW_ONE == static_cast<uint32_t>(ParamRange::kBelowOne));

template <typename... Args>
absl::Status DoesNotFit(const Args&... args) {
  return MakeStatus(Code::kAbi, absl::StrCat(args...));
}

// Without grad: nullptr in `finish`.
template <typename T>
geeps_rule_piece ToAbi(const RulePiece<T>& piece) {
  geeps_rule_piece to = {};
  to.struct_size = sizeof(to);
  to.num_values = static_cast<uint32_t>(piece.num_values);
  to.params = piece.params;
  to.factors = piece.factors;
  to.value = piece.value_out;
  std::copy(std::begin(piece.states), std::end(piece.states), to.states);
  to.sums = piece.sums;
  return to;
}

template <typename T>
void Step(const RulePiece<T>& piece) {
  geeps_rule_piece to = ToAbi(piece);
  T sum[table::kRulePieceValues];
  to.grad = piece.grad;
  if (piece.addend != nullptr) {
    table::AddLanes(piece.num_values, piece.grad, piece.addend, sum);
    to.grad = sum;
  }
  if (piece.value_out != piece.value_in) std::copy_n(piece.value_in, piece.num_values, piece.value_out);
  if constexpr (sizeof(T) == sizeof(double)) {
    piece.rule->functions->step_f64(&to);
  } else {
    piece.rule->functions->step_f32(&to);
  }
}

// `step` has left the values in value_out.
template <typename T>
void Finish(const RulePiece<T>& piece) {
  const geeps_rule_piece to = ToAbi(piece);
  if constexpr (sizeof(T) == sizeof(double)) {
    piece.rule->functions->finish_f64(&to);
  } else {
    piece.rule->functions->finish_f32(&to);
  }
}

void NoFactors(const double* /*params*/, uint64_t /*steps*/, double* /*factors*/) {}

absl::Status AskForParams(const UpdateRule& rule, const double* params) {
  geeps_error err = EmptyError();
  const geeps_status status = rule.functions->check_params(params, &err);
  if (status == GEEPS_OK) return absl::OkStatus();
  const absl::string_view reason(err.message, strnlen(err.message, sizeof(err.message)));
  return Invalid("rule ", rule.name, " refuses its parameters: ", reason.empty() ? "it gives no reason" : reason);
}

bool IsParamName(absl::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= kParamNameMax && std::all_of(name.begin(), name.end(), is_letter);
}

// Parameter `index` of the plugin, behind those that the rule has already.
absl::Status AddParam(const geeps_rule& functions, uint32_t index, UpdateRule* rule) {
  geeps_rule_param from;
  std::memcpy(&from, reinterpret_cast<const char*>(functions.params) + index * functions.param_stride, sizeof(from));
  if (from.name == nullptr || !IsParamName(from.name)) {
    return DoesNotFit("its rule has parameter ", index, " whose name is not 1 to ", kParamNameMax,
                      " of the letters a-z, 0-9 and _");
  }
  if (table::FindRuleParam(*rule, from.name) >= 0)
    return DoesNotFit("its rule has parameter ", index, " whose name ", from.name, " is another one's");
  if (from.range > GEEPS_RULE_BELOW_ONE)
    return DoesNotFit("its rule has parameter ", index, " whose range ", from.range, " this release does not know");
  if ((from.flags & ~GEEPS_RULE_REQUIRED) != 0) {
    return DoesNotFit("its rule has parameter ", index, " whose flags ", from.flags, " this release does not know");
  }
  RuleParam to = {from.name, from.initial, static_cast<ParamRange>(from.range),
                  (from.flags & GEEPS_RULE_REQUIRED) != 0};
  if (to.is_required) {
    to.initial = 0;
  } else if (!table::IsInRange(to.range, to.initial)) {
    return DoesNotFit("its rule has parameter ", index, " whose default ", to.initial, " is none of the ",
                      table::RangeText(to.range));
  }
  rule->params[rule->num_params++] = to;
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFunctions(const geeps_rule& functions) {
  const struct {
    const char* what;
    uint32_t count;
    uint32_t max;
  } counts[] = {{"parameters", functions.num_params, GEEPS_RULE_PARAMS_MAX},
                {"states", functions.num_states, GEEPS_RULE_STATES_MAX},
                {"factors", functions.num_factors, GEEPS_RULE_FACTORS_MAX}};
  for (const auto& each : counts) {
    if (each.count > each.max)
      return DoesNotFit("its rule has ", each.count, " ", each.what, "; at most ", each.max, " are possible");
  }
  if ((functions.flags & ~GEEPS_RULE_STEPS) != 0) {
    return DoesNotFit("its rule has flags ", functions.flags, "; this release knows ", GEEPS_RULE_STEPS, " alone");
  }
  if (functions.step_f32 == nullptr || functions.step_f64 == nullptr)
    return DoesNotFit("its rule has no step_f32 or no step_f64");
  if ((functions.finish_f32 == nullptr) != (functions.finish_f64 == nullptr)) {
    return DoesNotFit("its rule has one of finish_f32 and finish_f64, not both");
  }
  if (functions.num_factors > 0 && functions.factors == nullptr) {
    return DoesNotFit("its rule has ", functions.num_factors, " factors, but NULL in the slot factors");
  }
  return absl::OkStatus();
}

table::UpdateRule RuleOf(const geeps_rule& functions) {
  UpdateRule rule = {};
  rule.id = table::RuleId::kPlugin;
  rule.name = "";
  rule.version = "";
  rule.num_params = static_cast<int>(functions.num_params);
  rule.num_states = static_cast<int>(functions.num_states);
  rule.counts_steps = (functions.flags & GEEPS_RULE_STEPS) != 0;
  rule.num_factors = static_cast<int>(functions.num_factors);
  rule.factors = functions.num_factors > 0 ? functions.factors : NoFactors;
  rule.step_f32 = Step<float>;
  rule.step_f64 = Step<double>;
  if (functions.finish_f32 != nullptr) {
    rule.finish_f32 = Finish<float>;
    rule.finish_f64 = Finish<double>;
  }
  rule.functions = &functions;
  if (functions.check_params != nullptr) rule.check_params = AskForParams;
  return rule;
}

absl::StatusOr<table::UpdateRule> MakePluginRule(const char* name, const char* version, const geeps_rule& functions) {
  GEEPS_RETURN_IF_ERROR(CheckFunctions(functions));
  UpdateRule rule = RuleOf(functions);
  rule.name = name;
  rule.version = version;
  if (functions.num_params > 0 && functions.params == nullptr) {
    return DoesNotFit("its rule has ", functions.num_params, " parameters, but NULL in their place");
  }
  if (functions.num_params > 0 && functions.param_stride < sizeof(geeps_rule_param)) {
    return DoesNotFit("its rule has parameters ", functions.param_stride, " bytes apart, where each takes ",
                      sizeof(geeps_rule_param));
  }
  rule.num_params = 0;
  for (uint32_t i = 0; i < functions.num_params; ++i) GEEPS_RETURN_IF_ERROR(AddParam(functions, i, &rule));
  return rule;
}

}  // namespace geeps::device
