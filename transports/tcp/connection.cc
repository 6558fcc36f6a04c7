// SPDX-License-Identifier: Apache-2.0
#include "transports/tcp/connection.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "transports/tcp/endpoint.h"

namespace geeps::tcp {
namespace {

// From the socket's acceptance to a whole greeting.
constexpr std::chrono::milliseconds kGreetingLimit(5000);
// From connect to the answer, which needs the peer's host to look at the request.
constexpr std::chrono::milliseconds kAnswerLimit(30000);
constexpr std::chrono::milliseconds kCloseLimit(1000);
// One write: its checksum has just brought it into the second-level cache.
constexpr size_t kWriteBytes = 256 << 10;
// One turn of a connection; then the others have theirs.
constexpr size_t kTurnBytes = 1 << 20;

}  // namespace

Connection::Connection(Endpoint* endpoint, State state, uint64_t payload_max)
    : endpoint_(endpoint), state_(state), receiver_(payload_max) {
  done_.reserve(SendQueue::kMessagesMax + 1);
}

void Connection::TakeSocket(int fd) {
  fd_ = fd;
  SetDeadline(state_ == State::kAwaitGreeting ? kGreetingLimit : kAnswerLimit);
}

Connection::~Connection() { CloseSocket(); }

void Connection::SetDeadline(std::chrono::milliseconds limit) {
  has_deadline_ = true;
  deadline_ = std::chrono::steady_clock::now() + limit;
  endpoint_->DeadlinesChanged();
}

void Connection::SetGreeting(const Greeting& greeting, uint64_t cookie) {
  known_ = true;
  cookie_ = cookie;
  handshake_out_.assign(reinterpret_cast<const char*>(&greeting), sizeof(greeting));
}

void Connection::OnEdges(uint32_t epoll_events) {
  if ((epoll_events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if ((epoll_events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
}

bool Connection::HasWork() const {
  const bool reads = readable_ && !read_ended_;
  switch (state_) {
    case State::kConnecting: return writable_;
    case State::kGreeted:
    case State::kAwaitGreeting: return reads || (writable_ && !handshake_out_.empty());
    case State::kRequested:
    case State::kDead: return false;
    case State::kUp:
    case State::kClosing: return reads || (writable_ && (!handshake_out_.empty() || !queue_.empty()));
    case State::kDraining: return reads;
  }
  return false;
}

void Connection::Progress() {
  if (state_ == State::kConnecting && writable_) FinishConnect();
  if (state_ == State::kGreeted || state_ == State::kAwaitGreeting) {
    FlushHandshake();
    if (readable_) ReadHandshake();
  }
  if (state_ == State::kUp || state_ == State::kClosing) {
    if (FlushHandshake()) WriteQueue();
  }
  if (state_ == State::kUp && readable_) ReadMessages();
  if ((state_ == State::kClosing || state_ == State::kDraining) && readable_) Discard();
}

void Connection::FinishConnect() {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) {
    Fail(GEEPS_E_IO, error, std::string("cannot connect: ") + strerrordesc_np(error));
    return;
  }
  endpoint_->LimitSilence(fd_);  // not before: a host with many requests to look at may be slow to answer one
  state_ = State::kGreeted;
}

bool Connection::FlushHandshake() {
  while (!handshake_out_.empty() && writable_) {
    const ssize_t sent = send(fd_, handshake_out_.data(), handshake_out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      handshake_out_.erase(0, static_cast<size_t>(sent));
    } else if (errno != EINTR) {
      writable_ = false;  // an error shows when the connection is read
      if (errno != EAGAIN) readable_ = hung_up_ = true;
    }
  }
  return handshake_out_.empty();
}

void Connection::ReportDone(geeps_status status) {
  for (const SendQueue::Done& done : done_) endpoint_->EmitSent(this, done.cookie, done.payload_bytes, status);
  done_.clear();
}

void Connection::WriteQueue() {
  for (size_t turn = 0; turn < kTurnBytes && writable_ && !queue_.empty();) {
    iovec places[SendQueue::kPlacesMax];
    msghdr message{};
    message.msg_iov = places;
    message.msg_iovlen = queue_.Gather(places, kWriteBytes);
    size_t wanted = 0;
    for (size_t i = 0; i < message.msg_iovlen; ++i) wanted += places[i].iov_len;
    const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      writable_ = false;
      // The peer is gone. What it sent before is read first; that also tells why.
      if (errno != EAGAIN) readable_ = hung_up_ = true;
      if (errno != EAGAIN && state_ == State::kClosing) FinishClosing();
      return;
    }
    queue_.Written(static_cast<size_t>(sent), &done_);
    if (static_cast<size_t>(sent) < wanted) writable_ = false;
    turn += static_cast<size_t>(sent);
    ReportDone(GEEPS_OK);
  }
  if (state_ == State::kClosing && queue_.empty()) FinishClosing();
}

ssize_t Connection::ReadOnce(iovec* places, size_t num_places, int* error) {
  size_t wanted = 0;
  for (size_t i = 0; i < num_places; ++i) wanted += places[i].iov_len;
  ssize_t got;
  do {
    got = readv(fd_, places, static_cast<int>(num_places));
  } while (got < 0 && errno == EINTR);
  *error = got < 0 ? errno : 0;
  if (got < 0 && errno == EAGAIN) {
    readable_ = false;
    return 0;
  }
  if (got <= 0) return -1;
  if (static_cast<size_t>(got) < wanted && !hung_up_) readable_ = false;  // drained; the next byte is an edge
  return got;
}

void Connection::ReadHandshake() {
  const bool accepting = state_ == State::kAwaitGreeting;
  uint8_t* const data = accepting ? reinterpret_cast<uint8_t*>(&greeting_) : reinterpret_cast<uint8_t*>(&answer_);
  const size_t bytes = accepting ? sizeof(greeting_) : sizeof(answer_);
  while (readable_ && handshake_in_ < bytes) {
    iovec place = {data + handshake_in_, bytes - handshake_in_};
    int error = 0;
    const ssize_t got = ReadOnce(&place, 1, &error);
    if (got < 0) return OnReadEnd(error);
    handshake_in_ += static_cast<size_t>(got);
    // Strangers are sent away at the first wrong word.
    if (handshake_in_ >= sizeof(uint64_t) && accepting && greeting_.magic != kGreetingMagic) break;
    if (handshake_in_ == bytes) readable_ = true;  // what follows may be there already
  }
  if (accepting && handshake_in_ >= sizeof(uint64_t) && (handshake_in_ == bytes || greeting_.magic != kGreetingMagic)) {
    TakeGreeting();
  } else if (!accepting && handshake_in_ == bytes) {
    TakeAnswer();
  }
}

void Connection::TakeGreeting() {
  geeps_status status = GEEPS_OK;
  const char* const why = CheckGreeting(greeting_, endpoint_->id(), endpoint_->job(), &status);
  if (why != nullptr) {
    endpoint_->Log(GEEPS_LOG_WARNING, std::string("refused a connection: ") + why);
    if (greeting_.magic == kGreetingMagic) {
      Answer answer;
      answer.status = status;
      answer.crc = ChecksumOf(answer);
      handshake_out_.assign(reinterpret_cast<const char*>(&answer), sizeof(answer));
      FlushHandshake();
    }
    Terminate(status, status, 0);
    return;
  }
  state_ = State::kRequested;
  known_ = true;
  has_deadline_ = false;
  endpoint_->EmitRequest(this, greeting_.private_data, greeting_.private_bytes);
}

void Connection::TakeAnswer() {
  if (answer_.magic != kAnswerMagic || answer_.crc != ChecksumOf(answer_)) {
    Fail(GEEPS_E_DATA, 0, "the answer to the greeting is damaged");
  } else if (answer_.version != kVersion) {
    Fail(GEEPS_E_ABI, 0, "the peer speaks version " + std::to_string(answer_.version) + " of this protocol, here is version " +
                             std::to_string(kVersion));
  } else if (answer_.status != GEEPS_OK) {
    Fail(answer_.status < 0 ? answer_.status : GEEPS_E_DATA, 0, "the peer refused the connection");
  } else {
    state_ = State::kUp;
    has_deadline_ = false;
    endpoint_->EmitUp(this);
  }
}

geeps_status Connection::Accept(uint64_t cookie) {
  if (state_ != State::kRequested) return GEEPS_E_STATE;
  cookie_ = cookie;
  Answer answer;
  answer.crc = ChecksumOf(answer);
  handshake_out_.assign(reinterpret_cast<const char*>(&answer), sizeof(answer));
  state_ = State::kUp;
  endpoint_->EmitUp(this);
  endpoint_->Activate(this);
  return GEEPS_OK;
}

void Connection::Close(bool linger) {
  switch (state_) {
    case State::kConnecting:
    case State::kGreeted: Terminate(GEEPS_OK, GEEPS_E_CANCELLED, 0); return;
    case State::kRequested: {
      Answer answer;
      answer.status = GEEPS_E_DENIED;
      answer.crc = ChecksumOf(answer);
      handshake_out_.assign(reinterpret_cast<const char*>(&answer), sizeof(answer));
      break;
    }
    case State::kUp:
      // A message that has begun ends as a whole: half a message would look like a death to the peer.
      if (!linger) queue_.Cancel(false, &done_);
      ReportDone(GEEPS_E_CANCELLED);
      queue_.PushClose();
      break;
    default: return;
  }
  state_ = State::kClosing;
  SetDeadline(kCloseLimit);
  endpoint_->Activate(this);
}

geeps_status Connection::SetSlot(uint32_t slot, void* memory, uint64_t bytes, geeps_error* err) {
  if (slot == GEEPS_TP_MAILBOX) return SetError(err, GEEPS_E_INVALID, 0, "slot 0 is the mailbox and has no memory");
  if (memory == nullptr && bytes != 0) return SetError(err, GEEPS_E_INVALID, 0, "memory is NULL");
  if (state_ == State::kDead || state_ == State::kDraining) return SetError(err, GEEPS_E_STATE, 0, "the connection is down");
  if (receiver_.SetSlot(slot, memory, bytes)) return GEEPS_OK;
  return SetError(err, GEEPS_E_STATE, 0, "a message lands in the slot");
}

geeps_status Connection::ArmSlot(uint32_t slot) {
  if (state_ == State::kDead || state_ == State::kDraining) return GEEPS_E_STATE;
  return receiver_.Arm(slot);
}

geeps_status Connection::Send(uint32_t slot, const void* header, uint64_t header_bytes, const geeps_tp_piece* pieces,
                              uint64_t num_pieces, uint64_t cookie) {
  if (state_ != State::kUp) return GEEPS_E_STATE;
  if (header == nullptr || header_bytes == 0 || header_bytes > GEEPS_TP_HEADER_MAX) return GEEPS_E_INVALID;
  if (num_pieces > GEEPS_TP_PIECES_MAX || (num_pieces != 0 && pieces == nullptr)) return GEEPS_E_INVALID;
  uint64_t payload_bytes = 0;
  for (uint64_t i = 0; i < num_pieces; ++i) {
    if (pieces[i].data == nullptr && pieces[i].bytes != 0) return GEEPS_E_INVALID;
    if (pieces[i].bytes > endpoint_->payload_max() - payload_bytes) return GEEPS_E_INVALID;
    payload_bytes += pieces[i].bytes;
  }
  if ((slot == GEEPS_TP_MAILBOX) != (payload_bytes == 0) || (slot == GEEPS_TP_MAILBOX && num_pieces != 0)) return GEEPS_E_INVALID;
  if (queue_.full()) return GEEPS_AGAIN;
  queue_.Push(slot, header, static_cast<uint16_t>(header_bytes), pieces, num_pieces, payload_bytes, cookie);
  endpoint_->Activate(this);
  return GEEPS_OK;
}

void Connection::OnMessage(uint32_t slot, const void* header, size_t header_bytes, uint64_t payload_bytes) {
  endpoint_->EmitReceived(this, slot, header, header_bytes, payload_bytes);
}

void Connection::OnClose() { Terminate(GEEPS_OK, GEEPS_E_CANCELLED, 0); }

void Connection::ReadMessages() {
  for (size_t turn = 0; turn < kTurnBytes && readable_ && state_ == State::kUp && !endpoint_->flooded();) {
    iovec places[2];
    const size_t num_places = receiver_.Places(places);
    int error = 0;
    const ssize_t got = ReadOnce(places, num_places, &error);
    if (got < 0) return OnReadEnd(error);
    if (got == 0) return;
    turn += static_cast<size_t>(got);
    std::string why;
    if (!receiver_.Arrived(static_cast<size_t>(got), this, &why)) return Fail(GEEPS_E_DATA, 0, why);
  }
}

void Connection::Discard() {
  static constexpr size_t kScratchBytes = 64 << 10;
  uint8_t scratch[kScratchBytes];
  for (size_t turn = 0; turn < kTurnBytes && readable_;) {
    iovec place = {scratch, sizeof(scratch)};
    int error = 0;
    const ssize_t got = ReadOnce(&place, 1, &error);
    if (got < 0) return OnReadEnd(error);
    turn += static_cast<size_t>(got);
  }
}

void Connection::OnReadEnd(int error) {
  readable_ = false;
  read_ended_ = true;
  const char* const text = error == 0 ? "it ended" : strerrordesc_np(error);
  switch (state_) {
    case State::kAwaitGreeting: Terminate(GEEPS_E_PEER_LOST, GEEPS_E_PEER_LOST, error); return;
    case State::kGreeted: Fail(GEEPS_E_PEER_LOST, error, std::string("lost during the handshake: ") + text); return;
    case State::kUp:
      Fail(GEEPS_E_PEER_LOST, error,
           std::string(receiver_.at_boundary() ? "connection lost: " : "connection lost inside a message: ") + text);
      return;
    case State::kClosing:
      if (error != 0) FinishClosing();
      return;
    case State::kDraining:
      CloseSocket();
      state_ = State::kDead;
      return;
    default: return;
  }
}

void Connection::FinishClosing() {
  queue_.Cancel(true, &done_);
  ReportDone(GEEPS_E_CANCELLED);
  endpoint_->EmitDown(this, GEEPS_OK, 0);
  if (read_ended_ || shutdown(fd_, SHUT_WR) != 0) {
    CloseSocket();
    state_ = State::kDead;
    return;
  }
  // Closing a socket that holds unread bytes resets the connection and may destroy the close frame at the peer.
  state_ = State::kDraining;
  SetDeadline(kCloseLimit);
}

void Connection::OnDeadline() {
  has_deadline_ = false;
  switch (state_) {
    case State::kConnecting:
    case State::kGreeted: Fail(GEEPS_E_TIMEOUT, 0, "no answer to the connection request within 30 s"); return;
    case State::kAwaitGreeting:
      endpoint_->Log(GEEPS_LOG_WARNING, "refused a connection: no whole greeting within 5 s");
      Terminate(GEEPS_E_TIMEOUT, GEEPS_E_TIMEOUT, 0);
      return;
    case State::kClosing:
      read_ended_ = true;  // no draining on top
      FinishClosing();
      return;
    case State::kDraining:
      CloseSocket();
      state_ = State::kDead;
      return;
    default: return;
  }
}

void Connection::Abandon() {
  done_.clear();  // reserved: nothing here needs memory
  if (state_ == State::kUp) {
    queue_.Cancel(false, &done_);
    queue_.PushClose();
    iovec places[SendQueue::kPlacesMax];
    msghdr message{};
    message.msg_iov = places;
    message.msg_iovlen = queue_.Gather(places, kWriteBytes);
    (void)!sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd_, SHUT_WR);
    uint8_t scratch[4096];
    while (recv(fd_, scratch, sizeof(scratch), MSG_DONTWAIT) > 0) {
    }
  }
  CloseSocket();
  state_ = State::kDead;
}

void Connection::Fail(geeps_status status, int native_code, const std::string& why) {
  endpoint_->Log(status == GEEPS_E_DATA ? GEEPS_LOG_ERROR : GEEPS_LOG_INFO, "connection down: " + why);
  Terminate(status, status, native_code);
}

void Connection::Terminate(geeps_status down_status, geeps_status sent_status, int native_code) {
  queue_.Cancel(true, &done_);
  ReportDone(sent_status);
  if (known_) endpoint_->EmitDown(this, down_status, native_code);
  CloseSocket();
  state_ = State::kDead;
}

void Connection::CloseSocket() {
  if (fd_ < 0) return;
  endpoint_->Forget(fd_);
  close(fd_);
  fd_ = -1;
}

}  // namespace geeps::tcp
