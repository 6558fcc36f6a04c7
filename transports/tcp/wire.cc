// SPDX-License-Identifier: Apache-2.0
#include "transports/tcp/wire.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>
#include <system_error>

#include "transports/tcp/crc32c.h"

namespace geeps::tcp {

uint32_t ChecksumOf(const Greeting& greeting) { return crc32c::Extend(0, &greeting, offsetof(Greeting, crc)); }

uint32_t ChecksumOf(const Answer& answer) { return crc32c::Extend(0, &answer, offsetof(Answer, crc)); }

uint32_t HeadChecksumOf(FrameHeader frame) {
  frame.crc = frame.head_crc = 0;
  return crc32c::Extend(0, &frame, sizeof(frame));
}

uint32_t ChecksumOf(FrameHeader frame, const void* header) {
  frame.crc = 0;
  return crc32c::Extend(crc32c::Extend(0, &frame, sizeof(frame)), header, frame.header_bytes);
}

const char* CheckGreeting(const Greeting& greeting, uint64_t endpoint, const std::string& job, geeps_status* status) {
  *status = GEEPS_E_DATA;
  if (greeting.magic != kGreetingMagic) return "it does not speak this protocol";
  if (greeting.version != kVersion) {
    *status = GEEPS_E_ABI;
    return "it speaks another version of this protocol";
  }
  if (greeting.crc != ChecksumOf(greeting)) return "its greeting is damaged";
  if (greeting.job_bytes > kJobMax || greeting.private_bytes > GEEPS_TP_PRIVATE_MAX) return "its greeting is malformed";
  *status = GEEPS_E_MISMATCH;
  if (greeting.job_bytes != job.size() || std::memcmp(greeting.job, job.data(), job.size()) != 0) {
    return "it belongs to another job";
  }
  if (greeting.endpoint != endpoint) return "it looks for an endpoint that was here before";
  *status = GEEPS_OK;
  return nullptr;
}

bool DecodeAddress(const void* blob, uint64_t bytes, Address* out) {
  Address address;
  if (blob == nullptr || bytes != sizeof(address)) return false;
  std::memcpy(&address, blob, sizeof(address));
  if (address.magic != kAddressMagic || (address.family != 4 && address.family != 6) || address.port == 0) return false;
  *out = address;
  return true;
}

socklen_t ToSocketAddress(const Address& address, sockaddr_storage* out) {
  std::memset(out, 0, sizeof(*out));
  if (address.family == 4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, address.ip, 4);
    std::memcpy(out, &in, sizeof(in));
    return sizeof(in);
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(address.port);
  std::memcpy(&in6.sin6_addr, address.ip, 16);
  std::memcpy(out, &in6, sizeof(in6));
  return sizeof(in6);
}

void FromSocketAddress(const sockaddr_storage& from, Address* out) {
  std::memset(out->ip, 0, sizeof(out->ip));
  if (from.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &from, sizeof(in));
    out->family = 4;
    out->port = ntohs(in.sin_port);
    std::memcpy(out->ip, &in.sin_addr, 4);
    return;
  }
  sockaddr_in6 in6;
  std::memcpy(&in6, &from, sizeof(in6));
  out->family = 6;
  out->port = ntohs(in6.sin6_port);
  std::memcpy(out->ip, &in6.sin6_addr, 16);
}

bool IsLoopback(const Address& address) {
  if (address.family == 4) return address.ip[0] == 127;
  static constexpr uint8_t kLoopback6[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return std::memcmp(address.ip, kLoopback6, sizeof(kLoopback6)) == 0;
}

bool ParsePorts(const char* text, uint16_t* low, uint16_t* high) {
  uint32_t numbers[2] = {0, 0};
  int num = 0;
  const char* next = text;
  for (; num < 2; ++num) {
    const char* const end = text + std::strlen(text);
    const std::from_chars_result read = std::from_chars(next, end, numbers[num]);
    if (read.ec != std::errc() || numbers[num] > 65535) return false;
    next = read.ptr;
    if (*next != '-' || num == 1) break;
    ++next;
  }
  if (*next != '\0') return false;
  if (num == 0) numbers[1] = numbers[0];
  if (num == 1 && (numbers[0] == 0 || numbers[0] > numbers[1])) return false;
  *low = static_cast<uint16_t>(numbers[0]);
  *high = static_cast<uint16_t>(numbers[1]);
  return true;
}

bool ParseLiteral(const char* text, Address* out) {
  if (std::strcmp(text, "localhost") == 0) text = "127.0.0.1";
  std::memset(out->ip, 0, sizeof(out->ip));
  if (inet_pton(AF_INET, text, out->ip) == 1) {
    out->family = 4;
    return true;
  }
  if (inet_pton(AF_INET6, text, out->ip) == 1) {
    out->family = 6;
    return true;
  }
  return false;
}

}  // namespace geeps::tcp
