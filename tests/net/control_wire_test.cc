// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/net/control_wire.h"

namespace geeps::net::wire {
namespace {

protocol::Cause SampleCause() {
  protocol::Cause cause;
  cause.code = -7;
  cause.rank = 3;
  cause.clock = 0x123456789abcdef0;
  cause.text = "rank 3 was lost";
  return cause;
}

Hello SampleHello() {
  Hello hello;
  hello.nonce = 0xfedcba9876543210;
  hello.job = "job";
  hello.worker.rank = 2;
  hello.worker.world = 5;
  hello.worker.pid = 77;
  hello.worker.host = "host";
  hello.worker.transport = "tcp";
  hello.worker.address = std::string("\0\1\2", 3);
  return hello;
}

protocol::Enter SampleEnter() {
  protocol::Enter enter;
  enter.kind = protocol::FenceKind::kCommit;
  enter.phase = 2;
  enter.clock = 9;
  enter.digest = ~uint64_t{0};
  enter.maxima = {1, 2, 3};
  enter.sets = true;
  enter.failed = true;
  enter.cause = SampleCause();
  return enter;
}

protocol::Welcome SampleWelcome() {
  protocol::Welcome welcome;
  welcome.job = 42;
  welcome.hosts = {"a", "b"};
  welcome.addresses = {"x", ""};
  return welcome;
}

const std::vector<protocol::DeclarationLine> kLines = {{"table 'a'", "3 rows"}, {"", ""}};

// Bodies of every kind whose length follows from their content, with a decoder for each.
struct Sample {
  const char* name;
  std::string body;
  bool (*decodes)(const std::string& body);
};

template <typename T>
bool Decodes(const std::string& body) {
  T value;
  return Decode(body, &value).ok();
}

std::vector<Sample> Samples() {
  protocol::Go go;
  go.sets = true;
  go.maxima = {7};
  return {{"HELLO", Encode(SampleHello()), Decodes<Hello>},
          {"WELCOME", Encode(SampleWelcome()), Decodes<protocol::Welcome>},
          {"BEAT", Encode(Beat{5}), Decodes<Beat>},
          {"ENTER", Encode(SampleEnter()), Decodes<protocol::Enter>},
          {"GO", Encode(go), Decodes<protocol::Go>},
          {"LINES", Encode(kLines), Decodes<std::vector<protocol::DeclarationLine>>},
          {"SUSPECT", Encode(Suspect{1, "why"}), Decodes<Suspect>},
          {"cause", Encode(SampleCause()), Decodes<protocol::Cause>}};
}

TEST_CASE("control messages: what is encoded is decoded") {
  Hello hello;
  REQUIRE(Decode(Encode(SampleHello()), &hello).ok());
  CHECK(hello.nonce == 0xfedcba9876543210);
  CHECK(hello.job == "job");
  CHECK(hello.worker.pid == 77);
  CHECK(hello.worker.address == std::string("\0\1\2", 3));
  protocol::Enter enter;
  REQUIRE(Decode(Encode(SampleEnter()), &enter).ok());
  CHECK(enter.phase == 2);
  CHECK(enter.digest == ~uint64_t{0});
  CHECK(enter.maxima == std::vector<uint32_t>{1, 2, 3});
  CHECK(enter.sets);
  CHECK(enter.failed);
  CHECK(enter.cause.clock == 0x123456789abcdef0);
  protocol::Welcome welcome;
  REQUIRE(Decode(Encode(SampleWelcome()), &welcome).ok());
  CHECK(welcome.hosts == std::vector<std::string>{"a", "b"});
  std::vector<protocol::DeclarationLine> lines;
  REQUIRE(Decode(Encode(kLines), &lines).ok());
  CHECK(lines[0].text == "3 rows");
  Relay relay;
  REQUIRE(Decode(Encode(Relay{1, 2, 3, std::string("\0z", 2)}), &relay).ok());
  CHECK(relay.bytes == std::string("\0z", 2));
  CHECK(Frame(Type::kBeat, "").size() == kFrameHeaderBytes);
}

TEST_CASE("control messages: one that is cut at any byte, or longer by one, is refused") {
  for (const Sample& sample : Samples()) {
    CAPTURE(sample.name);
    CHECK(sample.decodes(sample.body));
    for (size_t bytes = 0; bytes < sample.body.size(); ++bytes) CHECK(!sample.decodes(sample.body.substr(0, bytes)));
    CHECK(!sample.decodes(sample.body + '\0'));
  }
}

TEST_CASE("control messages: no change of a byte makes a decoder read or take more than there is") {
  for (const Sample& sample : Samples()) {
    for (size_t i = 0; i < sample.body.size(); ++i) {
      for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        std::string body = sample.body;
        body[i] = static_cast<char>(value);
        sample.decodes(body);  // the sanitizers watch; a length beyond the body is refused before memory is taken
      }
    }
  }
  std::string lines = Encode(kLines);
  lines.replace(0, 4, "\xff\xff\xff\xff");
  CHECK(!Decodes<std::vector<protocol::DeclarationLine>>(lines));
}

TEST_CASE("control frames: every flipped bit is noticed") {
  const std::string frame = Frame(Type::kSuspect, Encode(Suspect{1, "why"}));
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string damaged = frame;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    FrameHeader header;
    const absl::string_view bytes = damaged;
    const bool believed = DecodeFrameHeader(bytes, kBodyMax, &header).ok();
    // A header is judged by itself: a length that is wrong would let the reader wait for what never comes.
    CHECK(believed == (bit >= kFrameHeaderBytes * 8));
    if (believed) CHECK(!CheckBody(header, bytes.substr(kFrameHeaderBytes)).ok());
  }
}

TEST_CASE("control frames: a body above the limit and another version are refused with the numbers") {
  FrameHeader header;
  const std::string frame = Frame(Type::kRelay, std::string(5000, 'x'));
  CHECK(DecodeFrameHeader(frame, kGreetingMax, &header).message() == "a control message of 5000 bytes, at most 4096 are possible");
  std::string other = frame;
  other[4] = 9;
  const absl::Status status = DecodeFrameHeader(other, kBodyMax, &header);
  CHECK(DetailOf(status).code == Code::kAbi);
  CHECK(status.message() == "control protocol version 9, here is version 2");
}

TEST_CASE("StatusOf: a cause without a sentence gets one") {
  protocol::Cause cause = SampleCause();
  cause.text.clear();
  CHECK(StatusOf(cause).message() == "the cause came without a sentence");
}

TEST_CASE("causes: a status keeps code, rank, clock and text on its way; long texts are cut") {
  const absl::Status status = StatusOf(SampleCause());
  CHECK(DetailOf(status).code == Code::kPeerLost);
  CHECK(DetailOf(status).rank == 3);
  CHECK(DetailOf(status).clock == 0x123456789abcdef0);
  CHECK(CauseOf(status).text == "rank 3 was lost");
  protocol::Cause cause = SampleCause();
  cause.text.assign(kTextMax + 1, 'x');
  protocol::Cause decoded;
  REQUIRE(Decode(Encode(cause), &decoded).ok());
  CHECK(decoded.text.size() == kTextMax);
}

}  // namespace
}  // namespace geeps::net::wire
