// SPDX-License-Identifier: Apache-2.0
#include "transports/tcp/receiver.h"

#include <algorithm>
#include <cstring>

#include "transports/tcp/crc32c.h"

namespace geeps::tcp {

bool Receiver::SetSlot(uint32_t slot, void* memory, uint64_t bytes) {
  const bool landing = (state_ == State::kPayload || state_ == State::kTrailer) && frame_.slot == slot;
  if (landing) return false;
  if (bytes == 0) {
    slots_.erase(slot);
  } else {
    slots_[slot] = {static_cast<uint8_t*>(memory), bytes, false};
  }
  return true;
}

geeps_status Receiver::Arm(uint32_t slot) {
  const auto it = slots_.find(slot);
  if (it == slots_.end()) return GEEPS_E_INVALID;
  const bool landing = (state_ == State::kPayload || state_ == State::kTrailer) && frame_.slot == slot;
  if (it->second.armed || landing) return GEEPS_E_STATE;
  it->second.armed = true;
  return GEEPS_OK;
}

size_t Receiver::Places(iovec places[2]) {
  size_t num = 0;
  direct_bytes_ = 0;
  if (state_ == State::kPayload) {
    // Staging is empty here: Arrived moves all it can.
    direct_bytes_ = std::min<uint64_t>(missing_, kChunkBytes);
    places[num++] = {landing_, direct_bytes_};
    if (direct_bytes_ < missing_) return num;
  }
  if (begin_ != 0) {
    std::memmove(staging_.data(), staging_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  places[num++] = {staging_.data() + end_, staging_.size() - end_};
  return num;
}

void Receiver::Land(const uint8_t* data, size_t bytes) {
  crc_ = crc32c::Extend(crc_, data, bytes);
  if (data != landing_) std::memcpy(landing_, data, bytes);
  landing_ += bytes;
  missing_ -= bytes;
  if (missing_ == 0) state_ = State::kTrailer;
}

bool Receiver::Arrived(size_t bytes, Sink* sink, std::string* why) {
  if (direct_bytes_ != 0) {
    const size_t direct = std::min(bytes, direct_bytes_);
    Land(landing_, direct);
    bytes -= direct;
  }
  end_ += bytes;
  for (bool more = true; more;) {
    switch (state_) {
      case State::kHead: more = TakeHead(sink, why); break;
      case State::kPayload: {
        const size_t take = std::min<uint64_t>(missing_, end_ - begin_);
        const size_t from = begin_;
        begin_ += take;
        if (take != 0) Land(staging_.data() + from, take);
        more = missing_ == 0;
        break;
      }
      case State::kTrailer: more = TakeTrailer(sink, why); break;
      case State::kClosed: more = false; break;
    }
  }
  if (begin_ == end_) begin_ = end_ = 0;
  return why->empty();
}

bool Receiver::TakeHead(Sink* sink, std::string* why) {
  const size_t have = end_ - begin_;
  if (have < sizeof(FrameHeader)) return false;
  FrameHeader frame;
  std::memcpy(&frame, staging_.data() + begin_, sizeof(frame));
  const bool is_close = frame.type == kFrameClose;
  if (frame.magic == kFrameMagic && HeadChecksumOf(frame) != frame.head_crc) {
    *why = "checksum of a frame header is wrong";
    return false;
  }
  if (frame.magic != kFrameMagic || (frame.type != kFrameMessage && !is_close) ||
      frame.header_bytes > GEEPS_TP_HEADER_MAX || (frame.header_bytes == 0) != is_close) {
    *why = "no frame header where one is due";
    return false;
  }
  if (have < sizeof(frame) + frame.header_bytes) return false;
  const uint8_t* header = staging_.data() + begin_ + sizeof(frame);
  if (ChecksumOf(frame, header) != frame.crc) {
    *why = "checksum of a message header is wrong";
    return false;
  }
  if (frame.sequence != next_sequence_) {
    *why = "frame " + std::to_string(frame.sequence) + " came where frame " + std::to_string(next_sequence_) + " is due";
    return false;
  }
  ++next_sequence_;
  frame_ = frame;
  begin_ += sizeof(frame) + frame.header_bytes;
  if (is_close) {
    state_ = State::kClosed;
    sink->OnClose();
    return false;
  }
  if (!CheckSlot(why)) return false;
  if (frame.payload_bytes == 0) {
    sink->OnMessage(frame.slot, header, frame.header_bytes, 0);
    return true;
  }
  std::memcpy(header_.data(), header, frame.header_bytes);
  crc_ = frame.crc;
  missing_ = frame.payload_bytes;
  state_ = State::kPayload;
  return true;
}

bool Receiver::CheckSlot(std::string* why) {
  const bool mailbox = frame_.slot == GEEPS_TP_MAILBOX;
  if (mailbox && frame_.payload_bytes == 0) return true;
  const auto it = slots_.find(frame_.slot);
  const char* fault = nullptr;
  if (mailbox || frame_.payload_bytes == 0) {
    fault = "where the mailbox, and only it, takes messages without payload";
  } else if (frame_.payload_bytes > payload_max_) {
    fault = "above the limit of payloads";
  } else if (it == slots_.end()) {
    fault = "which has no memory";
  } else if (!it->second.armed) {
    fault = "which is not armed";
  } else if (frame_.payload_bytes > it->second.bytes) {
    fault = "which is shorter";
  }
  if (fault != nullptr) {
    *why = "a message of " + std::to_string(frame_.payload_bytes) + " bytes came to slot " + std::to_string(frame_.slot) +
           " (" + std::to_string(it == slots_.end() ? 0 : it->second.bytes) + " bytes), " + fault;
    return false;
  }
  it->second.armed = false;
  landing_ = it->second.memory;
  return true;
}

bool Receiver::TakeTrailer(Sink* sink, std::string* why) {
  if (end_ - begin_ < kTrailerBytes) return false;
  uint32_t crc;
  std::memcpy(&crc, staging_.data() + begin_, sizeof(crc));
  begin_ += kTrailerBytes;
  state_ = State::kHead;
  if (crc != crc_) {
    *why = "checksum of a payload of " + std::to_string(frame_.payload_bytes) + " bytes to slot " +
           std::to_string(frame_.slot) + " is wrong";
    return false;
  }
  sink->OnMessage(frame_.slot, header_.data(), frame_.header_bytes, frame_.payload_bytes);
  return true;
}

}  // namespace geeps::tcp
