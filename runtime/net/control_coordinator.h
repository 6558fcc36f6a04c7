// SPDX-License-Identifier: Apache-2.0
// CoordinatorHost: what protocol::Coordinator needs around it in rank 0: the connections of all workers, frames in and out,
// relayed bytes, heartbeats. It decides nothing but who is a stranger.
// Thread contract: the control thread.
#ifndef GEEPS_RUNTIME_NET_CONTROL_COORDINATOR_H_
#define GEEPS_RUNTIME_NET_CONTROL_COORDINATOR_H_

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/base/log.h"
#include "runtime/net/control_channel.h"
#include "runtime/net/control_socket.h"
#include "runtime/protocol/coordinator.h"

namespace geeps::net {

class CoordinatorHost {
 public:
  struct Options {
    uint32_t world = 1;
    std::string job;
    uint64_t job_nonce = 0;
    bool needs_nonce = false;   // workers have it from a rendezvous file: who does not say it belongs elsewhere
    std::string rendezvous;     // for log lines
    uint64_t report_period_ns = 0;
    uint64_t heartbeat_limit_ns = 0;
    Log* log = nullptr;
    std::atomic<uint64_t>* clocks = nullptr;  // [world], written with each beat
  };

  // listener may be nullptr. own: the other end of rank 0's own connection.
  CoordinatorHost(const Options& options, std::unique_ptr<Listener> listener, Socket own, uint64_t now_ns);

  bool listens() const { return listener_ != nullptr; }
  void SetListener(std::unique_ptr<Listener> listener) { listener_ = std::move(listener); }

  // Appends what to sleep on; Step takes exactly those entries back.
  void AppendPolls(std::vector<pollfd>* polls, uint64_t now_ns) const;
  // Reads every connection that has something, then lets time pass, then writes.
  void Step(absl::Span<const pollfd> polls, uint64_t now_ns);
  // When Step is due at the latest.
  uint64_t NextStep() const;

  bool welcomed() const { return welcomed_; }
  bool shut_down() const { return coordinator_.shut_down(); }
  // "rank 2" or "ranks 2, 3": who has not come yet; *first is the smallest.
  std::string NamesOfMissing(uint32_t* first) const;

  // Ends every connection after what is queued. No further connection is taken.
  void Finish();
  // The same after this verdict, which is not the coordinator's.
  void End(absl::string_view cause);
  // Everything is written and every worker has closed its end.
  bool finished() const;
  // Everything is written.
  bool flushed() const;

 private:
  struct Connection {
    Channel channel;
    int64_t rank = -1;      // -1: a stranger
    bool refused = false;
    uint64_t since_ns = 0;
    bool broken = false;    // what it says is not to be understood: closed when it has been told
  };
  using Connections = std::map<uint64_t, Connection>;

  void Add(Socket socket, uint64_t now_ns);
  void Serve(uint64_t id, Connection* connection, uint64_t now_ns);
  // False when the frame has no business there.
  bool Dispatch(uint64_t id, Connection* connection, wire::Type type, const std::string& body, uint64_t now_ns);
  bool IsStranger(const wire::Hello& hello, Connection* connection);
  bool OnHello(uint64_t id, Connection* connection, const std::string& body, uint64_t now_ns);
  bool OnRelay(Connection* connection, const std::string& body);
  void OnEnd(Connection* connection, uint64_t now_ns);
  void Refuse(Connection* connection, const protocol::Cause& cause);
  void Execute(uint64_t now_ns);
  void Broadcast(wire::Type type, const std::string& body);
  void Queue(Connection* connection, wire::Type type, const std::string& body);

  const Options options_;
  const uint64_t begun_ns_;
  protocol::Coordinator coordinator_;
  std::unique_ptr<Listener> listener_;
  uint64_t listener_rests_until_ns_ = 0;  // descriptors ran out
  Connections connections_;
  uint64_t next_id_ = 1;
  std::vector<uint64_t> id_of_rank_;  // 0: not here
  protocol::Coordinator::Effects effects_;
  uint64_t next_beat_ns_ = 0;
  bool welcomed_ = false;
  bool finishing_ = false;
};

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_CONTROL_COORDINATOR_H_
