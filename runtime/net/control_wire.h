// SPDX-License-Identifier: Apache-2.0
// Messages of the control plane and their encoding: frames of a fixed header and a body, little endian, length-prefixed texts.
// Everything read is checked against limits before memory is taken for it; a frame that is wrong in any bit is refused.
// Thread contract: pure functions and plain structs.
#ifndef GEEPS_RUNTIME_NET_CONTROL_WIRE_H_
#define GEEPS_RUNTIME_NET_CONTROL_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "runtime/protocol/coordinator.h"

namespace geeps::net::wire {

inline constexpr uint16_t kVersion = 2;               // a peer with another one is refused, naming both
inline constexpr uint32_t kMagic = 0x4c545047;        // "GPTL"
inline constexpr size_t kMagicBytes = sizeof(kMagic);
// Magic, version, type, body bytes, sequence, CRC32C of the body, CRC32C of all that: a length is believed only when it is
// whole, since a wrong one would make the reader wait for bytes that nobody sends.
inline constexpr size_t kFrameHeaderBytes = 24;
inline constexpr uint32_t kBodyMax = 64u << 20;       // bytes of a body once welcome
inline constexpr uint32_t kGreetingMax = 4096;        // bytes of a HELLO's body: all that is read from a stranger
inline constexpr uint32_t kTextMax = 4096;            // bytes of a cause's or suspicion's text; longer ones are cut
inline constexpr uint32_t kAddressMax = 512;          // bytes of a transport address
inline constexpr uint32_t kNameMax = 256;             // bytes of host, job and transport names
inline constexpr uint32_t kWorldMax = 4096;

enum class Type : uint16_t {
  kHello = 1,   // worker: who I am
  kRefused,     // coordinator: why not; it closes
  kWelcome,     // coordinator: all are here
  kBeat,        // both: alive, with the iteration clock
  kEnter,       // worker: I stand at a fence
  kGo,          // coordinator: all stand there and agree
  kFail,        // coordinator: they do not; nothing changed
  kFetch,       // coordinator: digests differ, show me the lines; no body
  kLines,       // worker: the lines
  kSuspect,     // worker: evidence against a worker
  kBye,         // worker: this ends the job
  kDown,        // coordinator: the verdict
  kRelay,       // both: bytes from a worker to a worker
  kStranger,    // coordinator: not of the job you look for; no body; it closes
};

// HELLO with the name of the job and, from a rendezvous file, its nonce; the coordinator's host compares both.
struct Hello {
  uint64_t nonce = 0;  // 0: not known
  std::string job;
  protocol::Hello worker;
};

struct Beat {
  uint64_t clock = 0;
};

struct Suspect {
  uint32_t rank = 0;
  std::string text;
};

struct Relay {
  uint32_t src = 0;   // set by the coordinator
  uint32_t dst = 0;
  uint32_t kind = 0;  // the session's
  std::string bytes;
};

struct FrameHeader {
  Type type = Type::kBeat;
  uint32_t body_bytes = 0;
  uint32_t sequence = 0;  // per direction of a connection, from 0, modulo 2^32
  uint32_t body_crc = 0;
};

// A whole frame. REQUIRES: the body is at most kBodyMax bytes long (texts are cut, lists are the caller's to check).
std::string Frame(Type type, absl::string_view body, uint32_t sequence = 0);

// Sends strangers away at the first wrong word. Errors: BadData. REQUIRES: bytes holds kMagicBytes.
absl::Status CheckMagic(absl::string_view bytes);
// Checks magic, version, checksum, type and length (at most body_max). Errors: BadData with the numbers; kAbi for another
// version.
// REQUIRES: bytes holds kFrameHeaderBytes.
absl::Status DecodeFrameHeader(absl::string_view bytes, uint32_t body_max, FrameHeader* out);
// Errors: BadData when the checksum of the body is wrong.
absl::Status CheckBody(const FrameHeader& header, absl::string_view body);

std::string Encode(const Hello& message);
std::string Encode(const protocol::Welcome& message);
std::string Encode(const Beat& message);
std::string Encode(const protocol::Enter& message);
std::string Encode(const protocol::Go& message);
std::string Encode(const std::vector<protocol::DeclarationLine>& lines);
std::string Encode(const Suspect& message);
std::string Encode(const Relay& message);
std::string Encode(const protocol::Cause& cause);  // REFUSED, FAIL, BYE and DOWN

// Each reads a whole body. Errors: BadData; `out` is written on success only.
absl::Status Decode(absl::string_view body, Hello* out);
absl::Status Decode(absl::string_view body, protocol::Welcome* out);
absl::Status Decode(absl::string_view body, Beat* out);
absl::Status Decode(absl::string_view body, protocol::Enter* out);
absl::Status Decode(absl::string_view body, protocol::Go* out);
absl::Status Decode(absl::string_view body, std::vector<protocol::DeclarationLine>* out);
absl::Status Decode(absl::string_view body, Suspect* out);
absl::Status Decode(absl::string_view body, Relay* out);
absl::Status Decode(absl::string_view body, protocol::Cause* out);

// Between the struct that travels and the status that the runtime latches. REQUIRES: status is an error.
protocol::Cause CauseOf(const absl::Status& status);
absl::Status StatusOf(const protocol::Cause& cause);

}  // namespace geeps::net::wire

#endif  // GEEPS_RUNTIME_NET_CONTROL_WIRE_H_
