// SPDX-License-Identifier: Apache-2.0
#include "transports/tcp/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace geeps::tcp {
namespace {

constexpr int kBacklog = 128;
constexpr int kListenRounds = 5;
constexpr uint32_t kConnectionEdges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr char kLoopbackOnly[] = "is not loopback: refused until connections are authenticated";

std::string ErrnoText(int error) { return strerrordesc_np(error) != nullptr ? strerrordesc_np(error) : "unknown error"; }

// Small messages leave at once, and nothing paces them: addresses are loopback ones, where a congestion control that paces (bbr, the
// default of some systems) only costs time. A failure costs latency only.
void SetLowLatency(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  static constexpr char kReno[] = "reno";  // every Linux has it
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kReno, sizeof(kReno) - 1);
}

}  // namespace

geeps_status SetError(geeps_error* err, geeps_status code, int native_code, const std::string& message) {
  if (err == nullptr || err->struct_size < sizeof(*err)) return code;
  err->code = code;
  err->native_code = native_code;
  err->flags = 0;
  err->rank = -1;
  err->clock = 0;
  const size_t bytes = std::min(message.size(), sizeof(err->message) - 1);
  std::memcpy(err->message, message.data(), bytes);
  err->message[bytes] = '\0';
  return code;
}

geeps_status Endpoint::ReadConfig(const geeps_tp_config& config, geeps_error* err) {
  if (config.required_caps != 0) return SetError(err, GEEPS_E_UNSUPPORTED, 0, "transport tcp cannot share memory");
  if (config.payload_max == 0) return SetError(err, GEEPS_E_INVALID, 0, "payload_max is 0");
  if (config.job == nullptr) return SetError(err, GEEPS_E_INVALID, 0, "job is NULL");
  job_ = config.job;
  if (job_.size() > kJobMax) {
    return SetError(err, GEEPS_E_INVALID, 0, "the job's name has " + std::to_string(job_.size()) + " bytes, at most " +
                                                 std::to_string(kJobMax) + " are possible");
  }
  rank_ = config.rank;
  payload_max_ = config.payload_max;
  silence_ns_ = config.silence_ns;
  const char* const literal = config.bind_address == nullptr ? "127.0.0.1" : config.bind_address;
  if (!ParseLiteral(literal, &address_)) {
    return SetError(err, GEEPS_E_INVALID, 0, std::string("bind_address ") + literal + " is not a literal address");
  }
  if (!IsLoopback(address_)) return SetError(err, GEEPS_E_DENIED, 0, std::string("bind_address ") + literal + " " + kLoopbackOnly);
  if (config.num_options != 0 && config.options == nullptr) return SetError(err, GEEPS_E_INVALID, 0, "options is NULL");
  for (uint64_t i = 0; i < config.num_options; ++i) {
    const geeps_kv& option = config.options[i];
    if (option.key == nullptr || option.value == nullptr) return SetError(err, GEEPS_E_INVALID, 0, "an option has a NULL text");
    if (std::strcmp(option.key, "port") != 0) {
      return SetError(err, GEEPS_E_INVALID, 0, std::string("transport tcp has no option ") + option.key + "; it has: port");
    }
    if (!ParsePorts(option.value, &address_.port, &port_max_)) {
      return SetError(err, GEEPS_E_INVALID, 0, std::string("port = ") + option.value +
                                                   " is neither a port from 0 to 65535 nor a range LOW-HIGH of them from 1");
    }
  }
  return GEEPS_OK;
}

bool Endpoint::Watch(int fd, uint32_t events, void* tag) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = tag;
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

// Closing alone would not do: a forked child may hold the socket open, and epoll would go on reporting it.
void Endpoint::Forget(int fd) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  any_dead_ = true;
}

void Endpoint::LimitSilence(int fd) const {
  if (silence_ns_ == 0) return;
  static constexpr uint64_t kNsPerMs = 1'000'000;
  const uint64_t whole_ms = (silence_ns_ - 1) / kNsPerMs + 1;
  const unsigned limit_ms = static_cast<unsigned>(std::min<uint64_t>(whole_ms, std::numeric_limits<int>::max()));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
}

geeps_status Endpoint::OpenDescriptors(geeps_error* err) {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  timer_fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (epoll_fd_ >= 0 && wake_fd_ >= 0 && timer_fd_ >= 0 && spare_fd_ >= 0 && Watch(wake_fd_, EPOLLIN, &wake_fd_) &&
      Watch(timer_fd_, EPOLLIN, &timer_fd_)) {
    return GEEPS_OK;
  }
  const int error = errno;
  return SetError(err, GEEPS_E_IO, error, "cannot open descriptors: " + ErrnoText(error));
}

