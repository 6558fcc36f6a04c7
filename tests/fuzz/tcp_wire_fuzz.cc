// SPDX-License-Identifier: Apache-2.0
// What the tcp transport reads: greetings, addresses, texts of options, and the stream behind a handshake. The stream
// is made of frames, whole or wrong in one way, and raw bytes, cut into reads of any size; what the receiver announces
// is what was sent, up to the first thing that is wrong, and it writes nowhere but into slots.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "tests/fuzz/fuzz.h"
#include "transports/tcp/crc32c.h"
#include "transports/tcp/receiver.h"
#include "transports/tcp/wire.h"

namespace geeps::fuzz {
namespace {

using namespace tcp;  // NOLINT: what is tested

constexpr uint64_t kEndpoint = 0x1234;
constexpr uint64_t kPayloadMax = 4096;
constexpr char kJob[] = "job";

enum Op : uint8_t { kSlot, kArm, kMessage, kClose, kBytes, kRead, kNumOps };
// What is wrong with a frame.
enum Fault : uint8_t { kNone, kHeadCrc, kPayloadCrc, kSequence, kType, kMagic, kNumFaults };

std::string FrameBytes(FrameHeader frame, const std::string& header, const std::string& payload, Fault fault) {
  frame.header_bytes = static_cast<uint16_t>(header.size());
  frame.payload_bytes = payload.size();
  if (fault == kSequence) ++frame.sequence;
  if (fault == kType) frame.type = 3;
  if (fault == kMagic) ++frame.magic;
  frame.head_crc = HeadChecksumOf(frame);
  frame.crc = ChecksumOf(frame, header.data());
  if (fault == kHeadCrc) ++(payload.size() % 2 == 0 ? frame.crc : frame.head_crc);
  const uint32_t crc = crc32c::Extend(frame.crc, payload.data(), payload.size()) + (fault == kPayloadCrc ? 1 : 0);
  return BytesOf(frame) + header + payload + (payload.empty() ? "" : BytesOf(crc));
}

class Stream final : private Receiver::Sink {
 public:
  explicit Stream(Input* input) : input_(*input) {}

  void Run() {
    while (!input_.done() && !ended_) Act();
    Read(sent_.size());
    if (ended_ || wild_) return;
    // All was right and all was read: all was announced.
    FUZZ_CHECK(expected_.empty());
    FUZZ_CHECK(closed_ || receiver_.at_boundary());
  }

 private:
  struct Message {
    uint32_t slot;
    std::string header;
    std::string payload;
  };

  void Act() {
    switch (input_.Below(kNumOps)) {
      case kSlot: {
        const uint32_t slot = 1 + input_.Below(4);
        const uint64_t bytes = input_.Number<uint16_t>() % 6000;
        std::unique_ptr<uint8_t[]> memory(bytes == 0 ? nullptr : new uint8_t[bytes]);
        Read(sent_.size());
        if (!ended_ && receiver_.SetSlot(slot, memory.get(), bytes)) memory_[slot] = std::move(memory);
        break;
      }
      case kArm: {
        const geeps_status status = receiver_.Arm(1 + input_.Below(4));
        FUZZ_CHECK(status == GEEPS_OK || status == GEEPS_E_INVALID || status == GEEPS_E_STATE);
        break;
      }
      case kMessage:
        SendMessage();
        break;
      case kClose: {
        FrameHeader frame;
        frame.type = kFrameClose;
        frame.sequence = next_sequence_++;
        sent_ += FrameBytes(frame, "", "", kNone);
        wild_ = wild_ || closing_;  // what follows a close is not looked at
        closing_ = true;
        break;
      }
      case kBytes:
        sent_ += input_.Text();
        wild_ = true;
        break;
      default:
        Read(input_.Number<uint16_t>());
        break;
    }
  }

  void SendMessage() {
    Message message;
    message.slot = input_.Below(5);
    const Fault fault = static_cast<Fault>(input_.Below(kNumFaults));
    message.header = input_.Bytes(1 + input_.Byte());
    message.payload.resize(input_.Number<uint16_t>() % 6000);
    std::fill(message.payload.begin(), message.payload.end(), static_cast<char>(input_.Byte()));
    FrameHeader frame;
    frame.slot = message.slot;
    frame.sequence = next_sequence_++;
    sent_ += FrameBytes(frame, message.header, message.payload, fault);
    if (closing_) return;
    expected_.push_back(std::move(message));
    good_.push_back(fault == kNone || (fault == kPayloadCrc && expected_.back().payload.empty()));
  }

