// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <string>

#include "runtime/net/control_channel.h"

namespace geeps::net {
namespace {

// Bytes that were sent to the channel and that it has not taken in.
int Waiting(const Channel& channel) {
  int bytes = -1;
  REQUIRE(ioctl(channel.fd(), FIONREAD, &bytes) == 0);
  return bytes;
}

struct Pair {
  Pair() {
    Socket own;
    REQUIRE(ConnectedPair(&own, &peer).ok());
    channel = Channel(std::move(own));
  }
  void Send(const std::string& bytes) {
    REQUIRE(send(peer.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size()));
  }
  Socket peer;
  Channel channel{Socket()};
};

}  // namespace

TEST_CASE("Channel: of a stranger that sends much at once only the beginning is taken in") {
  Pair pair;
  const int sent = 128 << 10;
  pair.Send(std::string(sent, 'x'));
  CHECK(pair.channel.Read());
  const int taken = sent - Waiting(pair.channel);
  CHECK(taken >= static_cast<int>(wire::kFrameHeaderBytes + wire::kGreetingMax));
  CHECK(taken <= 16 << 10);
  wire::Type type;
  std::string body;
  CHECK(!pair.channel.Next(&type, &body));
  CHECK(!pair.channel.failure().ok());
}

TEST_CASE("Channel: frames behind a greeting are there once it was taken, in as many reads as that takes") {
  Pair pair;
  std::string bytes = wire::Frame(wire::Type::kHello, std::string(wire::kGreetingMax, 'h'));
  for (uint32_t i = 0; i < 20; ++i) bytes += wire::Frame(wire::Type::kLines, std::string(5000 + i, 'l'), i + 1);
  pair.Send(bytes);
  size_t num = 0;
  while (pair.channel.Read()) {
    wire::Type type;
    std::string body;
    for (; pair.channel.Next(&type, &body); ++num) {
      CHECK(type == (num == 0 ? wire::Type::kHello : wire::Type::kLines));
      CHECK(body.size() == (num == 0 ? size_t{wire::kGreetingMax} : 4999 + num));
      pair.channel.set_body_max(wire::kBodyMax);
    }
  }
  CHECK(num == 21);
  CHECK(pair.channel.failure().ok());
}

}  // namespace geeps::net
