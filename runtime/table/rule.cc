// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/rule.h"

#include <cmath>

#include "runtime/table/rule_kernels.h"

namespace geeps::table {
namespace {

constexpr RuleParam kBeta1 = {"beta1", 0.9, ParamRange::kBelowOne};
constexpr RuleParam kBeta2 = {"beta2", 0.999, ParamRange::kBelowOne};

constexpr RuleParam Rate(double initial) { return {"lr", initial, ParamRange::kAny}; }
constexpr RuleParam Eps(double initial) { return {"eps", initial, ParamRange::kNotNegative}; }
constexpr RuleParam Decay(double initial) { return {"weight_decay", initial, ParamRange::kNotNegative}; }
constexpr RuleParam Momentum() { return {"momentum", 0.0, ParamRange::kAny}; }

// The defaults are those of PyTorch's optimizers of these names; lamb's those of NVIDIA's implementation.
constexpr UpdateRule kRules[] = {
    {RuleId::kAdd, "add", 0, {}, 0, false, 0, NoFactors, StepAdd<float>, StepAdd<double>, nullptr, nullptr},
    {RuleId::kSgd,
     "sgd",
     2,
     {Rate(0.01), Momentum()},
     1,
     false,
     2,
     SgdFactors,
     StepSgd<float>,
     StepSgd<double>,
     nullptr,
     nullptr},
    {RuleId::kReplace,
     "replace",
     0,
     {},
     0,
     false,
     0,
     NoFactors,
     StepReplace<float>,
     StepReplace<double>,
     nullptr,
     nullptr},
    {RuleId::kAdam,
     "adam",
     5,
     {Rate(0.001), kBeta1, kBeta2, Eps(1e-8), Decay(0.0)},
     2,
     true,
     8,
     AdamFactors,
     StepAdam<float>,
     StepAdam<double>,
     nullptr,
     nullptr},
    {RuleId::kAdamW,
     "adamw",
     5,
     {Rate(0.001), kBeta1, kBeta2, Eps(1e-8), Decay(0.01)},
     2,
     true,
     8,
     AdamWFactors,
     StepAdamW<float>,
     StepAdamW<double>,
     nullptr,
     nullptr},
    {RuleId::kAdagrad,
     "adagrad",
     4,
     {Rate(0.01), Eps(1e-10), {"lr_decay", 0.0, ParamRange::kNotNegative}, Decay(0.0)},
     1,
     true,
     3,
     AdagradFactors,
     StepAdagrad<float>,
     StepAdagrad<double>,
     nullptr,
     nullptr},
    {RuleId::kRmsProp,
     "rmsprop",
     5,
     {Rate(0.01), {"alpha", 0.99, ParamRange::kBelowOne}, Eps(1e-8), Momentum(), Decay(0.0)},
     2,
     false,
     6,
     RmsPropFactors,
     StepRmsProp<float>,
     StepRmsProp<double>,
     nullptr,
     nullptr},
    {RuleId::kLamb,
     "lamb",
     5,
     {Rate(0.001), kBeta1, kBeta2, Eps(1e-6), Decay(0.01)},
     2,
     true,
     8,
     LambFactors,
     StepLamb<float>,
     StepLamb<double>,
     FinishLamb<float>,
     FinishLamb<double>},
};

}  // namespace

absl::Span<const UpdateRule> AllRules() { return kRules; }

const UpdateRule* FindRule(absl::string_view name) {
  for (const UpdateRule& rule : kRules) {
    if (name == rule.name) return &rule;
  }
  return nullptr;
}

const UpdateRule* FindRule(RuleId id) {
  for (const UpdateRule& rule : kRules) {
    if (id == rule.id) return &rule;
  }
  return nullptr;
}

int FindRuleParam(const UpdateRule& rule, absl::string_view name) {
  for (int i = 0; i < rule.num_params; ++i) {
    if (name == rule.params[i].name) return i;
  }
  return -1;
}

bool IsInRange(ParamRange range, double value) {
  if (!std::isfinite(value)) return false;
  if (range == ParamRange::kAny) return true;
  return value >= 0.0 && (range == ParamRange::kNotNegative || value < 1.0);
}

const char* RangeText(ParamRange range) {
  switch (range) {
    case ParamRange::kNotNegative:
      return "numbers from 0 on";
    case ParamRange::kBelowOne:
      return "numbers from 0 up to 1, 1 excluded";
    case ParamRange::kAny:
      break;
  }
  return "finite numbers";
}

}  // namespace geeps::table
