// SPDX-License-Identifier: Apache-2.0
// Links: the connections to the workers with which this one shares partitions, and the messages on them. It keeps
// headers in sequence, sends again what the transport could not take yet, and tells the owner what arrived. Thread
// contract: the mover thread.
#ifndef GEEPS_RUNTIME_MOVERS_LINKS_H_
#define GEEPS_RUNTIME_MOVERS_LINKS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/movers/context.h"
#include "runtime/movers/last_fire.h"
#include "runtime/net/transport.h"
#include "runtime/protocol/message.h"

namespace geeps::movers {

class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  // A message of `rank`; its payload of payload_bytes lies in `slot`.
  virtual void OnMessage(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes) = 0;
  // Another worker has changed shared words.
  virtual void OnNotified() = 0;
  // The connection to `rank` is down: evidence, not yet a verdict.
  virtual void OnLinkDown(uint32_t rank, const absl::Status& why) = 0;
};

class Links {
 public:
  Links(MoverContext* context, net::Endpoint* endpoint, LinkEvents* events);

  // Addresses by rank, and what proves that a connection belongs to this job.
  void SetPeers(std::vector<std::string> addresses, uint64_t job);
  // Begins the connections to `ranks` that are missing: the lower rank connects, the higher one accepts.
  absl::Status Connect(absl::Span<const uint32_t> ranks);
  bool IsUp(uint32_t rank) const { return links_[rank].up; }

  // Slots of the connection to `rank` (geeps_transport.h); bytes 0 ends one. Nothing when it is down: its loss was or
  // is now reported. Errors: Internal or the transport's.
  absl::Status SetSlot(uint32_t rank, uint32_t slot, void* memory, uint64_t bytes);
  absl::Status ArmSlot(uint32_t rank, uint32_t slot);

  // Sends a message; epoch and sequence are filled in. The payload is one piece of memory, or none (slot 0). `sent`
  // comes back as an action.
  void Send(uint32_t rank, uint32_t slot, protocol::Header header, const void* payload, uint64_t payload_bytes,
            const Sent& sent);
  // Wakes a worker that looks at shared words.
  void Notify(uint32_t rank);

  // Polls the transport once; true when something happened.
  bool Poll();
  // No message is queued or on its way out.
  bool IsIdle() const { return num_in_flight_ == 0; }
  // Every further event is dropped.
  void Silence() { silent_ = true; }

 private:
  struct Waiting {  // a message the transport has not taken
    uint32_t slot = 0;
    uint8_t header[protocol::kHeaderBytes];
    geeps_tp_piece piece;
    uint64_t cookie = 0;
  };
  struct Link {
    geeps_tp_conn* conn = nullptr;
    bool up = false;
    bool wanted = false;
    bool lost = false;  // its loss was reported
    uint64_t sequence_out = 0;
    uint64_t sequence_in = 0;
    PeerTime time;
    std::deque<Waiting> waiting;
  };

  uint64_t Remember(const Sent& sent);
  bool Offer(Link* link, const Waiting& message, uint32_t rank);
  void Retry(uint32_t rank);
  void Lose(uint32_t rank);
  void Handle(const geeps_tp_event& event);
  void OnRequest(const geeps_tp_event& event);
  void OnUp(const geeps_tp_event& event);
  void OnDown(const geeps_tp_event& event);
  void OnReceived(const geeps_tp_event& event);
  void OnSent(const geeps_tp_event& event);
  std::string PrivateData() const;

  MoverContext* const context_;
  net::Endpoint* const endpoint_;
  LinkEvents* const events_;
  std::vector<std::string> addresses_;
  uint64_t job_ = 0;
  std::vector<Link> links_;      // by rank
  std::vector<Sent> in_flight_;  // by send cookie
  std::vector<uint32_t> free_;   // cookies not in use
  uint64_t num_in_flight_ = 0;
  bool silent_ = false;
  std::vector<geeps_tp_event> polled_;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_LINKS_H_
