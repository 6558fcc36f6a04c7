// SPDX-License-Identifier: Apache-2.0
// Endpoint: the listening socket, the connections and the events of one worker. Everything happens inside Poll and the calls of
// the host; epoll reports edges, which the connections remember, so that the epoll descriptor itself is what the host sleeps on.
//
// A process that forks should know: the child inherits these sockets, and while it lives the death of its parent stays hidden
// from the peers' transports. A plugin keeps no process-wide state and hence no fork handler; the host's control connection,
// which closes itself in children, is what notices.
// Thread contract: one thread at a time; Wake from any thread.
#ifndef GEEPS_TRANSPORTS_TCP_ENDPOINT_H_
#define GEEPS_TRANSPORTS_TCP_ENDPOINT_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "geeps_transport.h"
#include "transports/tcp/connection.h"

namespace geeps::tcp {

// Fills *err, where it is large enough, and returns `code`.
geeps_status SetError(geeps_error* err, geeps_status code, int native_code, const std::string& message);

class Endpoint {
 public:
  static geeps_status Create(const geeps_host* host, const geeps_tp_config& config, std::unique_ptr<Endpoint>* out,
                             geeps_error* err);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const Address& address() const { return address_; }
  geeps_status Connect(const Address& address, const void* private_data, uint64_t private_bytes, uint64_t cookie,
                       Connection** out, geeps_error* err);
  geeps_status Poll(geeps_tp_event* events, uint64_t stride, uint64_t cap, uint64_t* num);
  // For want of memory a call was left half done: from now on Poll only says so, and wakes are taken in.
  void Break() { broken_ = true; }
  int event_fd() const { return epoll_fd_; }
  geeps_status Arm();
  void Wake();
  void GetStats(geeps_tp_stats* out) const;

  // For the connections.
  uint64_t id() const { return address_.endpoint; }
  const std::string& job() const { return job_; }
  uint64_t payload_max() const { return payload_max_; }
  bool flooded() const { return events_.size() - num_delivered_ >= kEventsMax; }
  void Activate(Connection* connection);
  void DeadlinesChanged() { deadlines_changed_ = true; }
  void Forget(int fd);
  // The kernel ends the connection when what is sent stays unacknowledged, or the other side opens no window, for the limit of
  // silence.
  void LimitSilence(int fd) const;
  void EmitRequest(Connection* connection, const void* data, size_t bytes);
  void EmitUp(Connection* connection);
  void EmitDown(Connection* connection, geeps_status status, int native_code);
  void EmitSent(Connection* connection, uint64_t cookie, uint64_t payload_bytes, geeps_status status);
  void EmitReceived(Connection* connection, uint32_t slot, const void* header, size_t bytes, uint64_t payload_bytes);
  void Log(int32_t level, const std::string& text) const;

 private:
  struct Event {
    geeps_tp_event event;
    uint8_t data[GEEPS_TP_PRIVATE_MAX];
  };
  static_assert(GEEPS_TP_PRIVATE_MAX >= GEEPS_TP_HEADER_MAX);
  // Reading stops while so many events wait for the host; completions of sends are bounded by the queues anyway.
  static constexpr size_t kEventsMax = 1024;
  // Connections whose greeting is not complete. More are closed at once: strangers must not eat all descriptors.
  static constexpr size_t kStrangersMax = 64;

  explicit Endpoint(const geeps_host* host) : host_(host) {}
  geeps_status ReadConfig(const geeps_tp_config& config, geeps_error* err);
  int ListenAtPort();
  geeps_status Listen(geeps_error* err);
  geeps_status OpenDescriptors(geeps_error* err);
  bool Watch(int fd, uint32_t events, void* tag);
  Event& Emit(int32_t type, Connection* connection);
  void DropDelivered();
  void TakeEdges();
  void Progress();
  void AcceptAll();
  void AcceptOne(std::unique_ptr<Connection> connection);
  void RefuseForLackOfDescriptors();
  void CheckDeadlines();
  void SetTimer();
  void DisposeOfDead();

  const geeps_host* const host_;
  uint32_t rank_ = 0;
  uint64_t payload_max_ = 0;
  uint64_t silence_ns_ = 0;  // 0: no limit
  std::string job_;
  Address address_;
  uint16_t port_max_ = 0;  // of the ports to try from address_.port on, until one is free
  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  int timer_fd_ = -1;
  int listen_fd_ = -1;
  int spare_fd_ = -1;  // given up for a moment to refuse a connection when descriptors run out
  bool broken_ = false;
  bool listen_ready_ = false;
  bool check_deadlines_ = false;
  bool deadlines_changed_ = false;
  bool any_dead_ = false;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> active_;
  std::vector<Connection*> turn_;  // scratch
  std::deque<Event> events_;
  size_t num_delivered_ = 0;       // events at the front that the last Poll handed out
  geeps_tp_stats stats_{};
};

}  // namespace geeps::tcp

#endif  // GEEPS_TRANSPORTS_TCP_ENDPOINT_H_
