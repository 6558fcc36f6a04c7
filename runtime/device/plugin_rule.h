// SPDX-License-Identifier: Apache-2.0
// The functions of a rule that a plugin brings (geeps.rule/1) in the shape of the built-in rules, so that one road
// serves both. Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_DEVICE_PLUGIN_RULE_H_
#define GEEPS_RUNTIME_DEVICE_PLUGIN_RULE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "geeps_rule.h"
#include "runtime/table/rule.h"

namespace geeps::device {

// Whether this host can call them: counts within the limits, flags that it knows, no function missing. Errors: kAbi.
absl::Status CheckFunctions(const geeps_rule& functions);

// The rule without name, version and parameters: what a step needs. It points to `functions`.
// REQUIRES: CheckFunctions is ok.
table::UpdateRule RuleOf(const geeps_rule& functions);

// The whole rule. It points to `functions`, to the texts given here and to the names of the plugin's parameters.
// Errors: kAbi, also for bad parameters: their names, ranges and defaults.
absl::StatusOr<table::UpdateRule> MakePluginRule(const char* name, const char* version, const geeps_rule& functions);

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_PLUGIN_RULE_H_
