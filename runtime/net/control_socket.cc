// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/control_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "absl/strings/str_cat.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/base/waker.h"

namespace geeps::net {
namespace {

constexpr int kBacklog = 128;

// The descriptors to close in forked children. Process-wide because fork is.
class ForkGuard {
 public:
  static ForkGuard& Get() {
    static ForkGuard* const guard = new ForkGuard;
    return *guard;
  }
  void Add(int fd) {
    std::lock_guard<std::mutex> lock(mutex_);
    fds_.insert(fd);
  }
  void RemoveAndClose(int fd) {
    std::lock_guard<std::mutex> lock(mutex_);
    // In a forked child it is closed already, and the number may mean something else.
    if (fds_.erase(fd) != 0) close(fd);
  }

 private:
  ForkGuard() {
    pthread_atfork([] { Get().mutex_.lock(); }, [] { Get().mutex_.unlock(); },
                   [] {
                     ForkGuard& guard = Get();
                     for (const int fd : guard.fds_) close(fd);
                     guard.fds_.clear();
                     guard.mutex_.unlock();
                   });
  }

  std::mutex mutex_;  // not Mutex: it is held across fork, which no analysis follows
  std::set<int> fds_;
};

// Where the workers of one process find rank 0 by name.
class InprocListener final : public Listener {
 public:
  ~InprocListener() override {
    // One that was not registered leaves the registry alone: making it may have been what found no memory.
    if (name_.empty()) return;
    MutexLock lock(&Names().mutex);
    Names().listeners.erase(name_);
  }
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const std::string& name) {
    std::unique_ptr<InprocListener> listener(new InprocListener);
    GEEPS_RETURN_IF_ERROR(listener->waker_.Open());
    std::string own_name = name;
    MutexLock lock(&Names().mutex);
    if (!Names().listeners.emplace(name, listener.get()).second) {
      return WrongState("rendezvous inproc://", name, " is in use by another job of this process");
    }
    listener->name_ = std::move(own_name);  // what its destructor takes away
    return std::unique_ptr<Listener>(std::move(listener));
  }
  static absl::StatusOr<Socket> Connect(const std::string& name) {
    Socket own;
    Socket other;
    MutexLock lock(&Names().mutex);
    const auto it = Names().listeners.find(name);
    if (it == Names().listeners.end()) return NotFound("nobody waits at inproc://", name);
    GEEPS_RETURN_IF_ERROR(ConnectedPair(&own, &other));
    it->second->arrived_.push_back(std::move(other));
    it->second->waker_.Wake();
    return own;
  }

  int fd() const override { return waker_.fd(); }
  std::vector<Socket> Accept() override {
    MutexLock lock(&Names().mutex);
    waker_.Drain();
    return std::exchange(arrived_, {});
  }

 private:
  struct Registry {
    Mutex mutex;
    std::map<std::string, InprocListener*> listeners;
  };
  static Registry& Names() {
    static Registry* const registry = new Registry;
    return *registry;
  }

  std::string name_;
  Waker waker_;
  std::vector<Socket> arrived_;  // guarded by the registry's mutex
};

// REQUIRES: host is a literal address.
socklen_t ToSocketAddress(const std::string& host, uint16_t port, sockaddr_storage* out) {
  std::memset(out, 0, sizeof(*out));
  sockaddr_in in{};
  if (inet_pton(AF_INET, host.c_str(), &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(out, &in, sizeof(in));
    return sizeof(in);
  }
  sockaddr_in6 in6{};
  inet_pton(AF_INET6, host.c_str(), &in6.sin6_addr);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  std::memcpy(out, &in6, sizeof(in6));
  return sizeof(in6);
}

class TcpListener final : public Listener {
 public:
  explicit TcpListener(Socket socket) : socket_(std::move(socket)) {}
  int fd() const override { return socket_.fd(); }
  std::vector<Socket> Accept() override {
    std::vector<Socket> sockets;
    // Any error (descriptors run out, for one) leaves the rest in the backlog for a later call.
    for (int fd; (fd = accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      Socket socket(fd);
      sockets.push_back(std::move(socket));
    }
    return sockets;
  }

 private:
  Socket socket_;
};

absl::StatusOr<Socket> ListenAtPort(const std::string& host, uint16_t port) {
  sockaddr_storage name;
  const socklen_t length = ToSocketAddress(host, port, &name);
  Socket socket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (socket.fd() >= 0) setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (socket.fd() < 0 || bind(socket.fd(), reinterpret_cast<sockaddr*>(&name), length) != 0 ||
      listen(socket.fd(), kBacklog) != 0) {
    return IoError(errno, absl::StrCat("rank 0 cannot listen at ", host, " port ", port));
  }
  return socket;
}

uint16_t PortOf(const Socket& socket) {
  sockaddr_storage name{};
  socklen_t length = sizeof(name);
  getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&name)->sin_port
                                         : reinterpret_cast<sockaddr_in6*>(&name)->sin6_port);
}

}  // namespace

