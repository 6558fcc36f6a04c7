// SPDX-License-Identifier: Apache-2.0
#include "transports/tcp/send_queue.h"

#include <algorithm>
#include <cstring>

#include "transports/tcp/crc32c.h"

namespace geeps::tcp {

SendQueue::Outgoing& SendQueue::Append(FrameHeader frame, const void* header) {
  Outgoing& message = At(size_++);
  frame.sequence = next_sequence_++;
  frame.head_crc = HeadChecksumOf(frame);
  frame.crc = ChecksumOf(frame, header);
  std::memcpy(message.head.data(), &frame, sizeof(frame));
  if (frame.header_bytes != 0) std::memcpy(message.head.data() + sizeof(frame), header, frame.header_bytes);
  message.head_bytes = sizeof(frame) + frame.header_bytes;
  message.num_pieces = 0;
  message.payload_bytes = frame.payload_bytes;
  message.written = 0;
  message.summed = 0;
  message.sequence = frame.sequence;
  message.cookie = 0;
  message.crc = frame.crc;
  message.is_close = frame.type == kFrameClose;
  return message;
}

void SendQueue::Push(uint32_t slot, const void* header, uint16_t header_bytes, const geeps_tp_piece* pieces,
                     uint64_t num_pieces, uint64_t payload_bytes, uint64_t cookie) {
  FrameHeader frame;
  frame.slot = slot;
  frame.header_bytes = header_bytes;
  frame.payload_bytes = payload_bytes;
  Outgoing& message = Append(frame, header);
  message.cookie = cookie;
  message.num_pieces = num_pieces;
  std::copy(pieces, pieces + num_pieces, message.pieces.begin());
}

void SendQueue::PushClose() {
  FrameHeader frame;
  frame.type = kFrameClose;
  Append(frame, nullptr);
}

size_t SendQueue::GatherOne(Outgoing* message, iovec* places, size_t cap, size_t* budget) {
  size_t num = 0;
  uint64_t offset = message->written;
  const auto add = [&](const void* data, uint64_t bytes) {
    const uint64_t take = std::min<uint64_t>(bytes, *budget);
    places[num++] = {const_cast<void*>(data), static_cast<size_t>(take)};
    *budget -= take;
    offset += take;
    return take == bytes;
  };
  if (offset < message->head_bytes && !add(message->head.data() + offset, message->head_bytes - offset)) return num;
  uint64_t base = 0;  // of the piece, within the payload
  for (size_t i = 0; i < message->num_pieces; ++i) {
    const geeps_tp_piece& piece = message->pieces[i];
    const uint64_t position = offset - message->head_bytes;
    if (position < base + piece.bytes) {
      if (num == cap || *budget == 0) return num;
      const uint8_t* data = static_cast<const uint8_t*>(piece.data);
      const bool whole = add(data + (position - base), base + piece.bytes - position);
      const uint64_t end = offset - message->head_bytes;
      if (end > message->summed) {
        message->crc = crc32c::Extend(message->crc, data + (message->summed - base), end - message->summed);
        message->summed = end;
      }
      if (!whole) return num;
    }
    base += piece.bytes;
  }
  if (message->payload_bytes == 0 || num == cap || *budget < kTrailerBytes) return num;
  const uint64_t sent = offset - message->head_bytes - message->payload_bytes;
  add(reinterpret_cast<const uint8_t*>(&message->crc) + sent, kTrailerBytes - sent);
  return num;
}

size_t SendQueue::Gather(iovec places[kPlacesMax], size_t bytes_max) {
  size_t num = 0;
  size_t budget = bytes_max;
  for (size_t i = 0; i < size_ && num < kPlacesMax && budget != 0; ++i) {
    Outgoing& message = At(i);
    const size_t budget_before = budget;
    num += GatherOne(&message, places + num, kPlacesMax - num, &budget);
    if (budget_before - budget != message.total() - message.written) break;  // the rest of it comes first
  }
  return num;
}

void SendQueue::Written(size_t bytes, std::vector<Done>* done) {
  while (size_ != 0) {
    Outgoing& message = At(0);
    const uint64_t take = std::min<uint64_t>(bytes, message.total() - message.written);
    message.written += take;
    bytes -= take;
    if (message.written != message.total()) return;
    if (!message.is_close) done->push_back({message.cookie, message.payload_bytes});
    head_ = (head_ + 1) % ring_.size();
    --size_;
  }
}

void SendQueue::Cancel(bool all, std::vector<Done>* dropped) {
  const size_t keep = !all && size_ != 0 && At(0).written != 0 ? 1 : 0;
  for (size_t i = keep; i < size_; ++i) {
    if (i == keep) next_sequence_ = At(i).sequence;
    if (!At(i).is_close) dropped->push_back({At(i).cookie, 0});
  }
  size_ = keep;
}

}  // namespace geeps::tcp
