// SPDX-License-Identifier: Apache-2.0
// Header of the messages between workers (docs/protocol.md, section 3) and its encoding: 128 bytes, little endian,
// fixed places.
// Payloads (values) are not described here: they land in the slot that SlotOfContribution or SlotOfPublish names.
#ifndef GEEPS_RUNTIME_PROTOCOL_MESSAGE_H_
#define GEEPS_RUNTIME_PROTOCOL_MESSAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/protocol/types.h"

namespace geeps::protocol {

enum class MessageType : uint8_t {
  kContribution = 1,
  kFire = 2,
  kPublish = 3,
  kCredit = 4,
  kWho = 5,
  kMissing = 6,
  kGet = 7,  // R12 (get.h, set.h), as are the next three
  kGot = 8,
  kSet = 9,
  kAck = 10
};

inline constexpr uint8_t kFlagEmpty = 0x1;       // contribution: no data at this partition, no payload
inline constexpr uint8_t kFlagFired = 0x2;       // contribution: the table was fired for this clock
inline constexpr uint8_t kFlagHeaderOnly = 0x4;  // publish: the subscriber reads no row here, no payload
inline constexpr uint8_t kFlagUnchanged = 0x8;   // publish: no contribution since the version sent last, no payload
inline constexpr uint8_t kFlagFrozen = 0x10;     // publish, got: nobody updates the partition: no further version comes
inline constexpr uint8_t kFlagKeepState = 0x20;  // set: rule state and step counts of the rows stay as they are

inline constexpr uint32_t kMissingListed = 16;

struct Header {
  MessageType type = MessageType::kContribution;
  uint8_t flags = 0;
  uint32_t table = 0;      // the table
  uint32_t partition = 0;  // all but fire: the partition
  uint32_t set_id = 0;     // contribution, fire: the plan, or kSetNothing
  uint64_t epoch = 0;
  uint64_t sequence = 0;   // per connection and direction, from 0
  uint64_t clock = 0;      // contribution, fire: the clock; publish, credit, missing, got: the age; get: the age wanted
  uint64_t own_clock = 0;  // publish of an async table: the receiver's clocks below it are contained; else 0
  // For the statistics alone, in nanoseconds of the sender's steady clock; a receiver takes any value.
  uint64_t sent_ns = 0;   // when the message was made
  uint64_t fired_ns = 0;  // publish: when the last of the others had fired the clock that made this version; 0: unknown
  RuleParams params;       // contribution
  // missing: how many have not delivered and fired the clock that comes next, and the first of them
  uint32_t num_missing = 0;
  std::array<uint32_t, kMissingListed> missing{};
  uint64_t call = 0;       // get, got, set, ack: the caller's number of its call
  uint32_t first_row = 0;  // get, got, set: the rows, relative to the partition. Got, set: their values are the payload
  uint32_t num_rows = 0;
};

inline constexpr size_t kHeaderBytes = 128;

// Fields that the type does not have are encoded as zero. REQUIRES: params.num <= kNumParamsMax.
void EncodeHeader(const Header& header, uint8_t out[kHeaderBytes]);

// Errors: DataLoss for a wrong size, an unknown type or flag, too many parameters, non-zero unused bytes. `out` is
// written on success only.
absl::Status DecodeHeader(absl::Span<const uint8_t> bytes, Header* out);

// What becomes of a message of `epoch` at a worker whose epoch in force is `own` (0 before the first commit). SET and
// ACK travel while a fence is under way, and carry the epoch that it is about to begin.
enum class EpochVerdict : uint8_t {
  kTake,    // it is of the epoch in force; SET, ACK: of the next one
  kDrop,    // a late one of an old epoch, of a kind that may be late
  kWait,    // of the next epoch: until that is in force here
  kRefuse,  // a protocol error
};
EpochVerdict JudgeEpoch(MessageType type, uint64_t epoch, uint64_t own);

// Slots of a connection, as the receiver names them; the same closed form on both sides. 128 slots a partition: W <= 65
// landing slots for contributions, one for the publish. REQUIRES: partition < 2^25 - 1.
inline constexpr uint32_t kSlotsPerPartition = 128;
inline uint32_t SlotOfContribution(uint32_t partition, Clock clock, uint32_t slack_max) {
  return 1 + partition * kSlotsPerPartition + static_cast<uint32_t>(clock % NumLandingSlots(slack_max));
}
inline uint32_t SlotOfPublish(uint32_t partition) {
  return 1 + partition * kSlotsPerPartition + kSlotsPerPartition - 1;
}

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_MESSAGE_H_
