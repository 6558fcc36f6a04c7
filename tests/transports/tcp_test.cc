// SPDX-License-Identifier: Apache-2.0
// What only a transport over sockets can suffer: strangers, damaged streams, killed peers, addresses that are not loopback.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "runtime/base/status.h"
#include "tests/transports/transport_harness.h"
#include "transports/tcp/crc32c.h"
#include "transports/tcp/wire.h"

namespace geeps::net {
namespace {

tcp::Address Decoded(const std::string& blob) {
  tcp::Address address;
  REQUIRE(blob.size() == sizeof(address));
  std::memcpy(&address, blob.data(), sizeof(address));
  return address;
}

// A socket that says what it likes to an endpoint.
class RawPeer {
 public:
  explicit RawPeer(const std::string& address_blob) : address_(Decoded(address_blob)) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address_.port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&in), sizeof(in)) == 0);
  }
  ~RawPeer() { close(fd_); }
  void Say(const std::string& bytes) { REQUIRE(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())); }
  tcp::Greeting Greeting() const {
    tcp::Greeting greeting;
    greeting.endpoint = address_.endpoint;
    greeting.job_bytes = 3;
    std::memcpy(greeting.job, "job", 3);
    greeting.crc = crc32c::Extend(0, &greeting, offsetof(tcp::Greeting, crc));
    return greeting;
  }
  template <typename T>
  static std::string Bytes(const T& value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
  }

 private:
  const tcp::Address address_;
  int fd_ = -1;
};

// A whole message to slot 1, header "h".
std::string Message(const std::string& payload, uint32_t sequence, uint32_t slot = 1) {
  tcp::FrameHeader frame;
  frame.slot = slot;
  frame.header_bytes = 1;
  frame.payload_bytes = payload.size();
  frame.sequence = sequence;
  frame.head_crc = crc32c::Extend(0, &frame, sizeof(frame));
  frame.crc = crc32c::Extend(crc32c::Extend(0, &frame, sizeof(frame)), "h", 1);
  const uint32_t crc = crc32c::Extend(frame.crc, payload.data(), payload.size());
  return RawPeer::Bytes(frame) + "h" + payload + (payload.empty() ? "" : RawPeer::Bytes(crc));
}

struct Victim {
  Victim() : world("tcp"), side(world.Make()) {}
  // Takes the raw peer's greeting and opens slot 1 of 8 bytes.
  void Accept(RawPeer* peer) {
    peer->Say(RawPeer::Bytes(peer->Greeting()));
    REQUIRE(RunUntil({side.get()}, [&] { return side->Count(GEEPS_TP_CONN_REQUEST) == 1; }));
    side->conn = side->Last(GEEPS_TP_CONN_REQUEST).conn;
    REQUIRE(side->Open(1, &slot) == GEEPS_OK);
    REQUIRE(side->endpoint.Accept(side->conn, 9).ok());
  }
  TpWorld world;
  std::unique_ptr<TpSide> side;
  std::string slot = "--------";
};

TEST_CASE("crc32c: instruction and tables give the published value and agree at each length and place") {
  CHECK(crc32c::Extend(0, "123456789", 9) == 0xe3069283u);
  CHECK(crc32c::ExtendByTable(0, "123456789", 9) == 0xe3069283u);
  const std::string zeros(32, '\0');
  CHECK(crc32c::Extend(0, zeros.data(), 32) == 0x8a9136aau);
  const std::string data = Contents(5, 40000);
  for (size_t bytes : {0, 1, 7, 8, 9, 767, 768, 769, 24575, 24576, 24577, 39990}) {
    for (size_t place = 0; place < 9; ++place) {
      CHECK(crc32c::Extend(17, data.data() + place, bytes) == crc32c::ExtendByTable(17, data.data() + place, bytes));
    }
  }
}

TEST_CASE("tcp: a good stream from a raw socket arrives: the damaged ones below are refused for their damage") {
  Victim victim;
  RawPeer peer(*victim.side->endpoint.Address());
  victim.Accept(&peer);
  peer.Say(Message("payload", 0) + Message("", 1, 0));
  REQUIRE(RunUntil({victim.side.get()}, [&] { return victim.side->Count(GEEPS_TP_RECEIVED) == 2; }));
  CHECK(victim.slot == "payload-");
}

TEST_CASE("tcp: every flipped bit of a message brings the connection down with E_DATA and a log line, and nothing is announced") {
  const std::string good = Message("payload", 0);
  for (size_t bit = 0; bit < good.size() * 8; bit += 5) {
    CAPTURE(bit);
    Victim victim;
    RawPeer peer(*victim.side->endpoint.Address());
    victim.Accept(&peer);
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    peer.Say(bad);  // and nothing follows: a damaged length lets nobody wait
    REQUIRE(RunUntil({victim.side.get()}, [&] { return victim.side->Count(GEEPS_TP_DOWN) == 1; }));
    CHECK(victim.side->Last(GEEPS_TP_DOWN).status == GEEPS_E_DATA);
    CHECK(victim.side->Count(GEEPS_TP_RECEIVED) == 0);
    CHECK(victim.world.LogText().find("tcp: connection down: ") != std::string::npos);
  }
}