// Opens listen_fd_ at address_, or returns the errno that says why it cannot.
int Endpoint::ListenAtPort() {
  sockaddr_storage name;
  const socklen_t length = ToSocketAddress(address_, &name);
  listen_fd_ = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  if (listen_fd_ >= 0) setsockopt(listen_fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (listen_fd_ >= 0 && bind(listen_fd_, reinterpret_cast<sockaddr*>(&name), length) == 0 && listen(listen_fd_, kBacklog) == 0 &&
      Watch(listen_fd_, EPOLLIN | EPOLLET, &listen_fd_)) {
    return 0;
  }
  const int error = errno;
  if (listen_fd_ >= 0) close(std::exchange(listen_fd_, -1));
  return error;
}

geeps_status Endpoint::Listen(geeps_error* err) {
  const uint16_t port_min = address_.port;
  int error = EADDRINUSE;
  // Two that listen at the same moment may refuse the port to each other; so a range is tried more than once.
  for (int round = 0; error == EADDRINUSE && round < kListenRounds; ++round) {
    for (address_.port = port_min; (error = ListenAtPort()) == EADDRINUSE && address_.port < port_max_;) ++address_.port;
  }
  if (error != 0) {
    const bool none = error == EADDRINUSE && port_min < port_max_;
    return SetError(err, GEEPS_E_IO, error,
                    none ? "cannot listen: none of the " + std::to_string(port_max_ - port_min + 1) + " ports " +
                               std::to_string(port_min) + " to " + std::to_string(port_max_) + " is free"
                         : "cannot listen on port " + std::to_string(address_.port) + ": " + ErrnoText(error));
  }
  sockaddr_storage name;
  socklen_t length = sizeof(name);
  getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&name), &length);
  FromSocketAddress(name, &address_);
  if (getrandom(&address_.endpoint, sizeof(address_.endpoint), GRND_NONBLOCK) != sizeof(address_.endpoint)) {
    return SetError(err, GEEPS_E_IO, errno, "no random numbers: " + ErrnoText(errno));
  }
  return GEEPS_OK;
}

geeps_status Endpoint::Create(const geeps_host* host, const geeps_tp_config& config, std::unique_ptr<Endpoint>* out,
                              geeps_error* err) {
  std::unique_ptr<Endpoint> endpoint(new Endpoint(host));
  geeps_status status = endpoint->ReadConfig(config, err);
  if (status == GEEPS_OK) status = endpoint->OpenDescriptors(err);
  if (status == GEEPS_OK) status = endpoint->Listen(err);
  if (status == GEEPS_OK) *out = std::move(endpoint);
  return status;
}

Endpoint::~Endpoint() {
  for (const auto& connection : connections_) connection->Abandon();
  connections_.clear();
  for (const int fd : {listen_fd_, wake_fd_, timer_fd_, spare_fd_, epoll_fd_}) {
    if (fd >= 0) close(fd);
  }
}

geeps_status Endpoint::Connect(const Address& address, const void* private_data, uint64_t private_bytes, uint64_t cookie,
                               Connection** out, geeps_error* err) {
  if (!IsLoopback(address)) return SetError(err, GEEPS_E_DENIED, 0, std::string("the peer's address ") + kLoopbackOnly);
  sockaddr_storage name;
  const socklen_t length = ToSocketAddress(address, &name);
  auto connection = std::make_unique<Connection>(this, Connection::State::kConnecting, payload_max_);
  const int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return SetError(err, GEEPS_E_IO, errno, "no socket: " + ErrnoText(errno));
  connection->TakeSocket(fd);
  SetLowLatency(fd);
  if (connect(fd, reinterpret_cast<sockaddr*>(&name), length) != 0 && errno != EINPROGRESS && errno != EINTR) {
    const int error = errno;
    return SetError(err, GEEPS_E_IO, error, "cannot connect to port " + std::to_string(address.port) + ": " + ErrnoText(error));
  }
  if (!Watch(fd, kConnectionEdges, connection.get())) return SetError(err, GEEPS_E_IO, errno, "epoll: " + ErrnoText(errno));
  Greeting greeting;
  greeting.endpoint = address.endpoint;
  greeting.rank = rank_;
  greeting.job_bytes = static_cast<uint32_t>(job_.size());
  greeting.private_bytes = static_cast<uint32_t>(private_bytes);
  std::memcpy(greeting.job, job_.data(), job_.size());
  if (private_bytes != 0) std::memcpy(greeting.private_data, private_data, private_bytes);
  greeting.crc = ChecksumOf(greeting);
  connection->SetGreeting(greeting, cookie);
  *out = connection.get();
  connections_.push_back(std::move(connection));
  return GEEPS_OK;
}

