// SPDX-License-Identifier: Apache-2.0
#include "tests/system/between.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "runtime/movers/row_calls.h"
#include "runtime/net/control_wire.h"
#include "tests/system/frames.h"
#include "tools/geeps/free_port.h"

namespace geeps::system_test {
namespace {

// A stalled connection holds little: the sender sees its socket full soon.
constexpr int kBufferBytes = 64 << 10;
constexpr std::chrono::milliseconds kRetry(10);
constexpr int kRetriesMax = 2000;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int NewSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int bytes = kBufferBytes;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

int Connect(uint16_t port) {
  const int fd = NewSocket();
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// The descriptor stays valid for the thread that may be reading from it: this breaks a connection and makes none. Asked
// of the kernel directly, for the library's connect counts as the making of the descriptor, which nobody may use
// meanwhile.
void Reset(int fd) {
  sockaddr nowhere = {};
  nowhere.sa_family = AF_UNSPEC;
  syscall(SYS_connect, fd, &nowhere, sizeof nowhere);
}

// A test's environment without ports or descriptors is no result of the test.
void GiveUp(const char* why) {
  std::perror(why);
  std::_Exit(3);
}

}  // namespace

Between::Between(Edit edit) : edit_(std::move(edit)) {
  wake_fd_ = eventfd(0, EFD_CLOEXEC);
  rank_0_port_ = tool::FindFreeLoopbackPort().value_or(0);
  if (wake_fd_ < 0 || rank_0_port_ == 0) GiveUp("Between");
  doors_.push_back(Open(LinkKind::kControl, rank_0_port_, 0));
  acceptor_ = std::thread([this] { Accept(); });
}

Between::~Between() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    over_ = true;
    for (const Connection& connection : connections_) {
      for (const int fd : connection.fds) {
        if (fd >= 0) shutdown(fd, SHUT_RDWR);
      }
    }
  }
  changed_.notify_all();
  WakeAcceptor();
  acceptor_.join();
  for (Connection& connection : connections_) {
    connection.thread.join();
    for (const int fd : connection.fds) {
      if (fd >= 0) close(fd);
    }
  }
  for (const Door& door : doors_) close(door.fd);
  close(wake_fd_);
}

std::string Between::RendezvousOf(uint32_t rank) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return "tcp://127.0.0.1:" + std::to_string(rank == 0 ? rank_0_port_ : doors_[0].port);
}

