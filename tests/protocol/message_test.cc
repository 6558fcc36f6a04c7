// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/message.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "runtime/base/status.h"

namespace geeps::protocol {
namespace {

using Bytes = std::array<uint8_t, kHeaderBytes>;

Bytes Encode(const Header& header) {
  Bytes bytes;
  bytes.fill(0xee);
  EncodeHeader(header, bytes.data());
  return bytes;
}

absl::Status Decode(const Bytes& bytes, Header* out) { return DecodeHeader(absl::MakeConstSpan(bytes), out); }

bool Same(const Header& a, const Header& b) {
  return a.type == b.type && a.flags == b.flags && a.table == b.table && a.partition == b.partition &&
         a.set_id == b.set_id && a.epoch == b.epoch && a.sequence == b.sequence && a.clock == b.clock &&
         a.own_clock == b.own_clock && SameBits(a.params, b.params) && a.num_missing == b.num_missing &&
         a.missing == b.missing && a.call == b.call && a.first_row == b.first_row && a.num_rows == b.num_rows &&
         a.sent_ns == b.sent_ns && a.fired_ns == b.fired_ns;
}

// One of each type, every field of the type with a value of its own.
std::vector<Header> Samples() {
  Header contribution;
  contribution.type = MessageType::kContribution;
  contribution.flags = kFlagFired;
  contribution.table = 3;
  contribution.partition = 0x01020304;
  contribution.set_id = kSetNothing;
  contribution.epoch = 0x1112131415161718;
  contribution.sequence = 0x2122232425262728;
  contribution.clock = 0x3132333435363738;
  contribution.sent_ns = 0x6162636465666768;
  contribution.params.num = 3;
  contribution.params.values = {0.1, -0.0, 1e300};

  Header fire = contribution;
  fire.type = MessageType::kFire;
  fire.flags = 0;
  fire.partition = 0;
  fire.params = RuleParams{};

  Header publish = contribution;
  publish.type = MessageType::kPublish;
  publish.flags = kFlagHeaderOnly | kFlagFrozen;
  publish.set_id = 0;
  publish.own_clock = 0x4142434445464748;
  publish.fired_ns = 0x7172737475767778;
  publish.params = RuleParams{};

  Header credit = publish;
  credit.type = MessageType::kCredit;
  credit.flags = 0;
  credit.own_clock = 0;
  credit.fired_ns = 0;
  Header who = credit;
  who.type = MessageType::kWho;

  Header missing = credit;
  missing.type = MessageType::kMissing;
  missing.num_missing = 3;
  missing.missing = {1, 0x51525354, 4};

  Header get = credit;
  get.type = MessageType::kGet;
  get.call = 0x6162636465666768;
  get.first_row = 0x71727374;
  get.num_rows = 0x75767778;
  Header got = get;
  got.type = MessageType::kGot;
  got.flags = kFlagFrozen;
  Header set = get;
  set.type = MessageType::kSet;
  set.flags = kFlagKeepState;
  set.clock = 0;
  Header ack = set;
  ack.type = MessageType::kAck;
  ack.flags = 0;
  ack.first_row = ack.num_rows = 0;
  return {contribution, fire, publish, credit, who, missing, get, got, set, ack};
}

}  // namespace

TEST_CASE("Header: what is encoded is decoded, every field of every type") {
  for (const Header& header : Samples()) {
    Header decoded;
    REQUIRE(Decode(Encode(header), &decoded).ok());
    CHECK(Same(decoded, header));
  }
}

TEST_CASE("Header: bytes are little endian, at fixed places") {
  const Bytes bytes = Encode(Samples()[0]);
  CHECK(bytes[0] == 1);
  CHECK(bytes[1] == kFlagFired);
  CHECK(bytes[2] == 3);
  CHECK(bytes[4] == 3);
  CHECK(bytes[8] == 0x04);
  CHECK(bytes[11] == 0x01);
  CHECK(bytes[16] == 0x18);
  CHECK(bytes[23] == 0x11);
  CHECK(bytes[24] == 0x28);
  CHECK(bytes[32] == 0x38);
  CHECK(bytes[39] == 0x31);
  CHECK(bytes[55] == 0x80);  // the sign of -0.0
  CHECK(std::all_of(bytes.begin() + 64, bytes.begin() + 120, [](uint8_t byte) { return byte == 0; }));
  CHECK(bytes[120] == 0x68);
  CHECK(bytes[127] == 0x61);
  const Bytes publish = Encode(Samples()[2]);
  CHECK(publish[104] == 0x48);
  CHECK(publish[111] == 0x41);
  CHECK(publish[112] == 0x78);
  CHECK(publish[119] == 0x71);
  const Bytes get = Encode(Samples()[6]);
  CHECK(get[40] == 0x74);
  CHECK(get[44] == 0x78);
  CHECK(get[104] == 0x68);
  CHECK(get[111] == 0x61);
}

TEST_CASE("Header: of many missing ranks the first are listed") {
  Header header = Samples()[5];
  header.num_missing = 5000;
  for (uint32_t i = 0; i < kMissingListed; ++i) header.missing[i] = 100 + i;
  const Bytes bytes = Encode(header);
  CHECK(bytes[40] == 100);
  CHECK(bytes[40 + 4 * (kMissingListed - 1)] == 100 + kMissingListed - 1);
  Header decoded;
  REQUIRE(Decode(bytes, &decoded).ok());
  CHECK(Same(decoded, header));
}

TEST_CASE("Header: fields that a type does not have are encoded as zero") {
  Header header = Samples()[0];
  header.type = MessageType::kFire;
  header.flags = 0;
  header.own_clock = 5;
  Header decoded;
  REQUIRE(Decode(Encode(header), &decoded).ok());
  CHECK(decoded.partition == 0);
  CHECK(decoded.params.num == 0);
  CHECK(decoded.own_clock == 0);
  header.type = MessageType::kCredit;
  REQUIRE(Decode(Encode(header), &decoded).ok());
  CHECK(decoded.set_id == 0);
  CHECK(decoded.partition == header.partition);
}

TEST_CASE("Header: every length but the right one is refused, and nothing is written") {
  std::vector<uint8_t> bytes(2 * kHeaderBytes);
  EncodeHeader(Samples()[0], bytes.data());
  for (size_t length = 0; length <= bytes.size(); ++length) {
    Header out;
    out.clock = 77;
    const absl::Status status = DecodeHeader(absl::MakeConstSpan(bytes).first(length), &out);
    CHECK(status.ok() == (length == kHeaderBytes));
    if (status.ok()) continue;
    CHECK(out.clock == 77);
    CHECK(DetailOf(status).code == Code::kData);
    CHECK(std::string(status.message()).find(std::to_string(length)) != std::string::npos);
  }
}

TEST_CASE("Header: every change of every byte is refused or changes the header, and what is accepted is canonical") {
  for (const Header& header : Samples()) {
    const Bytes good = Encode(header);
    for (size_t at = 0; at < kHeaderBytes; ++at) {
      for (int change = 1; change < 256; ++change) {
        Bytes bytes = good;
        bytes[at] = static_cast<uint8_t>(bytes[at] ^ change);
        Header out;
        out.clock = 77;
        const absl::Status status = Decode(bytes, &out);
        if (!status.ok()) {
          CHECK(out.clock == 77);
          CHECK(DetailOf(status).code == Code::kData);
          continue;
        }
        CHECK_FALSE(Same(out, header));
        CHECK(Encode(out) == bytes);
      }
    }
  }
}

TEST_CASE("Header: unknown types, unknown flags, too many parameters and bytes that must be zero are refused by name") {
  auto refusal = [](size_t at, uint8_t value) {
    Bytes bytes = Encode(Samples()[0]);
    bytes[at] = value;
    Header out;
    return std::string(Decode(bytes, &out).message());
  };
  CHECK(refusal(0, 0).find("unknown type 0") != std::string::npos);
  CHECK(refusal(0, 11).find("unknown type 11") != std::string::npos);
  CHECK(refusal(1, 0x80).find("flags 128, known are 3") != std::string::npos);
  CHECK(refusal(1, kFlagFrozen).find("flags 16, known are 3") != std::string::npos);
  CHECK(refusal(2, 9).find("9 rule parameters, at most 8") != std::string::npos);
  CHECK(refusal(3, 1).find("1 in byte 3, which must be zero") != std::string::npos);
  CHECK(refusal(64, 2).find("2 in byte 64, which must be zero") != std::string::npos);
  CHECK(refusal(119, 255).find("255 in byte 119, which must be zero") != std::string::npos);
}

TEST_CASE(
    "Epochs: what is of the epoch in force is taken; of the next one what begins something waits, answers are "
    "refused") {
  for (MessageType type : {MessageType::kContribution, MessageType::kFire, MessageType::kPublish, MessageType::kCredit,
                           MessageType::kWho, MessageType::kMissing, MessageType::kGet, MessageType::kGot}) {
    CHECK(JudgeEpoch(type, 4, 4) == EpochVerdict::kTake);
    const bool may_be_early = type == MessageType::kPublish || type == MessageType::kWho || type == MessageType::kGet;
    const EpochVerdict of_the_next = may_be_early ? EpochVerdict::kWait : EpochVerdict::kRefuse;
    CHECK(JudgeEpoch(type, 5, 4) == of_the_next);
    CHECK(JudgeEpoch(type, 6, 4) == EpochVerdict::kRefuse);
    CHECK(JudgeEpoch(type, 1, 0) == of_the_next);
    CHECK(JudgeEpoch(type, 0, 0) == EpochVerdict::kRefuse);
  }
}

TEST_CASE(
    "Epochs: late credits, marks, questions and gets of an old epoch are dropped, anything else of it is refused") {
  for (MessageType type : {MessageType::kCredit, MessageType::kFire, MessageType::kWho, MessageType::kMissing,
                           MessageType::kGet, MessageType::kGot})
    CHECK(JudgeEpoch(type, 3, 4) == EpochVerdict::kDrop);
  for (MessageType type : {MessageType::kContribution, MessageType::kPublish})
    CHECK(JudgeEpoch(type, 3, 4) == EpochVerdict::kRefuse);
}

TEST_CASE("Epochs: SET and ACK are of the epoch that the fence under way is about to begin, and of no other") {
  for (MessageType type : {MessageType::kSet, MessageType::kAck}) {
    CHECK(JudgeEpoch(type, 5, 4) == EpochVerdict::kTake);
    CHECK(JudgeEpoch(type, 1, 0) == EpochVerdict::kTake);
    CHECK(JudgeEpoch(type, 4, 4) == EpochVerdict::kRefuse);
    CHECK(JudgeEpoch(type, 3, 4) == EpochVerdict::kRefuse);
    CHECK(JudgeEpoch(type, 6, 4) == EpochVerdict::kRefuse);
  }
}

TEST_CASE("Slots: no two landing slots and publishes of a connection share a number, and none is the mailbox") {
  std::set<uint32_t> seen = {0};
  const uint32_t last = (uint32_t{1} << 25) - 2;
  for (uint32_t partition : {0u, 1u, 2u, 1000u, last}) {
    for (Clock clock = 100; clock < 100 + kSlackMax + 1; ++clock) {
      CHECK(seen.insert(SlotOfContribution(partition, clock, kSlackMax)).second);
      CHECK(SlotOfContribution(partition, clock, kSlackMax) ==
            SlotOfContribution(partition, clock + kSlackMax + 1, kSlackMax));
    }
    CHECK(seen.insert(SlotOfPublish(partition)).second);
  }
}

}  // namespace geeps::protocol
