// SPDX-License-Identifier: Apache-2.0
// Config: the options of a runtime, parsed and checked. docs/options.md lists them. With the option launcher, options
// that were not given come from the environment of that launcher; nothing else reads the environment. Thread contract:
// pure, but for reading the environment.
#ifndef GEEPS_RUNTIME_SESSION_CONFIG_H_
#define GEEPS_RUNTIME_SESSION_CONFIG_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/base/log.h"
#include "runtime/net/rendezvous.h"

namespace geeps::session {

struct Config {
  std::string device = "host";
  uint64_t device_memory = 0;  // bytes; 0: what there is
  std::string transport;       // "inproc", "tcp", or the path of a plugin
  uint32_t rank = 0;
  uint32_t world = 1;
  std::string rendezvous;  // empty: alone
  std::string advertise;  // where peers find this worker: a literal loopback address; empty: what the transport chooses
  std::string port;       // "PORT" or "LOW-HIGH", where the transport listens; empty: the transport chooses
  net::PortRange rendezvous_ports;  // rank 0 with a rendezvous file
  uint64_t first_clock = 0;
  uint64_t start_limit_s = 60;
  uint64_t heartbeat_ms = 10000;
  uint64_t wait_warning_ms = 10000;  // 0: no warning
  LogLevel log_level = LogLevel::kWarning;
  std::string plugin_path;
  std::string trace;         // file; empty: none
  std::string stats;         // the same
  std::string skipped_wait;  // test.skip_wait: a wait of the movers to leave out, to prove that the tests notice
};

inline constexpr uint32_t kWorldMax = 4096;

// Errors: Invalid, naming the key and what would be right; kDenied: a literal address that is not loopback.
absl::StatusOr<Config> ParseConfig(absl::Span<const std::pair<absl::string_view, absl::string_view>> options);

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_CONFIG_H_
