// SPDX-License-Identifier: Apache-2.0
// Sockets of the control plane: the places where workers meet, and descriptors that do not survive a fork. A forked child that
// kept one open would hide the death of its parent until it ends itself.
// Thread contract: any thread for functions; objects by their owner.
#ifndef GEEPS_RUNTIME_NET_CONTROL_SOCKET_H_
#define GEEPS_RUNTIME_NET_CONTROL_SOCKET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace geeps::net {

// Owner of a descriptor; closed in forked children.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd);  // takes it over
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { Close(); }

  int fd() const { return fd_; }
  void Close();

 private:
  int fd_ = -1;
};

struct Rendezvous {
  enum class Kind { kNone, kTcp, kInproc };
  Kind kind = Kind::kNone;
  std::string host;    // tcp: a literal loopback address
  uint16_t port = 0;   // tcp
  std::string name;    // inproc
};

// Reads "tcp://HOST:PORT", "tcp://[V6]:PORT", "inproc://NAME" or "". Errors: Invalid; kDenied: HOST is not loopback.
absl::StatusOr<Rendezvous> ParseRendezvous(absl::string_view text);

// Where rank 0 hears of the others.
class Listener {
 public:
  virtual ~Listener() = default;
  // Becomes readable when Accept may return something.
  virtual int fd() const = 0;
  // Connections that have come since.
  virtual std::vector<Socket> Accept() = 0;
};

// Errors: IoError when the port cannot be had; WrongState when the name is taken in this process.
absl::StatusOr<std::unique_ptr<Listener>> Listen(const Rendezvous& rendezvous);

// One attempt, which does not wait: the socket may still be connecting (ConnectResult tells later).
// Errors: IoError or NotFound; worth another attempt.
absl::StatusOr<Socket> ConnectTo(const Rendezvous& rendezvous);
// OK once connected, the error when the attempt failed. REQUIRES: the socket is writable.
absl::Status ConnectResult(const Socket& socket);

// Two ends of one connection within the process.
absl::Status ConnectedPair(Socket* a, Socket* b);

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_CONTROL_SOCKET_H_