Between::Door Between::Open(LinkKind kind, uint16_t behind, uint32_t rank) {
  Door door{kind, NewSocket(), 0, behind, rank};
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  const bool listens = bind(door.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       listen(door.fd, 64) == 0 &&
                       getsockname(door.fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  if (!listens) GiveUp("Between listens");
  door.port = ntohs(address.sin_port);
  return door;
}

void Between::WakeAcceptor() const {
  const uint64_t one = 1;
  if (write(wake_fd_, &one, sizeof one) < 0) GiveUp("Between wakes");
}

void Between::Accept() {
  for (;;) {
    std::vector<Door> doors;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (over_) return;
      doors = doors_;
    }
    std::vector<pollfd> polls{{wake_fd_, POLLIN, 0}};
    for (const Door& door : doors) polls.push_back({door.fd, POLLIN, 0});
    poll(polls.data(), polls.size(), -1);
    uint64_t count = 0;
    if (polls[0].revents != 0 && read(wake_fd_, &count, sizeof count) < 0) GiveUp("Between");
    for (size_t i = 0; i < doors.size(); ++i) {
      const int fd = polls[i + 1].revents == 0 ? -1 : accept4(doors[i].fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const std::lock_guard<std::mutex> lock(mutex_);
      connections_.emplace_back();
      Connection* const connection = &connections_.back();
      connection->door = doors[i];
      connection->fds[0] = fd;
      connection->thread = std::thread([this, connection] { Serve(connection); });
      if (over_) shutdown(fd, SHUT_RDWR);
    }
  }
}

void Between::Serve(Connection* connection) {
  const Door& door = connection->door;
  const int front = connection->fds[0];
  std::string first = ReadFrame(*connection, front, true);
  if (first.empty()) return;
  uint32_t rank = 0;
  if (door.kind == LinkKind::kControl) {
    first = Redirected(first, &rank);
  } else {
    rank = RankOfGreeting(first);
  }
  // Rank 0 may not listen yet.
  int back = -1;
  for (int i = 0; i < kRetriesMax && (back = Connect(door.behind)) < 0; ++i) {
    if (!Rest(kRetry)) return;
  }
  if (back < 0) {
    shutdown(front, SHUT_RDWR);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    connection->fds[1] = back;
    if (over_) shutdown(back, SHUT_RDWR);
  }
  std::thread other([&] { Pass(connection, {door.kind, door.rank, rank}, back, ""); });
  Pass(connection, {door.kind, rank, door.rank}, front, std::move(first));
  other.join();
}

std::string Between::Redirected(const std::string& hello, uint32_t* rank) {
  uint16_t port = 0;
  if (!ReadHello(hello, rank, &port)) return hello;
  const std::lock_guard<std::mutex> lock(mutex_);
  doors_.push_back(Open(LinkKind::kData, port, *rank));
  WakeAcceptor();
  return HelloWithPort(hello, doors_.back().port);
}

std::string Between::ReadFrame(const Connection& connection, int from, bool is_first) const {
  if (connection.door.kind == LinkKind::kControl) return ReadControlFrame(from);
  if (!is_first) return ReadDataFrame(from);
  return from == connection.fds[0] ? ReadGreeting(from) : ReadAnswer(from);
}

void Between::Pass(Connection* connection, Way way, int from, std::string frame) {
  const int to = connection->fds[from == connection->fds[0] ? 1 : 0];
  if (frame.empty()) frame = ReadFrame(*connection, from, true);
  while (!frame.empty() && Forward(connection, way, from, std::move(frame))) {
    frame = ReadFrame(*connection, from, false);
  }
  shutdown(to, SHUT_WR);
}

bool Between::Forward(Connection* connection, const Way& way, int from, std::string frame) {
  const int to = connection->fds[from == connection->fds[0] ? 1 : 0];
  const Passage passage = edit_(way, std::move(frame));
  if (passage.late.count() > 0 && !Rest(passage.late)) return false;
  for (const std::string& bytes : passage.writes) {
    if (!WriteAll(to, bytes)) return false;
  }
  switch (passage.then) {
    case Passage::Then::kGoOn:
      return true;
    case Passage::Then::kStall:
      Rest(std::chrono::hours(24));
      return false;
    case Passage::Then::kEnd:
      for (const int fd : connection->fds) shutdown(fd, SHUT_RDWR);
      return false;
    case Passage::Then::kReset:
      for (const int fd : connection->fds) Reset(fd);
      return false;
  }
  return false;
}

bool Between::Rest(std::chrono::microseconds time) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return over_; });
}

namespace {

// Re-frames a direction of the control connection: its frames change in number.
struct RowEditor {
  std::function<std::vector<std::string>(bool, std::string)> change;
  std::array<std::atomic<uint32_t>, 2> sequence{};  // by direction

  std::string Framed(const Way& way, net::wire::Type type, const std::string& body) {
    return net::wire::Frame(type, body, sequence[way.to == 0 ? 1 : 0].fetch_add(1));
  }
  Passage Edit(const Way& way, const std::string& frame) {
    if (way.kind == LinkKind::kData) return {{frame}};
    const std::string body = frame.substr(net::wire::kFrameHeaderBytes);
    const auto type = static_cast<net::wire::Type>(ControlType(frame));
    net::wire::Relay relay;
    const bool is_rows =
        type == net::wire::Type::kRelay && net::wire::Decode(body, &relay).ok() && relay.kind == movers::kRelayRows;
    if (!is_rows) return {{Framed(way, type, body)}};
    Passage passage;
    for (std::string& message : change(way.to == 0, std::move(relay.bytes))) {
      relay.bytes = std::move(message);
      passage.writes.push_back(Framed(way, type, net::wire::Encode(relay)));
    }
    return passage;
  }
};

}  // namespace

Between::Edit EditRows(std::function<std::vector<std::string>(bool to_rank_0, std::string message)> change) {
  auto editor = std::make_shared<RowEditor>();
  editor->change = std::move(change);
  return [editor](const Way& way, const std::string& frame) { return editor->Edit(way, frame); };
}

}  // namespace geeps::system_test
