// SPDX-License-Identifier: Apache-2.0
// Places in the header, in bytes: type 0, flags 1, number of parameters 2, table 4, partition 8, set id 12, epoch 16,
// sequence 24, clock 32, parameters or missing ranks or a run of rows 40 to 103, own clock or call 104, moment of the
// fire or number of missing ranks 112, moment of sending 120. Everything else, and every field that its type does
// not have, is zero.
#include "runtime/protocol/message.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "runtime/base/status.h"

namespace geeps::protocol {
namespace {

constexpr size_t kTableAt = 4;
constexpr size_t kPartitionAt = 8;
constexpr size_t kSetIdAt = 12;
constexpr size_t kEpochAt = 16;
constexpr size_t kSequenceAt = 24;
constexpr size_t kClockAt = 32;
constexpr size_t kParamsAt = 40;
constexpr size_t kFirstRowAt = kParamsAt;
constexpr size_t kNumRowsAt = kFirstRowAt + 4;
constexpr size_t kOwnClockAt = kParamsAt + 8 * kNumParamsMax;
constexpr size_t kCallAt = kOwnClockAt;
constexpr size_t kNumMissingAt = kOwnClockAt + 8;
constexpr size_t kFiredAt = kNumMissingAt;
constexpr size_t kSentAt = kFiredAt + 8;
static_assert(4 * kMissingListed == 8 * kNumParamsMax);
static_assert(kSentAt + 8 <= kHeaderBytes);

void Put(uint8_t* out, uint64_t value, int num_bytes) {
  for (int i = 0; i < num_bytes; ++i) out[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint64_t Get(const uint8_t* in, int num_bytes) {
  uint64_t value = 0;
  for (int i = 0; i < num_bytes; ++i) value |= uint64_t{in[i]} << (8 * i);
  return value;
}

bool KnownType(uint8_t type) {
  return type >= static_cast<uint8_t>(MessageType::kContribution) && type <= static_cast<uint8_t>(MessageType::kAck);
}

uint8_t FlagsOf(MessageType type) {
  switch (type) {
    case MessageType::kContribution:
      return kFlagEmpty | kFlagFired;
    case MessageType::kPublish:
      return kFlagHeaderOnly | kFlagUnchanged | kFlagFrozen;
    case MessageType::kGot:
      return kFlagFrozen;
    case MessageType::kSet:
      return kFlagKeepState;
    case MessageType::kFire:
    case MessageType::kCredit:
    case MessageType::kWho:
    case MessageType::kMissing:
    case MessageType::kGet:
    case MessageType::kAck:
      break;
  }
  return 0;
}

bool HasPartition(MessageType type) { return type != MessageType::kFire; }
bool HasSetId(MessageType type) { return type == MessageType::kContribution || type == MessageType::kFire; }
bool HasParams(MessageType type) { return type == MessageType::kContribution; }
bool HasMissing(MessageType type) { return type == MessageType::kMissing; }
bool HasOwnClock(MessageType type) { return type == MessageType::kPublish; }
bool HasRows(MessageType type) {
  return type == MessageType::kGet || type == MessageType::kGot || type == MessageType::kSet;
}
bool HasCall(MessageType type) { return HasRows(type) || type == MessageType::kAck; }
bool HasClock(MessageType type) { return type != MessageType::kSet && type != MessageType::kAck; }
bool HasFired(MessageType type) { return type == MessageType::kPublish; }

// Index of the first byte in [from, to) that is not zero, or `to`.
size_t FirstNonZero(absl::Span<const uint8_t> bytes, size_t from, size_t to) {
  while (from < to && bytes[from] == 0) ++from;
  return from;
}

// The places that a header of this type must leave zero. list_bytes: of its parameters, missing ranks, or rows.
absl::Status CheckUnused(absl::Span<const uint8_t> bytes, MessageType type, uint64_t list_bytes) {
  struct Range {
    size_t from, to;
  };
  const Range unused[] = {{3, kTableAt},
                          {kPartitionAt, HasPartition(type) ? kPartitionAt : kSetIdAt},
                          {kSetIdAt, HasSetId(type) ? kSetIdAt : kEpochAt},
                          {kClockAt, HasClock(type) ? kClockAt : kParamsAt},
                          {kParamsAt + list_bytes, kOwnClockAt},
                          {kOwnClockAt, HasOwnClock(type) || HasCall(type) ? kOwnClockAt : kNumMissingAt},
                          {HasFired(type)     ? kSentAt
                           : HasMissing(type) ? kNumMissingAt + 4
                                              : kNumMissingAt,
                           kSentAt}};
  for (const Range& range : unused) {
    const size_t at = FirstNonZero(bytes, range.from, range.to);
    if (at < range.to) {
      return BadData("a message header of type ", static_cast<int>(type), " has ", static_cast<int>(bytes[at]),
                     " in byte ", at, ", which must be zero");
    }
  }
  return absl::OkStatus();
}

}  // namespace

void EncodeHeader(const Header& header, uint8_t out[kHeaderBytes]) {
  std::memset(out, 0, kHeaderBytes);
  out[0] = static_cast<uint8_t>(header.type);
  out[1] = header.flags;
  Put(out + kTableAt, header.table, 4);
  if (HasPartition(header.type)) Put(out + kPartitionAt, header.partition, 4);
  if (HasSetId(header.type)) Put(out + kSetIdAt, header.set_id, 4);
  Put(out + kEpochAt, header.epoch, 8);
  Put(out + kSequenceAt, header.sequence, 8);
  if (HasClock(header.type)) Put(out + kClockAt, header.clock, 8);
  if (HasOwnClock(header.type)) Put(out + kOwnClockAt, header.own_clock, 8);
  if (HasCall(header.type)) Put(out + kCallAt, header.call, 8);
  if (HasRows(header.type)) {
    Put(out + kFirstRowAt, header.first_row, 4);
    Put(out + kNumRowsAt, header.num_rows, 4);
  }
  if (HasFired(header.type)) Put(out + kFiredAt, header.fired_ns, 8);
  Put(out + kSentAt, header.sent_ns, 8);
  if (HasMissing(header.type)) {
    Put(out + kNumMissingAt, header.num_missing, 4);
    const uint32_t num_listed = std::min(header.num_missing, kMissingListed);
    for (uint32_t i = 0; i < num_listed; ++i) Put(out + kParamsAt + 4 * i, header.missing[i], 4);
  }
  if (!HasParams(header.type)) return;
  const uint32_t num = header.params.num < kNumParamsMax ? header.params.num : kNumParamsMax;
  out[2] = static_cast<uint8_t>(num);
  for (uint32_t i = 0; i < num; ++i) Put(out + kParamsAt + 8 * i, std::bit_cast<uint64_t>(header.params.values[i]), 8);
}

absl::Status DecodeHeader(absl::Span<const uint8_t> bytes, Header* out) {
  if (bytes.size() != kHeaderBytes) {
    return BadData("a message header has ", bytes.size(), " bytes instead of ", kHeaderBytes);
  }
  if (!KnownType(bytes[0])) return BadData("a message header has the unknown type ", static_cast<int>(bytes[0]));
  Header header;
  header.type = static_cast<MessageType>(bytes[0]);
  header.flags = bytes[1];
  if ((header.flags & ~FlagsOf(header.type)) != 0) {
    return BadData("a message header of type ", static_cast<int>(bytes[0]), " has flags ",
                   static_cast<int>(header.flags), ", known are ", static_cast<int>(FlagsOf(header.type)));
  }
  header.params.num = bytes[2];
  const uint32_t num_params_max = HasParams(header.type) ? kNumParamsMax : 0;
  if (header.params.num > num_params_max) {
    return BadData("a message header of type ", static_cast<int>(bytes[0]), " has ", header.params.num,
                   " rule parameters, at most ", num_params_max, " are possible");
  }
  if (HasMissing(header.type)) header.num_missing = static_cast<uint32_t>(Get(&bytes[kNumMissingAt], 4));
  const uint32_t num_listed = std::min(header.num_missing, kMissingListed);
  const uint64_t rows_bytes = HasRows(header.type) ? 8 : 0;
  GEEPS_RETURN_IF_ERROR(CheckUnused(bytes, header.type, 8 * header.params.num + 4 * num_listed + rows_bytes));
  header.table = static_cast<uint32_t>(Get(&bytes[kTableAt], 4));
  header.partition = static_cast<uint32_t>(Get(&bytes[kPartitionAt], 4));
  header.set_id = static_cast<uint32_t>(Get(&bytes[kSetIdAt], 4));
  header.epoch = Get(&bytes[kEpochAt], 8);
  header.sequence = Get(&bytes[kSequenceAt], 8);
  header.clock = Get(&bytes[kClockAt], 8);
  if (HasOwnClock(header.type)) header.own_clock = Get(&bytes[kOwnClockAt], 8);
  if (HasCall(header.type)) header.call = Get(&bytes[kCallAt], 8);
  if (HasRows(header.type)) {
    header.first_row = static_cast<uint32_t>(Get(&bytes[kFirstRowAt], 4));
    header.num_rows = static_cast<uint32_t>(Get(&bytes[kNumRowsAt], 4));
  }
  if (HasFired(header.type)) header.fired_ns = Get(&bytes[kFiredAt], 8);
  header.sent_ns = Get(&bytes[kSentAt], 8);
  for (uint32_t i = 0; i < header.params.num; ++i) {
    header.params.values[i] = std::bit_cast<double>(Get(&bytes[kParamsAt + 8 * i], 8));
  }
  for (uint32_t i = 0; i < num_listed; ++i) {
    header.missing[i] = static_cast<uint32_t>(Get(&bytes[kParamsAt + 4 * i], 4));
  }
  *out = header;
  return absl::OkStatus();
}

EpochVerdict JudgeEpoch(MessageType type, uint64_t epoch, uint64_t own) {
  const uint64_t next = own + 1;
  if (type == MessageType::kSet || type == MessageType::kAck) {
    return epoch == next ? EpochVerdict::kTake : EpochVerdict::kRefuse;
  }
  if (epoch == own && own > 0) return EpochVerdict::kTake;
  if (epoch == next) {
    // From workers that have begun it: everything else needs something that this worker sends in that epoch.
    const bool may_be_early = type == MessageType::kPublish || type == MessageType::kWho || type == MessageType::kGet;
    if (!may_be_early) return EpochVerdict::kRefuse;
    return Broken(Mutant::kNextEpochTaken) ? EpochVerdict::kTake : EpochVerdict::kWait;
  }
  if (epoch > next || epoch == 0) return EpochVerdict::kRefuse;
  const bool may_be_late = type == MessageType::kCredit ||
                           (type == MessageType::kFire && !Broken(Mutant::kLateFireRefused)) ||
                           type == MessageType::kWho || type == MessageType::kMissing || type == MessageType::kGet ||
                           type == MessageType::kGot;
  if (may_be_late && Broken(Mutant::kOldEpochTaken)) return EpochVerdict::kTake;
  return may_be_late ? EpochVerdict::kDrop : EpochVerdict::kRefuse;
}

}  // namespace geeps::protocol
