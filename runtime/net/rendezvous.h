// SPDX-License-Identifier: Apache-2.0
// Rendezvous: where the workers of a job meet, as an option says it; PortRange: where a worker may listen. What is
// checked here needs no network: literal addresses that are not loopback are refused, names are left to HostLookup.
// Thread contract: pure functions and plain structs.
#ifndef GEEPS_RUNTIME_NET_RENDEZVOUS_H_
#define GEEPS_RUNTIME_NET_RENDEZVOUS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace geeps::net {

// What every refusal of an address says.
inline constexpr char kNotLoopback[] = "is not a loopback address: refused until connections are authenticated";

struct Rendezvous {
  enum class Kind { kNone, kTcp, kInproc, kFile };
  Kind kind = Kind::kNone;
  std::string host;           // tcp: a literal loopback address, or a name
  bool host_is_name = false;  // tcp
  uint16_t port = 0;          // tcp
  std::string name;           // inproc
  std::string path;           // file
};

// Reads "tcp://HOST:PORT", "tcp://[V6]:PORT", "inproc://NAME", "file:///PATH" or "". "localhost" is 127.0.0.1.
// Errors: Invalid; kDenied: HOST is a literal address that is not loopback.
absl::StatusOr<Rendezvous> ParseRendezvous(absl::string_view text);

// True for a literal address within 127.0.0.0/8, or ::1.
bool IsLoopback(const std::string& address);
// Errors: Invalid: no literal address ("localhost" counts as one); kDenied: not loopback. Returns the literal.
absl::StatusOr<std::string> ParseLoopback(absl::string_view text);

struct PortRange {
  uint16_t low = 0;  // 0: the system chooses
  uint16_t high = 0;
};

// Reads "PORT" or "LOW-HIGH", 1 to 65535 each. Errors: Invalid; the text has no name of the option in it.
absl::StatusOr<PortRange> ParsePortRange(absl::string_view text);

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_RENDEZVOUS_H_
