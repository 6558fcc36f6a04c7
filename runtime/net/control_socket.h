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
#include "runtime/net/rendezvous.h"

namespace geeps::net {

// Owner of a descriptor; closed in forked children.
class Socket {
 public:
  Socket() = default;
  // Takes it over. When there is no memory for that it is closed, and errno is ENOMEM.
  explicit Socket(int fd);
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { Close(); }

  int fd() const { return fd_; }
  void Close();

 private:
  int fd_ = -1;
};

// Where rank 0 listens: a name within the process, or an address and port.
struct Place {
  std::string name;  // inproc
  std::string host;  // tcp: a literal address; empty: inproc
  uint16_t port = 0;
};

// Where rank 0 hears of the others.
class Listener {
 public:
  virtual ~Listener() = default;
  // Becomes readable when Accept may return something.
  virtual int fd() const = 0;
  // Connections that have come since.
  virtual std::vector<Socket> Accept() = 0;
};

// Errors: WrongState when the name is taken in this process.
absl::StatusOr<std::unique_ptr<Listener>> ListenAtName(const std::string& name);
// At the first port of the range that is free; *port receives it. Errors: IoError with the ports that were tried.
absl::StatusOr<std::unique_ptr<Listener>> ListenAtAddress(const std::string& host, PortRange ports, uint16_t* port);

// One attempt, which does not wait: a tcp socket may still be connecting (ConnectResult tells later).
// Errors: IoError or NotFound; worth another attempt.
absl::StatusOr<Socket> ConnectTo(const Place& place);
// OK once connected, the error when the attempt failed. REQUIRES: the socket is writable.
absl::Status ConnectResult(const Socket& socket);

// Two ends of one connection within the process.
absl::Status ConnectedPair(Socket* a, Socket* b);

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_CONTROL_SOCKET_H_
