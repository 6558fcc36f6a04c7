// SPDX-License-Identifier: Apache-2.0
#include "transports/inproc/link.h"

#include <cstring>
#include <exception>
#include <utility>

namespace geeps::inproc {

void Inbox::SignalLocked() {
  sleeping_ = false;
  if (signaled_) return;
  signaled_ = true;
  waker_.Wake();
}

void Inbox::Post(Event event) {
  MutexLock lock(&mutex_);
  if (closed_) return;
  events_.push_back(std::move(event));
  // Without a sleeper there is nobody to wake: its Arm will see the event.
  if (sleeping_) SignalLocked();
}

void Inbox::PostEnd(Event event) noexcept {
  MutexLock lock(&mutex_);
  if (closed_) return;
  try {
    events_.push_back(std::move(event));
  } catch (const std::exception&) {
    ended_ = true;
  }
  if (sleeping_) SignalLocked();
}

void Inbox::Wake() {
  MutexLock lock(&mutex_);
  SignalLocked();
}

bool Inbox::Take(uint64_t cap, std::deque<Event>* out) {
  MutexLock lock(&mutex_);
  if (signaled_) {
    signaled_ = false;
    waker_.Drain();
  }
  for (; cap != 0 && !events_.empty(); --cap) {
    out->push_back(std::move(events_.front()));
    events_.pop_front();
  }
  return !ended_;
}

bool Inbox::Arm() {
  MutexLock lock(&mutex_);
  if (!events_.empty() || ended_) return false;
  sleeping_ = true;
  return true;
}

void Inbox::Close(std::deque<Event>* out) {
  MutexLock lock(&mutex_);
  closed_ = true;
  out->swap(events_);
}

bool Connection::Record(Side* side, geeps_tp_event event, Event* record) {
  record->connection = side->connection.lock();
  if (record->connection == nullptr) return false;
  event.struct_size = sizeof(event);
  event.conn = reinterpret_cast<geeps_tp_conn*>(record->connection.get());
  if (event.type != GEEPS_TP_SENT && event.type != GEEPS_TP_CONN_REQUEST) event.cookie = side->cookie;
  if (event.bytes != 0) std::memcpy(record->data.data(), event.data, event.bytes);
  record->event = event;
  return true;
}

void Connection::Post(Side* side, geeps_tp_event event) {
  Event record{};
  if (Record(side, event, &record)) side->inbox->Post(std::move(record));
}

void Connection::PostEnd(Side* side, geeps_tp_event event) noexcept {
  Event record{};
  if (Record(side, event, &record)) side->inbox->PostEnd(std::move(record));
}

void Connection::TearDown(geeps_status down_status, geeps_status own_sent, geeps_status peer_sent,
                          geeps_status peer_down) noexcept {
  link_->state = LinkState::kDown;
  for (const int i : {side_, 1 - side_}) {
    Side& side = link_->sides[i];
    for (const uint64_t cookie : side.in_flight) {
      geeps_tp_event sent{};
      sent.type = GEEPS_TP_SENT;
      sent.cookie = cookie;
      sent.status = i == side_ ? own_sent : peer_sent;
      PostEnd(&side, sent);
    }
    side.in_flight.clear();
    side.slots.clear();
    geeps_tp_event down{};
    down.type = GEEPS_TP_DOWN;
    down.status = i == side_ ? down_status : peer_down;
    PostEnd(&side, down);
  }
}

geeps_status Connection::Accept(uint64_t cookie) {
  MutexLock lock(&link_->mutex);
  if (side_ != 1 || link_->state != LinkState::kRequested) return GEEPS_E_STATE;
  link_->sides[1].cookie = cookie;
  link_->state = LinkState::kUp;
  geeps_tp_event up{};
  up.type = GEEPS_TP_UP;
  for (Side& side : link_->sides) Post(&side, up);
  return GEEPS_OK;
}

void Connection::Close() noexcept {
  MutexLock lock(&link_->mutex);
  if (link_->state == LinkState::kDown) return;
  const bool refused = link_->state == LinkState::kRequested && side_ == 1;
  // What this side sent lies with the peer and will be seen before the end; what the peer sent will not be.
  TearDown(GEEPS_OK, GEEPS_OK, GEEPS_E_CANCELLED, refused ? GEEPS_E_DENIED : GEEPS_OK);
}

geeps_status Connection::SetSlot(uint32_t slot, void* memory, uint64_t bytes) {
  MutexLock lock(&link_->mutex);
  if (link_->state == LinkState::kDown) return GEEPS_E_STATE;
  auto& slots = link_->sides[side_].slots;
  if (bytes == 0) {
    slots.erase(slot);
  } else {
    slots[slot] = {static_cast<uint8_t*>(memory), bytes, false};
  }
  return GEEPS_OK;
}

geeps_status Connection::ArmSlot(uint32_t slot) {
  MutexLock lock(&link_->mutex);
  if (link_->state == LinkState::kDown) return GEEPS_E_STATE;
  auto& slots = link_->sides[side_].slots;
  const auto it = slots.find(slot);
  if (it == slots.end()) return GEEPS_E_INVALID;
  if (it->second.armed) return GEEPS_E_STATE;
  it->second.armed = true;
  return GEEPS_OK;
}

geeps_status Connection::Send(uint32_t slot, const void* header, uint64_t header_bytes, const geeps_tp_piece* pieces,
                              uint64_t num_pieces, uint64_t cookie) {
  if (header == nullptr || header_bytes == 0 || header_bytes > GEEPS_TP_HEADER_MAX) return GEEPS_E_INVALID;
  if (num_pieces > GEEPS_TP_PIECES_MAX || (num_pieces != 0 && pieces == nullptr)) return GEEPS_E_INVALID;
  MutexLock lock(&link_->mutex);
  if (link_->state != LinkState::kUp) return GEEPS_E_STATE;
  Side& own = link_->sides[side_];
  Side& peer = link_->sides[1 - side_];
  uint64_t payload_bytes = 0;
  for (uint64_t i = 0; i < num_pieces; ++i) {
    if (pieces[i].data == nullptr && pieces[i].bytes != 0) return GEEPS_E_INVALID;
    if (pieces[i].bytes > own.payload_max - payload_bytes) return GEEPS_E_INVALID;
    payload_bytes += pieces[i].bytes;
  }
  const bool mailbox = slot == GEEPS_TP_MAILBOX;
  if (mailbox != (payload_bytes == 0) || (mailbox && num_pieces != 0)) return GEEPS_E_INVALID;
  if (own.in_flight.size() >= kInFlightMax) return GEEPS_AGAIN;
  own.in_flight.push_back(cookie);
  if (!mailbox) {
    const auto it = peer.slots.find(slot);
    if (it == peer.slots.end() || !it->second.armed || it->second.bytes < payload_bytes || peer.payload_max < payload_bytes) {
      TearDown(GEEPS_E_DATA, GEEPS_E_DATA, GEEPS_E_DATA, GEEPS_E_DATA);
      return GEEPS_OK;
    }
    it->second.armed = false;
    uint8_t* out = it->second.memory;
    for (uint64_t i = 0; i < num_pieces; ++i) {
      if (pieces[i].bytes != 0) std::memcpy(out, pieces[i].data, pieces[i].bytes);
      out += pieces[i].bytes;
    }
  }
  geeps_tp_event received{};
  received.type = GEEPS_TP_RECEIVED;
  received.slot = slot;
  received.data = header;
  received.bytes = header_bytes;
  received.payload_bytes = payload_bytes;
  Post(&peer, received);
  return GEEPS_OK;
}

void Connection::Notify() {
  MutexLock lock(&link_->mutex);
  Side& peer = link_->sides[1 - side_];
  if (link_->state != LinkState::kUp || peer.notified) return;
  peer.notified = true;
  geeps_tp_event notified{};
  notified.type = GEEPS_TP_NOTIFIED;
  Post(&peer, notified);
}

void Connection::OnTaken(const geeps_tp_event& event) {
  if (event.type != GEEPS_TP_RECEIVED && event.type != GEEPS_TP_NOTIFIED) return;
  MutexLock lock(&link_->mutex);
  if (event.type == GEEPS_TP_NOTIFIED) {
    link_->sides[side_].notified = false;
    return;
  }
  Side& sender = link_->sides[1 - side_];
  if (sender.in_flight.empty()) return;  // completed when the link came down
  geeps_tp_event sent{};
  sent.type = GEEPS_TP_SENT;
  sent.cookie = sender.in_flight.front();
  sent.payload_bytes = event.payload_bytes;
  sender.in_flight.pop_front();
  Post(&sender, sent);
}

}  // namespace geeps::inproc