Socket::Socket(int fd) : fd_(fd) {
  if (fd_ < 0) return;
  const absl::Status guarded = CatchOutOfMemory([fd] {
    ForkGuard::Get().Add(fd);
    return absl::OkStatus();
  });
  if (guarded.ok()) return;
  close(std::exchange(fd_, -1));
  errno = ENOMEM;
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Socket::Close() {
  if (fd_ >= 0) ForkGuard::Get().RemoveAndClose(std::exchange(fd_, -1));
}

absl::StatusOr<std::unique_ptr<Listener>> ListenAtName(const std::string& name) { return InprocListener::Open(name); }

absl::StatusOr<std::unique_ptr<Listener>> ListenAtAddress(const std::string& host, PortRange ports, uint16_t* port) {
  absl::Status last;
  for (uint32_t candidate = ports.low; candidate <= ports.high; ++candidate) {
    absl::StatusOr<Socket> socket = ListenAtPort(host, static_cast<uint16_t>(candidate));
    if (socket.ok()) {
      *port = PortOf(*socket);
      return std::unique_ptr<Listener>(std::make_unique<TcpListener>(*std::move(socket)));
    }
    last = socket.status();
    if (DetailOf(last).native_code != EADDRINUSE) return last;
  }
  if (ports.low == ports.high) return last;
  return IoError(EADDRINUSE, absl::StrCat("rank 0 cannot listen at ", host, ": none of the ", ports.high - ports.low + 1,
                                          " ports ", ports.low, " to ", ports.high, " is free"));
}

absl::StatusOr<Socket> ConnectTo(const Place& place) {
  if (place.host.empty()) return InprocListener::Connect(place.name);
  sockaddr_storage name;
  const socklen_t length = ToSocketAddress(place.host, place.port, &name);
  Socket socket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd() < 0) return IoError(errno, "no socket");
  const int on = 1;
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(socket.fd(), reinterpret_cast<sockaddr*>(&name), length) != 0 && errno != EINPROGRESS && errno != EINTR) {
    return IoError(errno, absl::StrCat("cannot connect to ", place.host, " port ", place.port));
  }
  return socket;
}

absl::Status ConnectResult(const Socket& socket) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return IoError(error, "cannot connect");
  // Connecting to a free port of the ephemeral range may meet itself.
  sockaddr_storage own{};
  sockaddr_storage peer{};
  socklen_t own_length = sizeof(own);
  socklen_t peer_length = sizeof(peer);
  if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&own), &own_length) != 0 ||
      getpeername(socket.fd(), reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) {
    return IoError(errno, "cannot connect");
  }
  const bool is_ip = own.ss_family == AF_INET || own.ss_family == AF_INET6;
  if (is_ip && own_length == peer_length && std::memcmp(&own, &peer, own_length) == 0) return NotFound("nobody listens there");
  return absl::OkStatus();
}

absl::Status ConnectedPair(Socket* a, Socket* b) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) return IoError(errno, "no pair of sockets");
  *a = Socket(fds[0]);
  *b = Socket(fds[1]);
  return a->fd() < 0 || b->fd() < 0 ? OutOfMemory() : absl::OkStatus();
}

}  // namespace geeps::net
