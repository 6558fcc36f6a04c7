// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/plugin_rules.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/device/plugin_rule.h"

namespace geeps::session {

absl::StatusOr<const table::UpdateRule*> PluginRules::Find(absl::string_view name_or_path) {
  GEEPS_ASSIGN_OR_RETURN(const std::string name, registry_->Load(name_or_path));
  if (const auto found = entries_.find(name); found != entries_.end()) return &found->second->rule;
  GEEPS_ASSIGN_OR_RETURN(const net::PluginRegistry::Interface plugin, registry_->GetInterface(name, GEEPS_RULE_ID));
  auto entry = std::make_unique<Entry>();
  entry->functions = {};
  uint32_t bytes = 0;
  std::memcpy(&bytes, plugin.table, sizeof(bytes));
  std::memcpy(&entry->functions, plugin.table, std::min<size_t>(bytes, sizeof(entry->functions)));
  entry->functions.struct_size = sizeof(entry->functions);
  absl::StatusOr<table::UpdateRule> rule = device::MakePluginRule(plugin.name, plugin.version, entry->functions);
  if (!rule.ok()) return Prefixed(rule.status(), absl::StrCat("plugin ", name, " ", plugin.version));
  entry->rule = *std::move(rule);
  const table::UpdateRule* const result = &entry->rule;
  entries_[name] = std::move(entry);
  return result;
}

}  // namespace geeps::session