  // Hands `bytes` of what was sent to the receiver, as reads of the size of its places do.
  void Read(size_t bytes) {
    bytes = std::min(bytes, sent_.size());
    size_t at = 0;
    while (at < bytes && !ended_ && !closed_) {
      iovec places[2];
      const size_t num_places = receiver_.Places(places);
      FUZZ_CHECK(num_places >= 1 && num_places <= 2);
      size_t got = 0;
      for (size_t i = 0; i < num_places; ++i) {
        FUZZ_CHECK(places[i].iov_len > 0);
        const size_t part = std::min(places[i].iov_len, bytes - at - got);
        std::memcpy(places[i].iov_base, sent_.data() + at + got, part);
        got += part;
      }
      at += got;
      std::string why;
      ended_ = !receiver_.Arrived(got, this, &why);
      FUZZ_CHECK(ended_ == !why.empty());
    }
    sent_.erase(0, ended_ || closed_ ? sent_.size() : at);
  }

  void OnMessage(uint32_t slot, const void* header, size_t header_bytes, uint64_t payload_bytes) override {
    FUZZ_CHECK(!closed_ && header_bytes >= 1 && header_bytes <= GEEPS_TP_HEADER_MAX && payload_bytes <= kPayloadMax);
    FUZZ_CHECK((slot == GEEPS_TP_MAILBOX) == (payload_bytes == 0));
    if (wild_) return;
    FUZZ_CHECK(!expected_.empty() && good_.front());
    const Message& message = expected_.front();
    FUZZ_CHECK(slot == message.slot && payload_bytes == message.payload.size());
    FUZZ_CHECK(header_bytes == message.header.size() && std::memcmp(header, message.header.data(), header_bytes) == 0);
    FUZZ_CHECK(payload_bytes == 0 ||
               std::memcmp(memory_[slot].get(), message.payload.data(), message.payload.size()) == 0);
    expected_.erase(expected_.begin());
    good_.erase(good_.begin());
  }
  void OnClose() override { FUZZ_CHECK(!std::exchange(closed_, true)); }

  Input& input_;
  std::map<uint32_t, std::unique_ptr<uint8_t[]>> memory_;  // by slot
  Receiver receiver_{kPayloadMax};
  std::string sent_;  // and not read
  std::vector<Message> expected_;
  std::vector<bool> good_;  // by message
  uint32_t next_sequence_ = 0;
  bool wild_ = false;     // raw bytes: anything may come
  bool closing_ = false;  // a close was sent
  bool closed_ = false;
  bool ended_ = false;
};

void TryGreeting(Input* input) {
  Greeting greeting;
  const bool mend = input->Flag();
  const std::string bytes = input->Bytes(sizeof greeting);
  std::memcpy(&greeting, bytes.data(), bytes.size());
  if (mend) greeting.crc = ChecksumOf(greeting);
  geeps_status status = GEEPS_E_INTERNAL;
  const char* const why = CheckGreeting(greeting, kEndpoint, kJob, &status);
  FUZZ_CHECK((why == nullptr) == (status == GEEPS_OK));
  if (why != nullptr) return;
  FUZZ_CHECK(greeting.magic == kGreetingMagic && greeting.version == kVersion && greeting.endpoint == kEndpoint);
  FUZZ_CHECK(std::string(greeting.job, greeting.job_bytes) == kJob && greeting.private_bytes <= GEEPS_TP_PRIVATE_MAX);
  ++greeting.rank;  // any bit
  FUZZ_CHECK(CheckGreeting(greeting, kEndpoint, kJob, &status) != nullptr);
}

void TryAddress(Input* input) {
  const std::string blob = input->Rest();
  Address address;
  if (!DecodeAddress(blob.data(), blob.size(), &address)) return;
  FUZZ_CHECK(BytesOf(address) == blob);
  sockaddr_storage name;
  FUZZ_CHECK(ToSocketAddress(address, &name) > 0);
  Address again;
  again.endpoint = address.endpoint;
  FromSocketAddress(name, &again);
  FUZZ_CHECK(again.family == address.family && again.port == address.port);
  FUZZ_CHECK(std::memcmp(again.ip, address.ip, address.family == 4 ? 4 : 16) == 0);
  FUZZ_CHECK(IsLoopback(again) == IsLoopback(address));
}

void TryTexts(Input* input) {
  const std::string text = input->Rest();
  uint16_t low = 1;
  uint16_t high = 0;
  if (ParsePorts(text.c_str(), &low, &high)) FUZZ_CHECK(low <= high && (low > 0 || high == 0));
  Address address;
  if (ParseLiteral(text.c_str(), &address)) FUZZ_CHECK(address.family == 4 || address.family == 6);
}

Greeting GoodGreeting() {
  Greeting greeting;
  greeting.endpoint = kEndpoint;
  greeting.job_bytes = sizeof kJob - 1;
  std::memcpy(greeting.job, kJob, greeting.job_bytes);
  greeting.private_bytes = 2;
  greeting.crc = ChecksumOf(greeting);
  return greeting;
}

Seed& PutMessage(Seed* seed, uint32_t slot, Fault fault, const std::string& header, uint16_t payload_bytes) {
  return seed->Byte(kMessage)
      .Byte(slot)
      .Byte(fault)
      .Byte(static_cast<uint32_t>(header.size() - 1))
      .Raw(header)
      .Number(payload_bytes)
      .Byte('p');
}

Seed Opened(uint16_t slot_bytes) { return Seed().Byte(0).Byte(kSlot).Byte(0).Number(slot_bytes).Byte(kArm).Byte(0); }

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  Seed good = Opened(100);
  PutMessage(&good, 1, kNone, "header", 100).Byte(kRead).Number(uint16_t{50});
  PutMessage(&good, 0, kNone, "mail", 0).Byte(kRead).Number(uint16_t{500}).Byte(kArm).Byte(0);
  PutMessage(&good, 1, kNone, std::string(192, 'h'), 7).Byte(kClose).Byte(kRead).Number(uint16_t{9999});
  seeds.push_back(good);
  for (uint32_t fault = 1; fault < kNumFaults; ++fault) {
    Seed bad = Opened(100);
    seeds.push_back(PutMessage(&bad, 1, static_cast<Fault>(fault), "h", 10));
  }
  for (const uint16_t bytes : {uint16_t{101}, uint16_t{5000}, uint16_t{0}}) {
    Seed odd = Opened(100);
    seeds.push_back(PutMessage(&odd, 1, kNone, "h", bytes));
  }
  Seed none = Opened(100);
  seeds.push_back(PutMessage(&none, 2, kNone, "h", 5));
  Seed mail = Opened(100);
  seeds.push_back(PutMessage(&mail, 0, kNone, "h", 5));
  Seed twice = Opened(100);
  PutMessage(&twice, 1, kNone, "h", 5);
  seeds.push_back(PutMessage(&twice, 1, kNone, "h", 5));
  Seed landing = Opened(5000);
  PutMessage(&landing, 1, kNone, "h", 4000).Byte(kRead).Number(uint16_t{60}).Byte(kArm).Byte(0);
  for (int i = 0; i < 4; ++i) landing.Byte(kRead).Number(uint16_t{999});
  seeds.push_back(landing.Byte(kSlot).Byte(0).Number(uint16_t{0}).Byte(kArm).Byte(3));
  seeds.push_back(Opened(9).Byte(kBytes).Text("no frame at all, and longer than a header of one"));