void Endpoint::AcceptAll() {
  std::unique_ptr<Connection> next;  // made before its socket: without memory the socket waits
  while (listen_ready_) {
    if (next == nullptr) next = std::make_unique<Connection>(this, Connection::State::kAwaitGreeting, payload_max_);
    const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      next->TakeSocket(fd);
      AcceptOne(std::exchange(next, nullptr));
    } else if (errno == EMFILE || errno == ENFILE) {
      RefuseForLackOfDescriptors();
    } else if (errno == EAGAIN) {
      listen_ready_ = false;
    } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
      Log(GEEPS_LOG_WARNING, "accept: " + ErrnoText(errno));
      listen_ready_ = false;
    }
  }
}

void Endpoint::AcceptOne(std::unique_ptr<Connection> connection) {
  const auto strangers = std::count_if(connections_.begin(), connections_.end(), [](const auto& connection) {
    return connection->state() == Connection::State::kAwaitGreeting;
  });
  if (static_cast<size_t>(strangers) >= kStrangersMax) {
    Log(GEEPS_LOG_WARNING, "refused a connection: " + std::to_string(strangers) + " others have not greeted yet");
    return;  // its destructor closes the socket
  }
  SetLowLatency(connection->fd());
  LimitSilence(connection->fd());
  if (!Watch(connection->fd(), kConnectionEdges, connection.get())) return;
  connections_.push_back(std::move(connection));
}

// Without this the waiting connection would stay in the backlog and its peer would wait for nothing.
void Endpoint::RefuseForLackOfDescriptors() {
  Log(GEEPS_LOG_WARNING, "refused a connection: this process has no descriptor left");
  if (spare_fd_ >= 0) close(spare_fd_);
  const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) close(fd);
  if (fd < 0) listen_ready_ = false;
  spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void Endpoint::Activate(Connection* connection) {
  if (connection->in_active) return;
  connection->in_active = true;
  active_.push_back(connection);
}

void Endpoint::TakeEdges() {
  epoll_event ready[64];
  const int num_ready = epoll_wait(epoll_fd_, ready, 64, 0);
  for (int i = 0; i < num_ready; ++i) {
    void* const tag = ready[i].data.ptr;
    uint64_t count;
    if (tag == &listen_fd_) {
      listen_ready_ = true;
    } else if (tag == &wake_fd_) {
      (void)!read(wake_fd_, &count, sizeof(count));
    } else if (tag == &timer_fd_) {
      (void)!read(timer_fd_, &count, sizeof(count));
      check_deadlines_ = true;
    } else if (!broken_) {
      Connection* const connection = static_cast<Connection*>(tag);
      connection->OnEdges(ready[i].events);
      Activate(connection);
    }
  }
}

void Endpoint::Progress() {
  TakeEdges();
  if (listen_ready_) AcceptAll();
  turn_.swap(active_);
  for (Connection* connection : turn_) {
    connection->in_active = false;
    connection->Progress();
    if (connection->HasWork()) Activate(connection);
  }
  turn_.clear();
  if (check_deadlines_) CheckDeadlines();
  if (deadlines_changed_) SetTimer();
}

void Endpoint::CheckDeadlines() {
  check_deadlines_ = false;
  const TimePoint now = std::chrono::steady_clock::now();
  for (const auto& connection : connections_) {
    if (connection->has_deadline() && connection->deadline() <= now) connection->OnDeadline();
  }
  deadlines_changed_ = true;
}

void Endpoint::SetTimer() {
  deadlines_changed_ = false;
  itimerspec spec{};
  TimePoint earliest = TimePoint::max();
  for (const auto& connection : connections_) {
    if (connection->has_deadline()) earliest = std::min(earliest, connection->deadline());
  }
  if (earliest != TimePoint::max()) {
    const auto left = std::max<std::chrono::nanoseconds>(earliest - std::chrono::steady_clock::now(), std::chrono::nanoseconds(1));
    spec.it_value.tv_sec = left.count() / 1000000000;
    spec.it_value.tv_nsec = left.count() % 1000000000;
  }
  timerfd_settime(timer_fd_, 0, &spec, nullptr);
}

