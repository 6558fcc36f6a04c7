// SPDX-License-Identifier: Apache-2.0
// PluginRules: the update rules that plugins have brought to one runtime. Thread contract: Find one thread at a time;
// what it returns is constant.
#ifndef GEEPS_RUNTIME_SESSION_PLUGIN_RULES_H_
#define GEEPS_RUNTIME_SESSION_PLUGIN_RULES_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "geeps_rule.h"
#include "runtime/net/plugin.h"
#include "runtime/table/rule.h"

namespace geeps::session {

class PluginRules {
 public:
  // registry outlives this.
  explicit PluginRules(net::PluginRegistry* registry) : registry_(registry) {}

  // The rule of a plugin, which is loaded when it is not loaded yet. Lives as long as this does.
  // Errors: those of PluginRegistry; kAbi for a rule that does not fit.
  absl::StatusOr<const table::UpdateRule*> Find(absl::string_view name_or_path);

 private:
  struct Entry {
    geeps_rule functions;  // as long as this host knows it: what an older plugin lacks is NULL
    table::UpdateRule rule;
  };

  net::PluginRegistry* const registry_;
  std::map<std::string, std::unique_ptr<Entry>> entries_;  // by name of the plugin
};

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_PLUGIN_RULES_H_
