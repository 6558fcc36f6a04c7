// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/rule.h"

#include "runtime/table/lanes.h"

namespace geeps::table {
namespace {

// value = value + g.
template <typename T>
void StepAdd(uint64_t n, const T* /*params*/, const T* grad, const T* value_in, T* value_out, T* const* /*states*/) {
  AddLanes(n, value_in, grad, value_out);
}

// m = momentum * m + g; value = value - lr * m.
template <typename T>
void StepSgd(uint64_t n, const T* params, const T* grad, const T* value_in, T* value_out, T* const* states) {
  const T lr = params[0];
  const T momentum = params[1];
  T* const m = states[0];
  ForLanes<T>(n, [=]<typename V>(uint64_t i) {
    const V decayed = momentum * LoadLanes<V>(m + i);
    const V next = decayed + LoadLanes<V>(grad + i);
    const V change = lr * next;
    StoreLanes(m + i, next);
    StoreLanes(value_out + i, LoadLanes<V>(value_in + i) - change);
  });
}

constexpr UpdateRule kRules[] = {
    {RuleId::kAdd, "add", 0, {}, 0, false, StepAdd<float>, StepAdd<double>},
    {RuleId::kSgd, "sgd", 2, {{"lr", 0.01}, {"momentum", 0.0}}, 1, false, StepSgd<float>, StepSgd<double>},
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

}  // namespace geeps::table