TEST_CASE("tcp: frames out of sequence, doubled, for a foreign slot, too long for it end the connection") {
  for (const std::string& bad : {Message("payload", 1), Message("", 0, 0) + Message("", 0, 0), Message("payload", 0, 2),
                                 Message("longer than 8", 0), Message("x", 0, 0)}) {
    Victim victim;
    RawPeer peer(*victim.side->endpoint.Address());
    victim.Accept(&peer);
    peer.Say(bad);
    REQUIRE(RunUntil({victim.side.get()}, [&] { return victim.side->Count(GEEPS_TP_DOWN) == 1; }));
    CHECK(victim.side->Last(GEEPS_TP_DOWN).status == GEEPS_E_DATA);
    CHECK(victim.slot == "--------");
  }
}

TEST_CASE("tcp: a stream that ends at any byte of a message is a lost peer, never a message") {
  const std::string good = Message("payload", 0);
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    Victim victim;
    {
      RawPeer peer(*victim.side->endpoint.Address());
      victim.Accept(&peer);
      peer.Say(good.substr(0, bytes));
    }
    REQUIRE(RunUntil({victim.side.get()}, [&] { return victim.side->Count(GEEPS_TP_DOWN) == 1; }));
    CHECK(victim.side->Last(GEEPS_TP_DOWN).status == GEEPS_E_PEER_LOST);
    CHECK(victim.side->Count(GEEPS_TP_RECEIVED) == 0);
  }
}

TEST_CASE("tcp: strangers and damaged greetings are sent away before the host hears of them") {
  Victim victim;
  const std::string address = *victim.side->endpoint.Address();
  std::vector<std::unique_ptr<RawPeer>> peers;
  const auto say = [&](const std::string& bytes) {
    peers.push_back(std::make_unique<RawPeer>(address));
    peers.back()->Say(bytes);
  };
  say("GET / HTTP/1.1\r\n\r\n");
  peers.push_back(std::make_unique<RawPeer>(address));
  std::string damaged = RawPeer::Bytes(peers.back()->Greeting());
  damaged[100] = static_cast<char>(damaged[100] ^ 4);
  peers.back()->Say(damaged);
  peers.push_back(std::make_unique<RawPeer>(address));
  tcp::Greeting other = peers.back()->Greeting();
  ++other.endpoint;
  other.crc = crc32c::Extend(0, &other, offsetof(tcp::Greeting, crc));
  peers.back()->Say(RawPeer::Bytes(other));
  RawPeer good(address);
  victim.Accept(&good);
  good.Say(Message("payload", 0));
  REQUIRE(RunUntil({victim.side.get()}, [&] { return victim.side->Count(GEEPS_TP_RECEIVED) == 1; }));
  CHECK(victim.side->Count(GEEPS_TP_CONN_REQUEST) == 1);
}

TEST_CASE("tcp: it listens at the port, or at the first free one of the range; when none is the sentence has the numbers") {
  TpWorld world("tcp");
  const auto port_of = [](const Endpoint& endpoint) { return Decoded(*endpoint.Address()).port; };
  const auto create = [&](const std::string& port) {
    Endpoint::Options options = world.Options();
    options.transport_options = {{"port", port}};
    return Endpoint::Create(world.transport, options);
  };
  // Two free ports beside one another: the second of a pair of endpoints gets the next port.
  for (int i = 0; i < 100; ++i) {
    const absl::StatusOr<Endpoint> any = create("0");
    REQUIRE(any.ok());
    const int low = port_of(*any);
    if (low == 65535) continue;
    const std::string range = std::to_string(low) + "-" + std::to_string(low + 1);
    const absl::StatusOr<Endpoint> next = create(range);
    if (!next.ok()) continue;
    CHECK(port_of(*next) == low + 1);
    const absl::Status none = create(range).status();
    CHECK(DetailOf(none).code == Code::kIo);
    CHECK(none.message().find("none of the 2 ports " + std::to_string(low) + " to " + std::to_string(low + 1) + " is free") !=
          absl::string_view::npos);
    const absl::Status taken = create(std::to_string(low)).status();
    CHECK(taken.message().find("cannot listen on port " + std::to_string(low) + ": ") != absl::string_view::npos);
    return;
  }
  FAIL("no two free ports beside one another");
}

