// SPDX-License-Identifier: Apache-2.0
// Receiver: the slots of one connection and the state machine that takes bytes apart into messages. Payload is read straight
// into its slot; a small staging buffer takes frame headers, and what of a payload came along with them.
// Thread contract: the endpoint's.
#ifndef GEEPS_TRANSPORTS_TCP_RECEIVER_H_
#define GEEPS_TRANSPORTS_TCP_RECEIVER_H_

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "geeps_transport.h"
#include "transports/tcp/wire.h"

namespace geeps::tcp {

class Receiver {
 public:
  // What becomes of the bytes.
  class Sink {
   public:
    virtual void OnMessage(uint32_t slot, const void* header, size_t header_bytes, uint64_t payload_bytes) = 0;
    virtual void OnClose() = 0;  // the peer closed in order

   protected:
    ~Sink() = default;
  };

  explicit Receiver(uint64_t payload_max) : payload_max_(payload_max) {}

  // memory with bytes 0 removes the slot. False while a message lands in it.
  bool SetSlot(uint32_t slot, void* memory, uint64_t bytes);
  // GEEPS_OK; GEEPS_E_INVALID: no such slot; GEEPS_E_STATE: armed already, or a message lands in it.
  geeps_status Arm(uint32_t slot);

  // Where the next bytes are to be read to. Returns the number of places.
  size_t Places(iovec places[2]);
  // Takes in that so many bytes were read there. False: the peer broke the rules or the data is damaged; *why says how.
  bool Arrived(size_t bytes, Sink* sink, std::string* why);

  // True between messages: the end of the connection cuts none.
  bool at_boundary() const { return state_ == State::kHead && begin_ == end_; }

 private:
  enum class State { kHead, kPayload, kTrailer, kClosed };
  struct Slot {
    uint8_t* memory = nullptr;
    uint64_t bytes = 0;
    bool armed = false;
  };
  // A read of payload: small enough that the checksum finds it in the second-level cache.
  static constexpr size_t kChunkBytes = 256 << 10;
  static constexpr size_t kStagingBytes = 8 << 10;

  void Land(const uint8_t* data, size_t bytes);
  // Each returns false when more bytes are needed or, with *why set, when the data is bad.
  bool TakeHead(Sink* sink, std::string* why);
  bool TakeTrailer(Sink* sink, std::string* why);
  bool CheckSlot(std::string* why);

  const uint64_t payload_max_;
  std::unordered_map<uint32_t, Slot> slots_;
  State state_ = State::kHead;
  FrameHeader frame_;
  std::array<uint8_t, GEEPS_TP_HEADER_MAX> header_;
  uint8_t* landing_ = nullptr;  // next byte of the payload
  uint64_t missing_ = 0;        // bytes of the payload yet to come
  size_t direct_bytes_ = 0;     // of the last Places: how much goes straight into the slot
  uint32_t crc_ = 0;
  uint32_t next_sequence_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  std::array<uint8_t, kStagingBytes> staging_;
};

}  // namespace geeps::tcp

#endif  // GEEPS_TRANSPORTS_TCP_RECEIVER_H_