void Endpoint::DisposeOfDead() {
  any_dead_ = false;
  const auto dead = std::partition(connections_.begin(), connections_.end(),
                                   [](const auto& connection) { return !connection->disposable(); });
  for (auto it = dead; it != connections_.end(); ++it) {
    if ((*it)->in_active) active_.erase(std::find(active_.begin(), active_.end(), it->get()));
  }
  connections_.erase(dead, connections_.end());
  // A dead one whose end the host has not seen yet keeps this list awake.
  any_dead_ = std::any_of(connections_.begin(), connections_.end(),
                          [](const auto& connection) { return connection->state() == Connection::State::kDead; });
}

void Endpoint::DropDelivered() {
  for (; num_delivered_ != 0; --num_delivered_) events_.pop_front();
}

geeps_status Endpoint::Poll(geeps_tp_event* events, uint64_t stride, uint64_t cap, uint64_t* num) {
  if (broken_) {
    TakeEdges();
    return GEEPS_E_NOMEM;
  }
  DropDelivered();
  if (any_dead_) DisposeOfDead();
  if (events_.size() < cap || !flooded()) Progress();
  const uint64_t count = std::min<uint64_t>(cap, events_.size());
  uint8_t* out = reinterpret_cast<uint8_t*>(events);
  const size_t bytes = std::min<uint64_t>(stride, sizeof(geeps_tp_event));
  for (; num_delivered_ < count; ++num_delivered_, out += stride) {
    const geeps_tp_event& event = events_[num_delivered_].event;
    std::memcpy(out, &event, bytes);
    if (event.type == GEEPS_TP_DOWN) reinterpret_cast<Connection*>(event.conn)->down_delivered = true;
  }
  *num = count;
  return GEEPS_OK;
}

geeps_status Endpoint::Arm() {
  if (events_.size() > num_delivered_ || listen_ready_) return GEEPS_AGAIN;
  for (const Connection* connection : active_) {
    if (connection->HasWork()) return GEEPS_AGAIN;
  }
  if (deadlines_changed_) SetTimer();
  return GEEPS_OK;
}

void Endpoint::Wake() {
  const uint64_t one = 1;
  while (write(wake_fd_, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

Endpoint::Event& Endpoint::Emit(int32_t type, Connection* connection) {
  Event& event = events_.emplace_back();
  std::memset(&event.event, 0, sizeof(event.event));
  event.event.struct_size = sizeof(event.event);
  event.event.type = type;
  event.event.conn = reinterpret_cast<geeps_tp_conn*>(connection);
  event.event.cookie = connection->cookie();
  return event;
}

void Endpoint::EmitRequest(Connection* connection, const void* data, size_t bytes) {
  Event& event = Emit(GEEPS_TP_CONN_REQUEST, connection);
  std::memcpy(event.data, data, bytes);
  event.event.data = event.data;
  event.event.bytes = bytes;
}

void Endpoint::EmitUp(Connection* connection) { Emit(GEEPS_TP_UP, connection); }

void Endpoint::EmitDown(Connection* connection, geeps_status status, int native_code) {
  Event& event = Emit(GEEPS_TP_DOWN, connection);
  event.event.status = status;
  event.event.native_code = native_code;
}

void Endpoint::EmitSent(Connection* connection, uint64_t cookie, uint64_t payload_bytes, geeps_status status) {
  Event& event = Emit(GEEPS_TP_SENT, connection);
  event.event.cookie = cookie;
  event.event.payload_bytes = payload_bytes;
  event.event.status = status;
  if (status != GEEPS_OK) return;
  ++stats_.sent_messages;
  stats_.sent_payload_bytes += payload_bytes;
}

void Endpoint::EmitReceived(Connection* connection, uint32_t slot, const void* header, size_t bytes, uint64_t payload_bytes) {
  Event& event = Emit(GEEPS_TP_RECEIVED, connection);
  std::memcpy(event.data, header, bytes);
  event.event.data = event.data;
  event.event.bytes = bytes;
  event.event.payload_bytes = payload_bytes;
  event.event.slot = slot;
  ++stats_.received_messages;
  stats_.received_payload_bytes += payload_bytes;
}

void Endpoint::GetStats(geeps_tp_stats* out) const {
  geeps_tp_stats stats = stats_;
  for (const auto& connection : connections_) stats.num_conns += connection->state() == Connection::State::kUp;
  const uint32_t bytes = std::min<uint32_t>(out->struct_size, sizeof(stats));
  stats.struct_size = out->struct_size;
  std::memcpy(out, &stats, bytes);
}

void Endpoint::Log(int32_t level, const std::string& text) const {
  if (host_ != nullptr && host_->log != nullptr) host_->log(host_->ctx, level, "tcp", text.data(), text.size());
}

}  // namespace geeps::tcp
