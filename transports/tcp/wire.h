// SPDX-License-Identifier: Apache-2.0
// What travels on a TCP connection of this transport: a greeting from the side that connects, an answer, then frames. All sizes
// are fixed or bounded by constants, all numbers little endian.
// Thread contract: pure functions and plain structs.
#ifndef GEEPS_TRANSPORTS_TCP_WIRE_H_
#define GEEPS_TRANSPORTS_TCP_WIRE_H_

#include <netinet/in.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "geeps_transport.h"

namespace geeps::tcp {

static_assert(std::endian::native == std::endian::little, "the structs below are the wire format");

inline constexpr uint32_t kVersion = 2;
inline constexpr uint64_t kGreetingMagic = 0x31544850'53504547ull;  // "GEPSPHT1"
inline constexpr uint64_t kAnswerMagic = 0x31415048'53504547ull;    // "GEPSHPA1"
inline constexpr uint32_t kAddressMagic = 0x31415447;               // "GTA1"
inline constexpr uint32_t kFrameMagic = 0x464d5047;                 // "GPMF"
inline constexpr size_t kJobMax = 256;

// Where an endpoint listens. `endpoint` is random: a process that later listens on the same port is not taken for it.
struct Address {
  uint32_t magic = kAddressMagic;
  uint16_t family = 0;  // 4 or 6
  uint16_t port = 0;
  uint8_t ip[16] = {};
  uint64_t endpoint = 0;
};
static_assert(sizeof(Address) == 32);

struct Greeting {
  uint64_t magic = kGreetingMagic;
  uint32_t version = kVersion;
  uint32_t job_bytes = 0;
  uint64_t endpoint = 0;  // whom the connection is meant for
  uint32_t rank = 0;
  uint32_t private_bytes = 0;
  char job[kJobMax] = {};
  uint8_t private_data[GEEPS_TP_PRIVATE_MAX] = {};
  uint32_t reserved = 0;
  uint32_t crc = 0;       // of everything before it
};
static_assert(sizeof(Greeting) == 552);

struct Answer {
  uint64_t magic = kAnswerMagic;
  uint32_t version = kVersion;
  int32_t status = 0;     // GEEPS_OK: accepted
  uint32_t reserved = 0;
  uint32_t crc = 0;       // of everything before it
};
static_assert(sizeof(Answer) == 24);

inline constexpr uint16_t kFrameMessage = 1;
inline constexpr uint16_t kFrameClose = 2;  // the sender closed in order; nothing follows

// Before every message. The message header follows, then the payload, then, when there is payload, its CRC32C, begun with `crc`.
// The struct has a checksum of its own: a length that is wrong would make the reader wait for bytes that nobody sends.
struct FrameHeader {
  uint32_t magic = kFrameMagic;
  uint32_t slot = 0;
  uint16_t type = kFrameMessage;
  uint16_t header_bytes = 0;
  uint32_t crc = 0;       // of this struct with crc 0, then of the message header
  uint64_t payload_bytes = 0;
  uint32_t sequence = 0;  // per direction, from 0, modulo 2^32
  uint32_t head_crc = 0;  // of this struct with both checksums 0
};
static_assert(sizeof(FrameHeader) == 32);
inline constexpr size_t kTrailerBytes = 4;

uint32_t ChecksumOf(const Greeting& greeting);
uint32_t ChecksumOf(const Answer& answer);
uint32_t HeadChecksumOf(FrameHeader frame);
uint32_t ChecksumOf(FrameHeader frame, const void* header);

// NULL when the greeting is good for `endpoint` and `job`; else why not, with the status for it.
const char* CheckGreeting(const Greeting& greeting, uint64_t endpoint, const std::string& job, geeps_status* status);

// Reads an address blob. False when it is not one.
bool DecodeAddress(const void* blob, uint64_t bytes, Address* out);

// Converts between an Address and what the socket calls take. Returns the length of *out.
socklen_t ToSocketAddress(const Address& address, sockaddr_storage* out);
void FromSocketAddress(const sockaddr_storage& from, Address* out);

// 127.0.0.0/8 or ::1.
bool IsLoopback(const Address& address);
// Reads a literal address of either family; "localhost" is 127.0.0.1. False when it is none.
bool ParseLiteral(const char* text, Address* out);
// Reads "0" (the system chooses), "PORT" or "LOW-HIGH". False when it is none of them.
bool ParsePorts(const char* text, uint16_t* low, uint16_t* high);

}  // namespace geeps::tcp

#endif  // GEEPS_TRANSPORTS_TCP_WIRE_H_
