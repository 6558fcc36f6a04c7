// SPDX-License-Identifier: Apache-2.0
// A session of rank 0's end of the control plane: CoordinatorHost with its own connection and strangers that come, say
// HELLO or anything else, in frames or in raw bytes, and go; time is a number, which the input moves on. Whatever
// comes, what the coordinator sends is made of whole frames in the order of the protocol, and a stranger costs no more
// memory than a greeting is long.
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/net/control_coordinator.h"
#include "runtime/net/control_wire.h"
#include "tests/fuzz/fuzz.h"

namespace geeps::fuzz {
namespace {

using net::wire::Type;

constexpr char kName[] = "fuzz-coordinator";
constexpr uint64_t kNonce = 0x77;
constexpr size_t kPeersMax = 8;
constexpr int kStepsMax = 64;
// What a stranger may make the coordinator hold: a greeting, one read, and the bookkeeping of a connection.
constexpr uint64_t kStrangerBytesMax = 64 << 10;

enum Op : uint8_t { kConnect, kHello, kEnter, kFrame, kRaw, kEnd, kPass, kFlood, kFinish, kNumOps };

// One end of a connection, with what came to it.
class Peer {
 public:
  explicit Peer(net::Socket socket) : socket_(std::move(socket)) {}

  void Say(const std::string& bytes) {
    for (size_t at = 0; socket_.fd() >= 0 && at < bytes.size();) {
      const ssize_t sent = send(socket_.fd(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return;  // full, or closed by the coordinator
      at += static_cast<size_t>(sent);
    }
  }
  void SayFrame(Type type, const std::string& body) { Say(net::wire::Frame(type, body, sequence_++)); }
  void End() { socket_.Close(); }

  // Takes in what has come. `world`: how many a WELCOME names.
  void Listen(uint32_t world) {
    char buffer[4096];
    for (;;) {
      if (socket_.fd() < 0) return;
      const ssize_t got = recv(socket_.fd(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      bytes_.append(buffer, static_cast<size_t>(got));
    }
    while (bytes_.size() >= net::wire::kFrameHeaderBytes) {
      const absl::string_view all = bytes_;
      net::wire::FrameHeader header;
      FUZZ_CHECK(net::wire::DecodeFrameHeader(all, net::wire::kBodyMax, &header).ok());
      const size_t frame_bytes = net::wire::kFrameHeaderBytes + header.body_bytes;
      if (bytes_.size() < frame_bytes) return;
      const std::string body(all.substr(net::wire::kFrameHeaderBytes, header.body_bytes));
      FUZZ_CHECK(net::wire::CheckBody(header, body).ok());
      bytes_.erase(0, frame_bytes);
      Take(header.type, body, world);
    }
  }

 private:
  // The order of what a worker hears: REFUSED or STRANGER and nothing else, or WELCOME first and DOWN last.
  void Take(Type type, const std::string& body, uint32_t world) {
    FUZZ_CHECK(!sent_away_);
    switch (type) {
      case Type::kRefused:
      case Type::kDown:
      case Type::kFail: {
        protocol::Cause cause;
        FUZZ_CHECK(net::wire::Decode(body, &cause).ok());
        FUZZ_CHECK(cause.code < 0 && !cause.text.empty());
        sent_away_ = type == Type::kRefused;
        FUZZ_CHECK(!sent_away_ || !welcome_);
        if (type == Type::kDown) FUZZ_CHECK(!std::exchange(down_, true));
        break;
      }
      case Type::kStranger:
        sent_away_ = true;
        break;
      case Type::kWelcome: {
        protocol::Welcome welcome;
        FUZZ_CHECK(net::wire::Decode(body, &welcome).ok() && welcome.hosts.size() == world);
        FUZZ_CHECK(!std::exchange(welcome_, true));
        break;
      }
      case Type::kGo: {
        protocol::Go go;
        FUZZ_CHECK(welcome_ && !down_ && net::wire::Decode(body, &go).ok());
        break;
      }
      case Type::kRelay: {
        net::wire::Relay relay;
        FUZZ_CHECK(welcome_ && net::wire::Decode(body, &relay).ok() && relay.src < world && relay.dst < world);
        break;
      }
      case Type::kBeat:
        FUZZ_CHECK(welcome_);
        break;
      case Type::kFetch:
        FUZZ_CHECK(welcome_ && body.empty());
        break;
      default:
        FUZZ_CHECK(false);
    }
  }

  net::Socket socket_;
  std::string bytes_;
  uint32_t sequence_ = 0;  // of the next frame that is said
  bool welcome_ = false;
  bool down_ = false;
  bool sent_away_ = false;
};

void Ignore(void*, int32_t, const char*, const char*, uint64_t) {}

class Session {
 public:
  explicit Session(Input* input) : input_(*input), world_(1 + input->Below(3)) {
    net::CoordinatorHost::Options options;
    options.world = world_;
    options.job = "job";
    options.job_nonce = kNonce;
    options.needs_nonce = input->Flag();
    options.rendezvous = "inproc://fuzz";
    options.report_period_ns = 5'000'000'000;
    options.heartbeat_limit_ns = 1'000'000'000;
    options.log = &log_;
    options.clocks = clocks_;
    net::Socket own;
    net::Socket other;
    FUZZ_CHECK(net::ConnectedPair(&own, &other).ok());
    auto listener = net::ListenAtName(kName);
    FUZZ_CHECK(listener.ok());
    host_ = std::make_unique<net::CoordinatorHost>(options, *std::move(listener), std::move(other), now_ns_);
    peers_.push_back(std::make_unique<Peer>(std::move(own)));
  }

  void Run() {
    for (int i = 0; i < kStepsMax && !input_.done(); ++i) {
      Act();
      Step();
      FUZZ_CHECK(host_->NextStep() > 0);
    }
    host_->Finish();
    Step();
    peers_.clear();
    Step();
    FUZZ_CHECK(host_->finished() && host_->flushed());
  }

 private:
  Peer* AnyPeer() { return peers_[input_.Byte() % peers_.size()].get(); }

  // False: there are enough, or the coordinator has finished.
  bool Connect() {
    if (peers_.size() >= kPeersMax) return false;
    net::Place place;
    place.name = kName;
    auto socket = net::ConnectTo(place);
    if (!socket.ok()) return false;
    peers_.push_back(std::make_unique<Peer>(*std::move(socket)));
    return true;
  }

  void Act() {
    switch (input_.Below(kNumOps)) {
      case kConnect:
        Connect();
        break;
      case kHello: {
        net::wire::Hello hello;
        Peer* const peer = AnyPeer();
        hello.worker.rank = input_.Byte();
        hello.worker.world = world_ + input_.Below(2);
        hello.nonce = input_.Flag() ? kNonce : input_.Byte();
        hello.job = input_.Flag() ? "another" : "job";
        hello.worker.host = "h";
        hello.worker.transport = input_.Flag() ? "tcp" : "inproc";
        peer->SayFrame(Type::kHello, net::wire::Encode(hello));
        break;
      }
      case kEnter: {
        protocol::Enter enter;
        Peer* const peer = AnyPeer();
        enter.kind = static_cast<protocol::FenceKind>(1 + input_.Below(3));
        enter.phase = static_cast<uint8_t>(input_.Below(3));
        enter.clock = input_.Below(3);
        enter.digest = input_.Below(3);
        enter.sets = input_.Flag();
        enter.failed = input_.Flag();
        const size_t num_maxima = input_.Below(3);
        enter.maxima.assign(num_maxima, input_.Byte());
        if (enter.failed) enter.cause.code = -3;
        peer->SayFrame(Type::kEnter, net::wire::Encode(enter));
        break;
      }
      case kFrame: {
        Peer* const peer = AnyPeer();
        const Type type = static_cast<Type>(input_.Byte());
        peer->SayFrame(type, input_.Text());
        break;
      }
      case kRaw: {
        Peer* const peer = AnyPeer();
        peer->Say(input_.Text());
        break;
      }
      case kEnd:
        AnyPeer()->End();
        break;
      case kPass:
        now_ns_ += uint64_t{input_.Number<uint16_t>()} * 1'000'000;
        break;
      case kFlood:
        Flood();
        break;
      default:
        host_->Finish();
        break;
    }
  }

  // A stranger that sends more than a greeting, and does not end it.
  void Flood() {
    if (!Connect()) return;
    Step();
    std::string frame = net::wire::Frame(Type::kHello, std::string(net::wire::kGreetingMax, 'h'));
    frame.pop_back();
    if (input_.Flag()) frame = net::wire::Frame(Type::kLines, std::string(128 << 10, 'l'));
    frame.append(128 << 10, 'x');
    peers_.back()->Say(frame);
    const Meter meter;
    Poll();
    FUZZ_CHECK(meter.peak_bytes() <= kStrangerBytesMax);
  }

  void Poll() {
    std::vector<pollfd> polls;
    host_->AppendPolls(&polls, now_ns_);
    FUZZ_CHECK(poll(polls.data(), polls.size(), 0) >= 0 || errno == EINTR);
    host_->Step(polls, now_ns_);
  }
  void Step() {
    Poll();
    for (const auto& peer : peers_) peer->Listen(world_);
  }

  Input& input_;
  const uint32_t world_;
  uint64_t now_ns_ = 1'000'000'000;
  Log log_{LogLevel::kDebug, Ignore, nullptr};
  std::atomic<uint64_t> clocks_[4] = {};
  std::unique_ptr<net::CoordinatorHost> host_;
  std::vector<std::unique_ptr<Peer>> peers_;  // 0: rank 0's own
};

// --- seeds ---

Seed& SayHello(Seed* seed, uint32_t peer, uint32_t rank) {
  return seed->Byte(kHello).Byte(peer).Byte(rank).Byte(0).Byte(1).Byte(0).Byte(1);
}

// World 2, both have come.
Seed Met() {
  Seed seed;
  seed.Byte(1).Byte(0);
  SayHello(&seed, 0, 0).Byte(kConnect);
  SayHello(&seed, 1, 1);
  return seed;
}

Seed& SayEnter(Seed* seed, uint32_t peer, uint32_t kind, uint32_t phase, uint32_t digest, uint32_t failed = 0) {
  return seed->Byte(kEnter)
      .Byte(peer)
      .Byte(kind - 1)
      .Byte(phase)
      .Byte(0)
      .Byte(digest)
      .Byte(0)
      .Byte(failed)
      .Byte(1)
      .Byte(2);
}

Seed& SayFrame(Seed* seed, uint32_t peer, Type type, const std::string& body) {
  return seed->Byte(kFrame).Byte(peer).Byte(static_cast<uint32_t>(type)).Text(body);
}

Seed& Pass(Seed* seed, uint16_t ms) { return seed->Byte(kPass).Number(ms); }

}  // namespace

std::vector<std::string> FuzzSeeds() {
  using net::wire::Encode;
  std::vector<std::string> seeds;
  Seed fence = Met();
  SayEnter(&fence, 0, 2, 1, 0);
  SayEnter(&fence, 1, 2, 1, 0);
  SayEnter(&fence, 0, 3, 1, 0);
  SayEnter(&fence, 1, 3, 1, 0).Byte(kEnd).Byte(1).Byte(kFinish);
  seeds.push_back(fence);

  Seed commit = Met();
  SayEnter(&commit, 0, 1, 1, 1);
  SayEnter(&commit, 1, 1, 1, 1);
  SayEnter(&commit, 0, 1, 2, 0, 1);
  SayEnter(&commit, 1, 1, 2, 0);
  seeds.push_back(commit);

  const std::vector<protocol::DeclarationLine> lines = {{"table 'w'", "20 rows"}};
  const std::vector<protocol::DeclarationLine> others = {{"table 'w'", "21 rows"}};
  Seed differ = Met();
  SayEnter(&differ, 0, 1, 1, 1);
  SayEnter(&differ, 1, 1, 1, 2);
  SayFrame(&differ, 0, Type::kLines, Encode(lines));
  SayFrame(&differ, 1, Type::kLines, Encode(others));
  seeds.push_back(differ);

  net::wire::Beat beat;
  beat.clock = 3;
  net::wire::Suspect suspect;
  suspect.rank = 1;
  suspect.text = "silent";
  net::wire::Relay relay;
  relay.dst = 1;
  relay.kind = 16;
  relay.bytes = "rows";
  protocol::Cause cause;
  cause.code = -17;
  cause.text = "enough";
  Seed talk = Met();
  SayFrame(&talk, 0, Type::kBeat, Encode(beat));
  SayFrame(&talk, 1, Type::kRelay, Encode(relay));
  Pass(&talk, 200);
  SayFrame(&talk, 0, Type::kSuspect, Encode(suspect));
  Pass(&talk, 2000);
  seeds.push_back(talk);
  Seed bye = Met();
  SayFrame(&bye, 1, Type::kBye, Encode(cause)).Byte(kEnd).Byte(1);
  seeds.push_back(bye);
  for (const Type type : {Type::kBeat, Type::kEnter, Type::kLines, Type::kSuspect, Type::kBye, Type::kRelay}) {
    Seed bad = Met();
    SayFrame(&bad, 1, type, "?");
    seeds.push_back(bad);
  }
  Seed lost = Met();
  lost.Byte(kEnd).Byte(1);
  seeds.push_back(lost);
  Seed silent = Met();
  for (int i = 0; i < 8; ++i) Pass(&silent, 900);
  seeds.push_back(silent);

  // Strangers.
  seeds.push_back(Seed().Byte(2).Byte(0).Byte(kFlood).Byte(0).Byte(kFlood).Byte(1).Byte(kPass).Number(uint16_t{6000}));
  seeds.push_back(Seed().Byte(1).Byte(0).Byte(kConnect).Byte(kRaw).Byte(1).Text("GET / HTTP/1.1\r\n\r\n"));
  Seed frame;
  frame.Byte(1).Byte(0).Byte(kConnect);
  SayFrame(&frame, 1, Type::kBeat, Encode(beat));
  Pass(&frame, 1500);
  seeds.push_back(frame);
  for (int wrong = 0; wrong < 3; ++wrong) {
    Seed seed;
    seed.Byte(1).Byte(1).Byte(kConnect).Byte(kHello).Byte(1).Byte(1).Byte(0);
    if (wrong == 0) seed.Byte(0).Byte(99);
    if (wrong == 1) seed.Byte(0).Byte(0);
    if (wrong == 2) seed.Byte(1);
    seed.Byte(wrong == 2 ? 1 : 0).Byte(1);
    Pass(&seed, 1500);
    seeds.push_back(seed);
  }
  Seed twice = Met();
  twice.Byte(kConnect);
  SayHello(&twice, 2, 1);
  SayHello(&twice, 1, 1);
  seeds.push_back(twice);
  Seed late;
  late.Byte(2).Byte(0);
  Pass(&late, 6000);
  seeds.push_back(late);
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  geeps::fuzz::Input input(data, size);
  geeps::fuzz::Session(&input).Run();
  return 0;
}
