// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/rendezvous.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/status.h"

namespace geeps::net {
namespace {

constexpr size_t kHostNameMax = 253;  // RFC 1035
constexpr size_t kPathMax = 4000;     // below PATH_MAX, with room for the suffix of the file it is written to first

// inet_pton reads up to the first zero byte: what comes after one is no part of an address.
bool ToLiteral(int family, const std::string& address, void* out) {
  return address.find('\0') == std::string::npos && inet_pton(family, address.c_str(), out) == 1;
}

bool IsLiteral(const std::string& address) {
  in_addr v4;
  in6_addr v6;
  return ToLiteral(AF_INET, address, &v4) || ToLiteral(AF_INET6, address, &v6);
}

// Letters, digits, '-', '_' and '.', and at least one letter: "10.1" is a mistyped address, not a name.
bool IsHostName(absl::string_view text) {
  if (text.empty() || text.size() > kHostNameMax || text[0] == '-' || text[0] == '.') return false;
  const bool all = std::all_of(text.begin(), text.end(),
                               [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; });
  return all && std::any_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalpha(c); });
}

absl::Status ParseTcp(absl::string_view text, absl::string_view rest, Rendezvous* out) {
  const size_t colon = rest.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(colon + 1), &port) || port == 0 ||
      port > 65535) {
    return Invalid("rendezvous '", text, "' does not end in a port from 1 to 65535");
  }
  absl::string_view host = rest.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  out->kind = Rendezvous::Kind::kTcp;
  out->port = static_cast<uint16_t>(port);
  out->host = host == "localhost" ? "127.0.0.1" : std::string(host);
  out->host_is_name = !IsLiteral(out->host);
  if (out->host_is_name) {
    if (IsHostName(host)) return absl::OkStatus();
    return Invalid("rendezvous '", text, "': '", host, "' is neither a literal address nor the name of a host");
  }
  if (IsLoopback(out->host)) return absl::OkStatus();
  return MakeStatus(Code::kDenied, absl::StrCat("rendezvous '", text, "': ", host, " ", kNotLoopback));
}

absl::Status ParseFile(absl::string_view text, absl::string_view rest, Rendezvous* out) {
  if (rest.empty() || rest[0] != '/' || rest.back() == '/' || rest.size() > kPathMax ||
      rest.find('\0') != absl::string_view::npos) {
    return Invalid("rendezvous '", text, "': file:// wants the absolute path of a file, at most ", kPathMax,
                   " bytes long, as in file:///home/me/job");
  }
  out->kind = Rendezvous::Kind::kFile;
  out->path = std::string(rest);
  return absl::OkStatus();
}

bool ParsePort(absl::string_view text, uint16_t* out) {
  uint32_t port = 0;
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
  if (text.empty() || !digits || !absl::SimpleAtoi(text, &port) || port == 0 || port > 65535) return false;
  *out = static_cast<uint16_t>(port);
  return true;
}

}  // namespace

bool IsLoopback(const std::string& address) {
  in_addr v4;
  if (ToLiteral(AF_INET, address, &v4)) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return ToLiteral(AF_INET6, address, &v6) && IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::StatusOr<std::string> ParseLoopback(absl::string_view text) {
  const std::string literal = text == "localhost" ? "127.0.0.1" : std::string(text);
  if (!IsLiteral(literal)) return Invalid("'", text, "' is not a literal address, as 127.0.0.1 is one");
  if (!IsLoopback(literal)) return MakeStatus(Code::kDenied, absl::StrCat(text, " ", kNotLoopback));
  return literal;
}

absl::StatusOr<Rendezvous> ParseRendezvous(absl::string_view text) {
  Rendezvous rendezvous;
  absl::string_view rest = text;
  if (text.empty()) return rendezvous;
  if (absl::ConsumePrefix(&rest, "inproc://")) {
    if (rest.empty()) return Invalid("rendezvous '", text, "' has no name after inproc://");
    rendezvous.kind = Rendezvous::Kind::kInproc;
    rendezvous.name = std::string(rest);
  } else if (absl::ConsumePrefix(&rest, "tcp://")) {
    GEEPS_RETURN_IF_ERROR(ParseTcp(text, rest, &rendezvous));
  } else if (absl::ConsumePrefix(&rest, "file://")) {
    GEEPS_RETURN_IF_ERROR(ParseFile(text, rest, &rendezvous));
  } else {
    return Invalid("rendezvous '", text, "' begins with none of inproc://, tcp:// and file://");
  }
  return rendezvous;
}

absl::StatusOr<PortRange> ParsePortRange(absl::string_view text) {
  PortRange range;
  const size_t dash = text.find('-');
  const bool good = dash == absl::string_view::npos
                        ? ParsePort(text, &range.low) && ParsePort(text, &range.high)
                        : ParsePort(text.substr(0, dash), &range.low) && ParsePort(text.substr(dash + 1), &range.high);
  if (good && range.low <= range.high) return range;
  return Invalid("a port from 1 to 65535, or a range LOW-HIGH of them");
}

}  // namespace geeps::net