TEST_CASE("tcp: what is neither a port nor a range is refused") {
  TpWorld world("tcp");
  for (const char* port : {"", "x", "-1", "65536", "1-", "-", "5-4", "0-5", "1-65536", "1-2-3", " 1", "1 "}) {
    CAPTURE(port);
    Endpoint::Options options = world.Options();
    options.transport_options = {{"port", port}};
    CHECK(DetailOf(Endpoint::Create(world.transport, options).status()).code == Code::kInvalid);
  }
}

TEST_CASE("tcp: addresses that are not loopback are refused until connections are authenticated") {
  TpWorld world("tcp");
  Endpoint::Options options = world.Options();
  options.bind_address = "0.0.0.0";
  const absl::Status bound = Endpoint::Create(world.transport, options).status();
  CHECK(DetailOf(bound).code == Code::kDenied);
  CHECK(bound.message().find("until connections are authenticated") != absl::string_view::npos);
  auto side = world.Make();
  tcp::Address address = Decoded(*side->endpoint.Address());
  address.ip[0] = 10;
  CHECK(DetailOf(side->endpoint.Connect(RawPeer::Bytes(address), "", 7).status()).code == Code::kDenied);
}

TEST_CASE("tcp: a killed peer is seen, each accepted send completes once, then DOWN says lost") {
  TpWorld world("tcp");
  auto a = world.Make();
  int pipes[2];
  REQUIRE(pipe(pipes) == 0);
  const pid_t child = fork();
  if (child == 0) {
    TpWorld other("tcp");
    auto b = other.Make();
    const std::string address = *b->endpoint.Address();
    if (write(pipes[1], address.data(), address.size()) < 0) _exit(1);
    bool accepted = false;
    RunUntil({b.get()}, [&] {
      if (!accepted && b->Count(GEEPS_TP_CONN_REQUEST) == 1) {
        accepted = b->endpoint.Accept(b->Last(GEEPS_TP_CONN_REQUEST).conn, 1).ok();
      }
      return b->Count(GEEPS_TP_UP) == 1;
    });
    b->Poll();
    for (;;) pause();  // reads nothing: the sender's queue fills
  }
  std::string address(sizeof(tcp::Address), '\0');
  REQUIRE(read(pipes[0], address.data(), address.size()) == static_cast<ssize_t>(address.size()));
  a->conn = *a->endpoint.Connect(address, "", 7);
  REQUIRE(RunUntil({a.get()}, [&] { return a->Count(GEEPS_TP_UP) == 1; }));
  size_t accepted = 0;
  const std::string payload = Contents(1, 1 << 20);
  while (a->Send(1, "h", {payload}, accepted) == GEEPS_OK) ++accepted;
  a->Poll();
  kill(child, SIGKILL);
  REQUIRE(RunUntil({a.get()}, [&] { return a->Count(GEEPS_TP_DOWN) == 1; }));
  waitpid(child, nullptr, 0);
  CHECK(a->Last(GEEPS_TP_DOWN).status == GEEPS_E_PEER_LOST);
  CHECK(a->Count(GEEPS_TP_SENT) == accepted);
  CHECK(a->events.back().type == GEEPS_TP_DOWN);
  close(pipes[0]);
  close(pipes[1]);
}

TEST_CASE("tcp: a peer that takes in nothing for the limit of silence is lost: no acknowledgement of the host's is needed") {
  TpWorld world("tcp");
  auto b = world.Make();
  auto a = std::make_unique<TpSide>();
  Endpoint::Options options = world.Options();
  options.silence_ns = 200'000'000;
  a->endpoint = *Endpoint::Create(world.transport, options);
  world.Connect(a.get(), b.get());
  // More than both kernels keep; b is not polled and reads nothing.
  const std::string payload = Contents(1, world.kPayloadMax);
  size_t accepted = 0;
  while (a->Send(1, "h", {payload}, accepted) == GEEPS_OK) ++accepted;
  REQUIRE(RunUntil({a.get()}, [&] { return a->Count(GEEPS_TP_DOWN) == 1; }));
  CHECK(a->Last(GEEPS_TP_DOWN).status == GEEPS_E_PEER_LOST);
  CHECK(a->Count(GEEPS_TP_SENT) == accepted);
}

TEST_CASE("tcp: a host that is older than the limit of silence is served without it") {
  TpWorld world("tcp");
  geeps_tp_config config{};
  config.struct_size = offsetof(geeps_tp_config, silence_ns);
  config.payload_max = 1;
  config.job = "job";
  geeps_tp* endpoint = nullptr;
  geeps_error error = EmptyError();
  REQUIRE(world.transport.table->create(world.transport.host, &config, &endpoint, &error) == GEEPS_OK);
  world.transport.table->destroy(endpoint);
  --config.struct_size;
  CHECK(world.transport.table->create(world.transport.host, &config, &endpoint, &error) == GEEPS_E_ABI);
}

}  // namespace
}  // namespace geeps::net
