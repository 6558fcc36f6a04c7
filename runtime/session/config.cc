// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/config.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/byte_count.h"
#include "runtime/base/status.h"
#include "runtime/session/launcher.h"

namespace geeps::session {
namespace {

// So that no job comes near the largest number.
constexpr uint64_t kFirstClockMax = uint64_t{1} << 63;

constexpr const char* kKeys[] = {
    "device",          "transport", "rank",          "world",           "rendezvous",   "launcher",
    "advertise",       "port",      "start_limit_s", "rendezvous_port", "heartbeat_ms", "trace",
    "wait_warning_ms", "log_level", "plugin_path",   "test.skip_wait",  "stats",        "first_clock",
    "device_memory",
};

absl::Status ReadNumber(const OptionValues& values, const char* key, uint64_t min, uint64_t max, uint64_t* out) {
  const auto found = values.find(key);
  if (found == values.end()) return absl::OkStatus();
  uint64_t number = 0;
  const auto& [text, source] = found->second;
  if (!absl::SimpleAtoi(text, &number) || number < min || number > max) {
    return Invalid(source, " = '", text, "': a whole number from ", min, " to ", max);
  }
  *out = number;
  return absl::OkStatus();
}

absl::Status ReadBytes(const OptionValues& values, const char* key, uint64_t* out) {
  const auto found = values.find(key);
  if (found == values.end() || ParseByteCount(found->second.text, out)) return absl::OkStatus();
  return Invalid(found->second.source, " = '", found->second.text,
                 "': a number of bytes from 1 to 2^62, or with KiB, MiB, GiB or TiB behind it");
}

absl::Status ReadLogLevel(const OptionValues& values, LogLevel* out) {
  const auto found = values.find("log_level");
  if (found == values.end()) return absl::OkStatus();
  static constexpr const char* kNames[] = {"error", "warning", "info", "debug"};
  for (int i = 0; i < 4; ++i) {
    if (found->second.text == kNames[i]) {
      *out = static_cast<LogLevel>(i + 1);
      return absl::OkStatus();
    }
  }
  return Invalid(found->second.source, " = '", found->second.text, "': error, warning, info or debug");
}

void ReadText(const OptionValues& values, const char* key, std::string* out) {
  const auto found = values.find(key);
  if (found != values.end()) *out = found->second.text;
}

absl::Status ReadPorts(const OptionValues& values, const char* key, net::PortRange* out) {
  const auto found = values.find(key);
  if (found == values.end()) return absl::OkStatus();
  const absl::StatusOr<net::PortRange> range = net::ParsePortRange(found->second.text);
  if (!range.ok()) return Invalid(found->second.source, " = '", found->second.text, "': ", range.status().message());
  *out = *range;
  return absl::OkStatus();
}

absl::Status ReadAdvertise(const OptionValues& values, std::string* out) {
  const auto found = values.find("advertise");
  if (found == values.end()) return absl::OkStatus();
  absl::StatusOr<std::string> literal = net::ParseLoopback(found->second.text);
  if (!literal.ok()) return Prefixed(literal.status(), found->second.source);
  *out = *std::move(literal);
  return absl::OkStatus();
}

// Where the workers meet, and what follows from it for what was not said.
absl::Status ReadRendezvous(const OptionValues& values, Config* config) {
  using Kind = net::Rendezvous::Kind;
  ReadText(values, "rendezvous", &config->rendezvous);
  const absl::StatusOr<net::Rendezvous> rendezvous = net::ParseRendezvous(config->rendezvous);
  if (!rendezvous.ok()) {
    const OptionValue& value = values.at("rendezvous");
    return value.source == "option rendezvous" ? rendezvous.status() : Prefixed(rendezvous.status(), value.source);
  }
  if (rendezvous->kind == Kind::kNone && config->world > 1) {
    return Invalid("option rendezvous is missing: ", config->world,
                   " workers must meet at inproc://NAME, tcp://HOST:PORT or file:///PATH");
  }
  if (values.count("rendezvous_port") > 0 && rendezvous->kind != Kind::kFile) {
    return Invalid("option rendezvous_port is for a rendezvous file:///PATH; the rendezvous is '", config->rendezvous,
                   "'");
  }
  const bool in_process = rendezvous->kind == Kind::kNone || rendezvous->kind == Kind::kInproc;
  if (config->transport.empty()) config->transport = in_process ? "inproc" : "tcp";
  if (config->transport == "inproc" && !in_process) {
    return Invalid("option transport = inproc needs a rendezvous inproc://NAME, not '", config->rendezvous, "'");
  }
  for (const char* const key : {"advertise", "port"}) {
    if (config->transport == "inproc" && values.count(key) > 0) {
      return Invalid("option ", key, ": the transport inproc has no address; it joins runtimes of one process");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Config> ParseConfig(absl::Span<const std::pair<absl::string_view, absl::string_view>> options) {
  OptionValues values;
  for (const auto& [key, value] : options) {
    const bool known = std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
    if (!known) return Invalid("unknown option '", key, "'; docs/options.md lists them");
    const OptionValue given{std::string(value), absl::StrCat("option ", key)};
    if (!values.emplace(std::string(key), given).second) return Invalid("option ", key, " is given twice");
  }
  GEEPS_RETURN_IF_ERROR(AddLauncherValues([](const char* variable) { return std::getenv(variable); }, &values));
  Config config;
  uint64_t rank = 0;
  uint64_t world = 1;
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "world", 1, kWorldMax, &world));
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "rank", 0, world - 1, &rank));
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "first_clock", 0, kFirstClockMax, &config.first_clock));
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "start_limit_s", 1, 86400, &config.start_limit_s));
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "heartbeat_ms", 10, 3600000, &config.heartbeat_ms));
  GEEPS_RETURN_IF_ERROR(ReadNumber(values, "wait_warning_ms", 0, 3600000, &config.wait_warning_ms));
  GEEPS_RETURN_IF_ERROR(ReadBytes(values, "device_memory", &config.device_memory));
  GEEPS_RETURN_IF_ERROR(ReadLogLevel(values, &config.log_level));
  config.rank = static_cast<uint32_t>(rank);
  config.world = static_cast<uint32_t>(world);
  ReadText(values, "device", &config.device);
  ReadText(values, "transport", &config.transport);
  GEEPS_RETURN_IF_ERROR(ReadAdvertise(values, &config.advertise));
  net::PortRange port;
  GEEPS_RETURN_IF_ERROR(ReadPorts(values, "port", &port));
  ReadText(values, "port", &config.port);
  GEEPS_RETURN_IF_ERROR(ReadPorts(values, "rendezvous_port", &config.rendezvous_ports));
  ReadText(values, "plugin_path", &config.plugin_path);
  ReadText(values, "trace", &config.trace);
  ReadText(values, "stats", &config.stats);
  ReadText(values, "test.skip_wait", &config.skipped_wait);
  GEEPS_RETURN_IF_ERROR(ReadRendezvous(values, &config));
  return config;
}

}  // namespace geeps::session
