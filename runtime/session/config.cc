// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/config.h"

#include <cstdlib>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "runtime/base/status.h"

namespace geeps::session {
namespace {

using Values = std::map<std::string, std::string>;

struct Key {
  const char* name;
  const char* variable;  // of the launcher's environment; nullptr: none
};

constexpr Key kKeys[] = {
    {"device", nullptr},        {"transport", "GEEPS_TRANSPORT"},   {"rank", "GEEPS_RANK"},
    {"world", "GEEPS_WORLD"},   {"rendezvous", "GEEPS_RENDEZVOUS"}, {"launcher", nullptr},
    {"start_limit_s", nullptr}, {"heartbeat_ms", nullptr},          {"log_level", "GEEPS_LOG_LEVEL"},
    {"plugin_path", nullptr},   {"test.skip_wait", nullptr},
};

absl::Status ReadEnvironment(Values* values) {
  const auto launcher = values->find("launcher");
  if (launcher == values->end() || launcher->second == "none") return absl::OkStatus();
  if (launcher->second != "geeps") return Invalid("option launcher = '", launcher->second, "': none or geeps");
  for (const Key& key : kKeys) {
    if (key.variable == nullptr || values->count(key.name) > 0) continue;
    const char* const value = std::getenv(key.variable);
    if (value != nullptr) (*values)[key.name] = value;
  }
  return absl::OkStatus();
}

absl::Status ReadNumber(const Values& values, const char* key, uint64_t min, uint64_t max, uint64_t* out) {
  const auto found = values.find(key);
  if (found == values.end()) return absl::OkStatus();
  uint64_t number = 0;
  if (!absl::SimpleAtoi(found->second, &number) || number < min || number > max) {
    return Invalid("option ", key, " = '", found->second, "': a whole number from ", min, " to ", max);
  }
  *out = number;
  return absl::OkStatus();
}

absl::Status ReadLogLevel(const Values& values, LogLevel* out) {
  const auto found = values.find("log_level");
  if (found == values.end()) return absl::OkStatus();
  static constexpr const char* kNames[] = {"error", "warning", "info", "debug"};
  for (int i = 0; i < 4; ++i) {
    if (found->second == kNames[i]) {
      *out = static_cast<LogLevel>(i + 1);
      return absl::OkStatus();
    }
  }
  return Invalid("option log_level = '", found->second, "': error, warning, info or debug");
}

void ReadText(const Values& values, const char* key, std::string* out) {
  const auto found = values.find(key);
  if (found != values.end()) *out = found->second;
}

// What was not said follows from how the workers meet.
absl::Status ChooseTransport(Config* config) {
  const bool by_name = absl::StartsWith(config->rendezvous, "inproc://");
  if (!config->rendezvous.empty() && !by_name && !absl::StartsWith(config->rendezvous, "tcp://")) {
    return Invalid("option rendezvous = '", config->rendezvous, "': inproc://NAME or tcp://HOST:PORT");
  }
  if (config->rendezvous.empty() && config->world > 1) {
    return Invalid("option rendezvous is missing: ", config->world,
                   " workers must meet at inproc://NAME or tcp://HOST:PORT");
  }
  if (config->transport.empty()) config->transport = config->rendezvous.empty() || by_name ? "inproc" : "tcp";
  if (config->transport == "inproc" && !config->rendezvous.empty() && !by_name) {
    return Invalid("option transport = inproc needs a rendezvous inproc://NAME, not '", config->rendezvous, "'");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Config> ParseConfig(absl::Span<const std::pair<absl::string_view, absl::string_view>> options) {
  Values values;
  for (const auto& [key, value] : options) {
    bool known = false;
    for (const Key& candidate : kKeys) known = known || key == candidate.name;
    if (!known) return Invalid("unknown option '", key, "'; docs/options.md lists them");
    if (!values.emplace(std::string(key), std::string(value)).second) return Invalid("option ", key, " is given twice");
  }
  GEEPS_RETURN_IF_ERROR(ReadEnvironment(&values));
  Config config;
  uint64_t rank = 0;
  uint64_t world = 1;
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "world", 1, kWorldMax, &world));
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "rank", 0, world - 1, &rank));
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "start_limit_s", 1, 86400, &config.start_limit_s));
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "heartbeat_ms", 10, 3600000, &config.heartbeat_ms));
  GEEPS_RETURN_IF_ERROR(ReadLogLevel(values, &config.log_level));
  config.rank = static_cast<uint32_t>(rank);
  config.world = static_cast<uint32_t>(world);
  ReadText(values, "device", &config.device);
  ReadText(values, "transport", &config.transport);
  ReadText(values, "rendezvous", &config.rendezvous);
  ReadText(values, "plugin_path", &config.plugin_path);
  ReadText(values, "test.skip_wait", &config.skipped_wait);
  GEEPS_RETURN_IF_ERROR(ChooseTransport(&config));
  return config;
}

}  // namespace geeps::session
