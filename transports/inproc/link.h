// SPDX-License-Identifier: Apache-2.0
// Inbox: the events of one endpoint, filled by any thread, emptied by its poll. Connection: one side of a Link; a Link is what
// two endpoints share, and its mutex is the one under which messages are copied from sender to receiver.
// Thread contract: own synchronization. Order of locks: Link, then Inbox. A Connection's owner is its endpoint's thread; the peer
// reaches it through the Link only.
#ifndef GEEPS_TRANSPORTS_INPROC_LINK_H_
#define GEEPS_TRANSPORTS_INPROC_LINK_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

#include "absl/status/status.h"
#include "geeps_transport.h"
#include "runtime/base/mutex.h"
#include "runtime/base/waker.h"

namespace geeps::inproc {

class Connection;

struct Event {
  geeps_tp_event event{};
  std::shared_ptr<Connection> connection;
  std::array<uint8_t, GEEPS_TP_PRIVATE_MAX> data;
};

class Inbox {
 public:
  absl::Status Open() { return waker_.Open(); }
  int fd() const { return waker_.fd(); }

  void Post(Event event);
  // The end of a connection, which must not go unheard: without memory for it the inbox ends.
  void PostEnd(Event event) noexcept;
  void Wake();
  // Moves up to cap events to the end of *out; false when the inbox has ended.
  bool Take(uint64_t cap, std::deque<Event>* out);
  // False when there are events; else whatever comes makes the descriptor readable.
  bool Arm();
  // No event is kept from now on. What is there goes to *out, which is empty. Needs no memory.
  void Close(std::deque<Event>* out);

 private:
  void SignalLocked() GEEPS_REQUIRES(mutex_);

  Waker waker_;
  Mutex mutex_;
  std::deque<Event> events_ GEEPS_GUARDED_BY(mutex_);
  bool sleeping_ GEEPS_GUARDED_BY(mutex_) = false;
  bool signaled_ GEEPS_GUARDED_BY(mutex_) = false;
  bool closed_ GEEPS_GUARDED_BY(mutex_) = false;
  bool ended_ GEEPS_GUARDED_BY(mutex_) = false;
};

enum class LinkState { kRequested, kUp, kDown };

struct Slot {
  uint8_t* memory = nullptr;
  uint64_t bytes = 0;
  bool armed = false;
};

struct Side {
  std::shared_ptr<Inbox> inbox;
  std::weak_ptr<Connection> connection;
  uint64_t cookie = 0;
  uint64_t payload_max = 0;
  std::unordered_map<uint32_t, Slot> slots;
  std::deque<uint64_t> in_flight;  // cookies of messages sent that the peer's poll has not taken
  bool notified = false;           // a NOTIFIED is on the way to this side
};

struct Link {
  Mutex mutex;
  LinkState state GEEPS_GUARDED_BY(mutex) = LinkState::kRequested;
  std::array<Side, 2> sides GEEPS_GUARDED_BY(mutex);  // 0 asked for the connection
};

class Connection {
 public:
  // Messages on the way in one direction. As many as the tcp transport queues, so that hosts see the same pressure.
  static constexpr size_t kInFlightMax = 64;

  Connection(std::shared_ptr<Link> link, int side) : link_(std::move(link)), side_(side) {}

  geeps_status Accept(uint64_t cookie);
  // Down for both, GEEPS_OK. `refuse`: what the peer is told when the connection was not up. Needs no memory.
  void Close() noexcept;
  geeps_status SetSlot(uint32_t slot, void* memory, uint64_t bytes);
  geeps_status ArmSlot(uint32_t slot);
  geeps_status Send(uint32_t slot, const void* header, uint64_t header_bytes, const geeps_tp_piece* pieces,
                    uint64_t num_pieces, uint64_t cookie);
  void Notify();
  // The owner's poll hands out an event of this connection: tells the sender of a RECEIVED.
  void OnTaken(const geeps_tp_event& event);

 private:
  static void Post(Side* side, geeps_tp_event event) GEEPS_NO_THREAD_SAFETY_ANALYSIS;
  static void PostEnd(Side* side, geeps_tp_event event) noexcept GEEPS_NO_THREAD_SAFETY_ANALYSIS;
  // False: its endpoint is gone.
  static bool Record(Side* side, geeps_tp_event event, Event* record) GEEPS_NO_THREAD_SAFETY_ANALYSIS;
  // Ends the link: what is in flight completes, both sides hear GEEPS_TP_DOWN.
  void TearDown(geeps_status down_status, geeps_status own_sent, geeps_status peer_sent, geeps_status peer_down) noexcept
      GEEPS_NO_THREAD_SAFETY_ANALYSIS;

  const std::shared_ptr<Link> link_;
  const int side_;
};

}  // namespace geeps::inproc

#endif  // GEEPS_TRANSPORTS_INPROC_LINK_H_
