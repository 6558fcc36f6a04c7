// SPDX-License-Identifier: Apache-2.0
// Frames and bodies of the control plane. The first byte says what the rest is: the body of one type of message, a
// frame as it comes, or a frame made of the rest in which one bit is wrong.
#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/net/control_wire.h"
#include "tests/fuzz/fuzz.h"

namespace geeps::fuzz {
namespace {

using namespace net::wire;  // NOLINT: what is tested

// A decoder takes what the counts in a body promise, and a count never promises more than the body can hold: a line of
// two empty texts is 8 bytes there and 64 in memory, and a vector may have twice the room it needs.
constexpr uint64_t kBytesPerByte = 24;
constexpr uint64_t kBytesAlways = 4096;  // a sentence

template <typename T>
void TryBody(const std::string& body) {
  const Meter meter;
  T message{};
  const absl::Status status = Decode(body, &message);
  FUZZ_CHECK(meter.peak_bytes() <= kBytesAlways + kBytesPerByte * body.size());
  if (!status.ok()) {
    FUZZ_CHECK(DetailOf(status).code == Code::kData && !status.message().empty());
    return;
  }
  FUZZ_CHECK(Encode(message) == body);
}

void TryCause(const std::string& body) {
  TryBody<protocol::Cause>(body);
  protocol::Cause cause;
  if (!Decode(body, &cause).ok()) return;
  const absl::Status status = StatusOf(cause);
  FUZZ_CHECK(!status.ok());
  const protocol::Cause again = CauseOf(status);
  FUZZ_CHECK(again.rank == cause.rank && again.clock == cause.clock && again.code < 0);
  FUZZ_CHECK(DetailOf(StatusOf(again)).code == DetailOf(status).code);
}

// True when the bytes are exactly one frame that may be taken in.
bool IsFrame(const std::string& bytes, uint32_t body_max, FrameHeader* header) {
  if (bytes.size() < kFrameHeaderBytes || !DecodeFrameHeader(bytes, body_max, header).ok()) return false;
  FUZZ_CHECK(header->body_bytes <= body_max);
  if (bytes.size() - kFrameHeaderBytes != header->body_bytes) return false;
  const absl::string_view all = bytes;
  return CheckBody(*header, all.substr(kFrameHeaderBytes)).ok();
}

void TryFrame(const std::string& bytes, uint32_t body_max) {
  FrameHeader header;
  if (!IsFrame(bytes, body_max, &header)) return;
  FUZZ_CHECK(Frame(header.type, bytes.substr(kFrameHeaderBytes), header.sequence) == bytes);
}

void TryWrongBit(Input* input) {
  const Type type = static_cast<Type>(1 + input->Below(14));
  const uint32_t bit = input->Number<uint16_t>();
  std::string frame = Frame(type, input->Rest());
  FrameHeader header;
  FUZZ_CHECK(IsFrame(frame, kBodyMax, &header) && header.type == type);
  frame[bit / 8 % frame.size()] ^= static_cast<char>(1 << (bit % 8));
  FUZZ_CHECK(!IsFrame(frame, kBodyMax, &header));
}

protocol::Cause SampleCause() {
  protocol::Cause cause;
  cause.code = -7;
  cause.rank = 1;
  cause.clock = 12;
  cause.text = "rank 1 was lost";
  return cause;
}

Hello SampleHello() {
  Hello hello;
  hello.nonce = 77;
  hello.job = "job";
  hello.worker.rank = 1;
  hello.worker.world = 2;
  hello.worker.pid = 4711;
  hello.worker.host = "host";
  hello.worker.transport = "tcp";
  hello.worker.address = std::string("\x01\0\x02", 3);
  return hello;
}

protocol::Enter SampleEnter() {
  protocol::Enter enter;
  enter.kind = protocol::FenceKind::kCommit;
  enter.phase = 2;
  enter.clock = 9;
  enter.digest = 0x123456789abcdef;
  enter.maxima = {0, 3};
  enter.sets = true;
  enter.failed = true;
  enter.cause = SampleCause();
  return enter;
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  protocol::Welcome welcome;
  welcome.job = 5;
  welcome.hosts = {"a", "b"};
  welcome.addresses = {"one", "two"};
  protocol::Go go;
  go.kind = protocol::FenceKind::kFence;
  go.clock = 4;
  go.epoch = 2;
  go.maxima = {1};
  const std::vector<protocol::DeclarationLine> lines = {{"table 'w'", "20 rows"}, {"plan 'p'", "ends with a clock"}};
  Beat beat;
  beat.clock = 11;
  Suspect suspect;
  suspect.rank = 1;
  suspect.text = "silent";
  Relay relay;
  relay.dst = 1;
  relay.kind = 16;
  relay.bytes = "bytes";
  protocol::Cause odd = SampleCause();
  odd.code = 3;
  const std::string frame = Frame(Type::kBeat, Encode(beat));
  std::string version = frame;
  version[4] = 2;
  std::string type = frame;
  type[6] = 99;
  std::string length = frame;
  length[10] = 127;
  std::string magic = frame;
  magic[0] = 0;
  std::vector<std::string> seeds = {
      Seed().Byte(0).Raw(Encode(SampleHello())),
      Seed().Byte(1).Raw(Encode(welcome)),
      Seed().Byte(2).Raw(Encode(beat)),
      Seed().Byte(3).Raw(Encode(SampleEnter())),
      Seed().Byte(4).Raw(Encode(go)),
      Seed().Byte(5).Raw(Encode(lines)),
      Seed().Byte(6).Raw(Encode(suspect)),
      Seed().Byte(7).Raw(Encode(relay)),
      Seed().Byte(8).Raw(Encode(SampleCause())),
      Seed().Byte(8).Raw(Encode(odd)),
      Seed().Byte(9).Byte(0).Raw(frame),
      Seed().Byte(9).Byte(1).Raw(frame),
      Seed().Byte(10).Byte(3).Number(uint16_t{37}).Raw(Encode(beat)),
  };
  for (const std::string& bad : {version, type, length, magic}) seeds.push_back(Seed().Byte(9).Byte(0).Raw(bad));
  seeds.push_back(Seed().Byte(9).Byte(0).Raw(Frame(Type::kLines, std::string(5000, 'x'))));
  // Bodies that are too long, and too short.
  for (size_t i = 0; i < 9; ++i) {
    seeds.push_back(seeds[i] + "x");
    seeds.push_back(seeds[i].substr(0, seeds[i].size() - 1));
  }
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  switch (input.Below(11)) {
    case 0:
      TryBody<Hello>(input.Rest());
      break;
    case 1:
      TryBody<geeps::protocol::Welcome>(input.Rest());
      break;
    case 2:
      TryBody<Beat>(input.Rest());
      break;
    case 3:
      TryBody<geeps::protocol::Enter>(input.Rest());
      break;
    case 4:
      TryBody<geeps::protocol::Go>(input.Rest());
      break;
    case 5:
      TryBody<std::vector<geeps::protocol::DeclarationLine>>(input.Rest());
      break;
    case 6:
      TryBody<Suspect>(input.Rest());
      break;
    case 7:
      TryBody<Relay>(input.Rest());
      break;
    case 8:
      TryCause(input.Rest());
      break;
    case 9: {
      const uint32_t body_max = input.Flag() ? kBodyMax : kGreetingMax;
      TryFrame(input.Rest(), body_max);
      break;
    }
    default:
      TryWrongBit(&input);
      break;
  }
  return 0;
}
