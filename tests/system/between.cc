// SPDX-License-Identifier: Apache-2.0
#include "tests/system/between.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "runtime/movers/row_calls.h"
#include "runtime/net/control_wire.h"

namespace geeps::system_test {
namespace {

namespace wire = net::wire;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Asks again while rank 0 does not listen yet, as workers do.
int Connect(uint16_t port) {
  for (int i = 0; i < 2000; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(port);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    close(fd);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return -1;
}

bool Receive(int fd, char* to, size_t bytes) {
  while (bytes > 0) {
    const ssize_t got = recv(fd, to, bytes, 0);
    if (got <= 0) return false;
    to += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

bool Send(int fd, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t sent = send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += static_cast<size_t>(sent);
  }
  return true;
}

}  // namespace

Between::Between(uint16_t rank_0_port, Edit edit) : edit_(std::move(edit)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  const bool listens = bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       listen(listener_, 1) == 0 &&
                       getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  if (!listens) return;
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this, rank_0_port] { Run(rank_0_port); });
}

Between::~Between() {
  shutdown(listener_, SHUT_RDWR);  // a worker that never came
  if (thread_.joinable()) thread_.join();
  close(listener_);
}

void Between::Run(uint16_t rank_0_port) {
  const int worker = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (worker < 0) return;
  const int rank_0 = Connect(rank_0_port);
  if (rank_0 >= 0) {
    std::thread back([&] { Pass(rank_0, worker, false); });
    Pass(worker, rank_0, true);
    back.join();
    close(rank_0);
  }
  close(worker);
}

void Between::Pass(int from, int to, bool to_rank_0) {
  const int on = 1;
  setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (std::string frame(wire::kFrameHeaderBytes, 0); Receive(from, frame.data(), frame.size());
       frame.resize(wire::kFrameHeaderBytes)) {
    wire::FrameHeader header;
    if (!wire::DecodeFrameHeader(frame, wire::kBodyMax, &header).ok()) break;
    frame.resize(wire::kFrameHeaderBytes + header.body_bytes);
    if (!Receive(from, frame.data() + wire::kFrameHeaderBytes, header.body_bytes)) break;
    if (!Send(to, header.type == wire::Type::kRelay ? Edited(frame, to_rank_0) : frame)) break;
  }
  shutdown(to, SHUT_WR);
}

std::string Between::Edited(const std::string& frame, bool to_rank_0) const {
  wire::Relay relay;
  const bool is_rows = wire::Decode(absl::string_view(frame).substr(wire::kFrameHeaderBytes), &relay).ok() &&
                       relay.kind == movers::kRelayRows;
  if (!is_rows) return frame;
  std::string frames;
  for (std::string& message : edit_(to_rank_0, std::move(relay.bytes))) {
    relay.bytes = std::move(message);
    frames += wire::Frame(wire::Type::kRelay, wire::Encode(relay));
  }
  return frames;
}

}  // namespace geeps::system_test
