// SPDX-License-Identifier: Apache-2.0
#include "tests/system/frames.h"

#include <sys/socket.h>

#include <cstring>

#include "runtime/net/control_wire.h"
#include "transports/tcp/wire.h"

namespace geeps::system_test {
namespace {

namespace wire = net::wire;

// Appends `bytes` from the socket.
bool Read(int fd, size_t bytes, std::string* to) {
  const size_t begin = to->size();
  to->resize(begin + bytes);
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = recv(fd, to->data() + begin + done, bytes - done, 0);
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

std::string ReadExactly(int fd, size_t bytes) {
  std::string whole;
  return Read(fd, bytes, &whole) ? whole : "";
}

tcp::FrameHeader DataHeader(const std::string& frame) {
  tcp::FrameHeader header;
  std::memcpy(&header, frame.data(), sizeof header);
  return header;
}

bool Decode(const std::string& frame, wire::Hello* hello, tcp::Address* address) {
  const bool is_hello = ControlType(frame) == static_cast<uint16_t>(wire::Type::kHello) &&
                        wire::Decode(absl::string_view(frame).substr(wire::kFrameHeaderBytes), hello).ok();
  if (!is_hello || hello->worker.address.size() != sizeof *address) return false;
  std::memcpy(address, hello->worker.address.data(), sizeof *address);
  return address->magic == tcp::kAddressMagic;
}

}  // namespace

std::string ReadControlFrame(int fd) {
  std::string frame;
  wire::FrameHeader header;
  const bool whole = Read(fd, wire::kFrameHeaderBytes, &frame) &&
                     wire::DecodeFrameHeader(frame, wire::kBodyMax, &header).ok() &&
                     Read(fd, header.body_bytes, &frame);
  return whole ? frame : "";
}

std::string ReadGreeting(int fd) { return ReadExactly(fd, sizeof(tcp::Greeting)); }
std::string ReadAnswer(int fd) { return ReadExactly(fd, sizeof(tcp::Answer)); }

std::string ReadDataFrame(int fd) {
  std::string frame;
  if (!Read(fd, sizeof(tcp::FrameHeader), &frame)) return "";
  const tcp::FrameHeader header = DataHeader(frame);
  const uint64_t trailer = header.payload_bytes == 0 ? 0 : tcp::kTrailerBytes;
  return Read(fd, header.header_bytes + header.payload_bytes + trailer, &frame) ? frame : "";
}

bool WriteAll(int fd, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t sent = send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += static_cast<size_t>(sent);
  }
  return true;
}

size_t ControlHeaderBytes() { return wire::kFrameHeaderBytes; }
size_t DataHeaderBytes() { return sizeof(tcp::FrameHeader); }
size_t MessageHeaderBytes(const std::string& data_frame) { return DataHeader(data_frame).header_bytes; }

uint16_t ControlType(const std::string& frame) {
  wire::FrameHeader header;
  return wire::DecodeFrameHeader(frame, wire::kBodyMax, &header).ok() ? static_cast<uint16_t>(header.type) : 0;
}

bool IsBeat(const std::string& control_frame) {
  return ControlType(control_frame) == static_cast<uint16_t>(wire::Type::kBeat);
}

bool IsGoodbye(const std::string& control_frame) {
  protocol::Go go;
  return ControlType(control_frame) == static_cast<uint16_t>(wire::Type::kGo) &&
         wire::Decode(absl::string_view(control_frame).substr(wire::kFrameHeaderBytes), &go).ok() &&
         go.kind == protocol::FenceKind::kShutdown;
}

bool ReadHello(const std::string& frame, uint32_t* rank, uint16_t* port) {
  wire::Hello hello;
  tcp::Address address;
  if (!Decode(frame, &hello, &address)) return false;
  *rank = hello.worker.rank;
  *port = address.port;
  return true;
}

std::string HelloWithPort(const std::string& frame, uint16_t port) {
  wire::Hello hello;
  tcp::Address address;
  if (!Decode(frame, &hello, &address)) return frame;
  address.port = port;
  hello.worker.address.assign(reinterpret_cast<const char*>(&address), sizeof address);
  return wire::Frame(wire::Type::kHello, wire::Encode(hello));
}

uint32_t RankOfGreeting(const std::string& greeting) {
  tcp::Greeting decoded;
  std::memcpy(&decoded, greeting.data(), sizeof decoded);
  return decoded.rank;
}

}  // namespace geeps::system_test