  Greeting greeting = GoodGreeting();
  seeds.push_back(Seed().Byte(1).Byte(0).Raw(BytesOf(greeting)));
  greeting.version = 2;
  seeds.push_back(Seed().Byte(1).Byte(1).Raw(BytesOf(greeting)));
  greeting = GoodGreeting();
  greeting.endpoint = 1;
  seeds.push_back(Seed().Byte(1).Byte(1).Raw(BytesOf(greeting)));
  greeting = GoodGreeting();
  greeting.job_bytes = 2;
  seeds.push_back(Seed().Byte(1).Byte(1).Raw(BytesOf(greeting)));
  greeting.job_bytes = 300;
  seeds.push_back(Seed().Byte(1).Byte(1).Raw(BytesOf(greeting)));
  greeting.magic = 3;
  seeds.push_back(Seed().Byte(1).Byte(0).Raw(BytesOf(greeting)));
  greeting = GoodGreeting();
  greeting.crc = 3;
  seeds.push_back(Seed().Byte(1).Byte(0).Raw(BytesOf(greeting)));

  Address address;
  address.family = 4;
  address.port = 4000;
  address.ip[0] = 127;
  seeds.push_back(Seed().Byte(2).Raw(BytesOf(address)));
  address.family = 6;
  seeds.push_back(Seed().Byte(2).Raw(BytesOf(address)));
  address.family = 5;
  seeds.push_back(Seed().Byte(2).Raw(BytesOf(address)));
  for (const char* text : {"0", "4000", "4000-4010", "5-4", "70000", "1-", "x", "localhost", "127.0.0.1", "::1"}) {
    seeds.push_back(Seed().Byte(3).Raw(text));
  }
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  switch (input.Below(4)) {
    case 0:
      Stream(&input).Run();
      break;
    case 1:
      TryGreeting(&input);
      break;
    case 2:
      TryAddress(&input);
      break;
    default:
      TryTexts(&input);
      break;
  }
  return 0;
}
