// SPDX-License-Identifier: Apache-2.0
// SendQueue: the messages of one connection that are not yet wholly with the kernel, and the pieces to write next. It also
// computes the payload's checksum, just before a piece is written, so that the data passes through the cache once.
// Thread contract: the endpoint's.
#ifndef GEEPS_TRANSPORTS_TCP_SEND_QUEUE_H_
#define GEEPS_TRANSPORTS_TCP_SEND_QUEUE_H_

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "geeps_transport.h"
#include "transports/tcp/wire.h"

namespace geeps::tcp {

class SendQueue {
 public:
  // Bounds memory (about 400 bytes a message); more than enough to keep a socket busy with the smallest messages.
  static constexpr size_t kMessagesMax = 64;
  static constexpr size_t kPlacesMax = 64;  // iovec entries of one write

  SendQueue() : ring_(kMessagesMax + 1) {}  // one more for the close frame

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ >= kMessagesMax; }

  // REQUIRES: !full(); sizes within the limits of geeps_transport.h; payload_bytes is the sum of the pieces.
  void Push(uint32_t slot, const void* header, uint16_t header_bytes, const geeps_tp_piece* pieces, uint64_t num_pieces,
            uint64_t payload_bytes, uint64_t cookie);
  // The last frame. REQUIRES: not called before.
  void PushClose();

  // What to write next, at most bytes_max bytes of it. Returns the number of places; 0 when empty.
  size_t Gather(iovec places[kPlacesMax], size_t bytes_max);
  // Takes in that so many bytes of the last Gather were written. Appends the cookies and payload sizes of finished messages.
  struct Done {
    uint64_t cookie;
    uint64_t payload_bytes;
  };
  void Written(size_t bytes, std::vector<Done>* done);

  // Drops what is not begun (all: whatever is left), appending the cookies in order.
  void Cancel(bool all, std::vector<Done>* dropped);

 private:
  struct Outgoing {
    std::array<uint8_t, sizeof(FrameHeader) + GEEPS_TP_HEADER_MAX> head;
    std::array<geeps_tp_piece, GEEPS_TP_PIECES_MAX> pieces;
    size_t head_bytes = 0;
    size_t num_pieces = 0;
    uint64_t payload_bytes = 0;
    uint64_t written = 0;      // bytes of the whole frame
    uint64_t summed = 0;       // bytes of the payload that `crc` covers
    uint32_t sequence = 0;
    uint64_t cookie = 0;
    uint32_t crc = 0;
    bool is_close = false;
    uint64_t total() const { return head_bytes + payload_bytes + (payload_bytes != 0 ? kTrailerBytes : 0); }
  };

  Outgoing& At(size_t i) { return ring_[(head_ + i) % ring_.size()]; }
  Outgoing& Append(FrameHeader frame, const void* header);
  static size_t GatherOne(Outgoing* message, iovec* places, size_t cap, size_t* budget);

  std::vector<Outgoing> ring_;
  size_t head_ = 0;
  size_t size_ = 0;
  uint32_t next_sequence_ = 0;
};

}  // namespace geeps::tcp

#endif  // GEEPS_TRANSPORTS_TCP_SEND_QUEUE_H_
