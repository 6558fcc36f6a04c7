// SPDX-License-Identifier: Apache-2.0
// Connection: one socket, from the first byte of the handshake to the last of an orderly close.
//
//   connecting -> greeting sent -> up -> closing -> draining -> dead        the side that connects
//   greeting awaited -> requested -> up -> closing -> draining -> dead      the side that accepts
//
// An orderly close is a frame of its own, so that the end of the stream without it means that the peer died. Every state can
// go straight to dead. The handle that the host knows dies with GEEPS_TP_DOWN; draining has none.
// Thread contract: the endpoint's.
#ifndef GEEPS_TRANSPORTS_TCP_CONNECTION_H_
#define GEEPS_TRANSPORTS_TCP_CONNECTION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "geeps_transport.h"
#include "transports/tcp/receiver.h"
#include "transports/tcp/send_queue.h"
#include "transports/tcp/wire.h"

namespace geeps::tcp {

class Endpoint;
using TimePoint = std::chrono::steady_clock::time_point;

class Connection final : private Receiver::Sink {
 public:
  enum class State { kConnecting, kGreeted, kAwaitGreeting, kRequested, kUp, kClosing, kDraining, kDead };

  Connection(Endpoint* endpoint, State state, uint64_t payload_max);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Takes over the socket, which is non-blocking and not yet watched. Before anything else; needs no memory.
  void TakeSocket(int fd);

  // The greeting to send once connected. REQUIRES: connecting.
  void SetGreeting(const Greeting& greeting, uint64_t cookie);

  geeps_status Accept(uint64_t cookie);
  void Close(bool linger);
  geeps_status SetSlot(uint32_t slot, void* memory, uint64_t bytes, geeps_error* err);
  geeps_status ArmSlot(uint32_t slot);
  geeps_status Send(uint32_t slot, const void* header, uint64_t header_bytes, const geeps_tp_piece* pieces,
                    uint64_t num_pieces, uint64_t cookie);

  // Edges that epoll reported.
  void OnEdges(uint32_t epoll_events);
  // Moves a bounded amount of data.
  void Progress();
  // True when Progress would move data at once.
  bool HasWork() const;
  // The limit of the state has passed.
  void OnDeadline();
  // Closes in order as far as that goes without waiting, and without events. Needs no memory.
  void Abandon();

  Endpoint* endpoint() const { return endpoint_; }
  State state() const { return state_; }
  uint64_t cookie() const { return cookie_; }
  int fd() const { return fd_; }
  bool has_deadline() const { return has_deadline_; }
  TimePoint deadline() const { return deadline_; }
  // The endpoint's bookkeeping.
  bool in_active = false;
  bool down_delivered = false;  // or no handle was ever handed out

  // True when nothing refers to it any more.
  bool disposable() const { return state_ == State::kDead && (down_delivered || !known_); }

 private:
  void OnMessage(uint32_t slot, const void* header, size_t header_bytes, uint64_t payload_bytes) override;
  void OnClose() override;

  void FinishConnect();
  // Writes what is left of the greeting or answer. False when more is left.
  bool FlushHandshake();
  void WriteQueue();
  void ReadHandshake();
  void TakeGreeting();
  void TakeAnswer();
  void ReadMessages();
  void Discard();
  // Reads once into the places: bytes, or 0 when there is nothing now, -1 at the end or an error (with *error).
  ssize_t ReadOnce(iovec* places, size_t num_places, int* error);
  void OnReadEnd(int error);
  void FinishClosing();
  // Ends the connection: queued sends complete with `sent_status`, then GEEPS_TP_DOWN with `down_status`.
  void Terminate(geeps_status down_status, geeps_status sent_status, int native_code);
  void Fail(geeps_status status, int native_code, const std::string& why);
  void CloseSocket();
  void SetDeadline(std::chrono::milliseconds limit);
  void ReportDone(geeps_status status);

  Endpoint* const endpoint_;
  int fd_ = -1;
  State state_;
  bool known_ = false;     // the host has a handle
  bool readable_ = false;
  bool writable_ = false;
  bool hung_up_ = false;   // the end of the stream is near: read on until it is seen
  bool read_ended_ = false;
  bool has_deadline_ = false;
  TimePoint deadline_;
  uint64_t cookie_ = 0;
  std::string handshake_out_;
  size_t handshake_in_ = 0;  // bytes of greeting_ or answer_ read
  Greeting greeting_;
  Answer answer_;
  SendQueue queue_;
  Receiver receiver_;
  std::vector<SendQueue::Done> done_;  // scratch
};

}  // namespace geeps::tcp

#endif  // GEEPS_TRANSPORTS_TCP_CONNECTION_H_
