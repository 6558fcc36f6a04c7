// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/control_channel.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "runtime/base/status.h"

namespace geeps::net {
namespace {

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kReadMoreBytes = 256 << 10;  // inside a long frame
constexpr size_t kTurnBytes = 4 << 20;  // then the other connections have their turn

}  // namespace

bool Channel::Read() {
  // Of a stranger no more is held than a greeting and what one read brings along.
  const size_t held_bytes_max = std::min<size_t>(kTurnBytes, wire::kFrameHeaderBytes + body_max_);
  bool any = false;
  for (size_t turn = 0; turn < kTurnBytes && open() && !ended_ && failure_.ok();) {
    if (in_begin_ != 0) {
      in_.erase(0, in_begin_);
      in_begin_ = 0;
    }
    const size_t before = in_.size();
    const size_t wanted = before < kReadBytes ? kReadBytes : kReadMoreBytes;
    in_.resize(before + wanted);
    const ssize_t got = recv(socket_.fd(), in_.data() + before, wanted, MSG_DONTWAIT);
    const int error = errno;
    in_.resize(before + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got > 0) {
      any = true;
      turn += static_cast<size_t>(got);
      // A whole frame may be there: handle it before more is taken in, so that memory stays bounded by one frame.
      if (in_.size() > held_bytes_max) break;
    } else if (got == 0 || (error != EAGAIN && error != EINTR)) {
      ended_ = true;
    } else if (error == EAGAIN) {
      break;
    }
  }
  return any;
}

bool Channel::Next(wire::Type* type, std::string* body) {
  const absl::string_view bytes = absl::string_view(in_).substr(in_begin_);
  if (!failure_.ok() || bytes.size() < wire::kMagicBytes) return false;
  if (bytes.size() < wire::kFrameHeaderBytes) {
    failure_ = wire::CheckMagic(bytes);
    return false;
  }
  wire::FrameHeader header;
  failure_ = wire::DecodeFrameHeader(bytes, body_max_, &header);
  if (!failure_.ok() || bytes.size() - wire::kFrameHeaderBytes < header.body_bytes) return false;
  const absl::string_view content = bytes.substr(wire::kFrameHeaderBytes, header.body_bytes);
  failure_ = wire::CheckBody(header, content);
  if (failure_.ok() && header.sequence != in_sequence_) {
    failure_ = BadData("control message ", header.sequence, " came where message ", in_sequence_, " is due");
  }
  if (!failure_.ok()) return false;
  *type = header.type;
  body->assign(content.data(), content.size());
  in_begin_ += wire::kFrameHeaderBytes + header.body_bytes;
  ++in_sequence_;
  return true;
}

bool Channel::Send(wire::Type type, absl::string_view body) {
  if (!open() || write_broken_ || finish_) return true;  // the reading side tells why
  if (body.size() > wire::kBodyMax || out_bytes_ > kQueuedBytesMax) return false;
  out_.push_back(wire::Frame(type, body, out_sequence_));
  ++out_sequence_;  // behind what may find no memory
  out_bytes_ += out_.back().size();
  return true;
}

void Channel::Flush() {
  while (open() && !out_.empty() && !write_broken_) {
    const std::string& frame = out_.front();
    const ssize_t sent = send(socket_.fd(), frame.data() + out_offset_, frame.size() - out_offset_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      // The peer is gone; what it sent before is still read.
      write_broken_ = true;
      out_.clear();
      out_bytes_ = 0;
      return;
    }
    out_offset_ += static_cast<size_t>(sent);
    if (out_offset_ < frame.size()) continue;
    out_bytes_ -= frame.size();
    out_offset_ = 0;
    out_.pop_front();
  }
  if (finish_ && out_.empty() && open()) shutdown(socket_.fd(), SHUT_WR);
}

void Channel::Finish() {
  finish_ = true;
  Flush();
}

}  // namespace geeps::net
