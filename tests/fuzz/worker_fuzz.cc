// SPDX-License-Identifier: Apache-2.0
// A session of a worker's end of the control plane: a whole ControlPlane of rank 1 with its thread, which meets a rank
// 0 that says what the input wants, while its program calls. Rank 0 then says no more and waits until the worker has
// closed as well: so everything that was said has been taken in, without a sleep.
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/net/control.h"
#include "runtime/net/control_socket.h"
#include "runtime/net/control_wire.h"
#include "tests/fuzz/fuzz.h"

namespace geeps::fuzz {
namespace {

using net::wire::Type;

constexpr char kName[] = "fuzz-worker";
constexpr uint32_t kWorld = 2;
constexpr int kLimit_ms = 20000;  // of every wait: far more than any takes
constexpr int kStepsMax = 32;

enum Op : uint8_t { kWelcome, kGo, kFrame, kRaw, kRelay, kCause, kCall, kNumOps };

// Judges the order of what the session hears.
class Events final : public net::ControlEvents {
 public:
  void OnWelcome(const protocol::Welcome& welcome) override {
    FUZZ_CHECK(!down_ && !std::exchange(welcome_, true) && welcome.hosts.size() == kWorld);
  }
  void OnGo(const protocol::Go&) override { FUZZ_CHECK(welcome_ && !down_); }
  void OnFail(const absl::Status& cause) override { FUZZ_CHECK(!down_ && !cause.ok()); }
  void OnRelay(uint32_t, uint32_t, std::string) override { FUZZ_CHECK(welcome_ && !down_); }
  void OnDown(const absl::Status& cause) override {
    FUZZ_CHECK(!std::exchange(down_, true) && !cause.ok() && !cause.message().empty());
  }
  bool down() const { return down_; }

 private:
  // Of the control thread; `down` is read when that has ended.
  bool welcome_ = false;
  bool down_ = false;
};

void Ignore(void*, int32_t, const char*, const char*, uint64_t) {}

void Await(int fd, short events) {
  pollfd entry = {fd, events, 0};
  int ready;
  do {
    ready = poll(&entry, 1, kLimit_ms);
  } while (ready < 0 && errno == EINTR);
  FUZZ_CHECK(ready == 1);
}

// What rank 0 hears: whole frames of a worker.
class Listened {
 public:
  void Take(const char* bytes, size_t num) {
    bytes_.append(bytes, num);
    while (bytes_.size() >= net::wire::kFrameHeaderBytes) {
      const absl::string_view all = bytes_;
      net::wire::FrameHeader header;
      FUZZ_CHECK(net::wire::DecodeFrameHeader(all, net::wire::kBodyMax, &header).ok());
      const size_t frame_bytes = net::wire::kFrameHeaderBytes + header.body_bytes;
      if (bytes_.size() < frame_bytes) return;
      const absl::string_view body = all.substr(net::wire::kFrameHeaderBytes, header.body_bytes);
      FUZZ_CHECK(net::wire::CheckBody(header, body).ok());
      FUZZ_CHECK(num_++ > 0 || header.type == Type::kHello);
      bytes_.erase(0, frame_bytes);
    }
  }

 private:
  std::string bytes_;
  uint64_t num_ = 0;
};

class Session {
 public:
  explicit Session(Input* input) : input_(*input) {
    auto listener = net::ListenAtName(kName);
    FUZZ_CHECK(listener.ok());
    net::ControlOptions options;
    options.rank = 1;
    options.world = kWorld;
    options.rendezvous = std::string("inproc://") + kName;
    options.job = "job";
    options.transport = "tcp";
    options.clock = &clock_;
    options.log = &log_;
    FUZZ_CHECK(plane_.Begin(options, &events_).ok());
    Await((*listener)->fd(), POLLIN);
    std::vector<net::Socket> sockets = (*listener)->Accept();
    FUZZ_CHECK(sockets.size() == 1);
    socket_ = std::move(sockets[0]);
    // Nobody listens any more: a worker that was sent away is not heard again.
  }

  void Run() {
    for (int i = 0; i < kStepsMax && !input_.done(); ++i) Act();
    Say(Type::kFetch, "");
    shutdown(socket_.fd(), SHUT_WR);
    Listened listened;
    for (;;) {
      char buffer[4096];
      Await(socket_.fd(), POLLIN);
      const ssize_t got = recv(socket_.fd(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      listened.Take(buffer, static_cast<size_t>(got));
    }
    socket_.Close();
    plane_.Stop();
    FUZZ_CHECK(plane_.failure().ok() != events_.down());
  }

 private:
  void Say(Type type, const std::string& body) { SayBytes(net::wire::Frame(type, body, sequence_++)); }
  // All of it: the worker reads.
  void SayBytes(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t sent = send(socket_.fd(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) {
        Await(socket_.fd(), POLLOUT);
        continue;
      }
      if (sent <= 0) return;  // the worker has closed
      at += static_cast<size_t>(sent);
    }
  }

  void Act() {
    switch (input_.Below(kNumOps)) {
      case kWelcome: {
        protocol::Welcome welcome;
        welcome.job = input_.Byte();
        welcome.hosts.assign(input_.Flag() ? 1 : kWorld, "h");
        welcome.addresses.assign(welcome.hosts.size(), "a");
        Say(Type::kWelcome, net::wire::Encode(welcome));
        break;
      }
      case kGo: {
        protocol::Go go;
        go.kind = static_cast<protocol::FenceKind>(1 + input_.Below(3));
        go.phase = input_.Byte();
        go.epoch = input_.Byte();
        Say(Type::kGo, net::wire::Encode(go));
        break;
      }
      case kFrame: {
        const Type type = static_cast<Type>(input_.Byte());
        Say(type, input_.Text());
        break;
      }
      case kRaw:
        SayBytes(input_.Text());
        break;
      case kRelay: {
        net::wire::Relay relay;
        relay.kind = input_.Byte();
        relay.bytes = input_.Text();
        Say(Type::kRelay, net::wire::Encode(relay));
        break;
      }
      case kCause: {
        static constexpr Type kTypes[] = {Type::kFail, Type::kDown, Type::kRefused};
        protocol::Cause cause;
        const Type type = kTypes[input_.Below(3)];
        cause.code = static_cast<int8_t>(input_.Byte());
        cause.text = "a cause";
        Say(type, net::wire::Encode(cause));
        break;
      }
      default:
        Call();
        break;
    }
  }

  // The program's side: whatever the moment is, there is a status.
  void Call() {
    switch (input_.Below(4)) {
      case 0: {
        protocol::Enter enter;
        enter.clock = input_.Byte();
        (void)plane_.Enter(enter, {{"table 'w'", "20 rows"}});
        break;
      }
      case 1: {
        const uint32_t dst = input_.Below(4);
        const uint32_t kind = input_.Byte();
        (void)plane_.Relay(dst, kind, input_.Text());
        break;
      }
      case 2:
        plane_.Suspect(input_.Below(3), "silent");
        break;
      default:
        plane_.Bye(MakeStatus(Code::kAborted, "enough"));
        break;
    }
    (void)plane_.failure();
    FUZZ_CHECK(plane_.clocks().size() == kWorld);
  }

  Input& input_;
  std::atomic<uint64_t> clock_{0};
  Log log_{LogLevel::kDebug, Ignore, nullptr};
  Events events_;
  net::Socket socket_;
  uint32_t sequence_ = 0;  // of the next frame that is said
  net::ControlPlane plane_;  // last: its thread uses the rest
};

}  // namespace

std::vector<std::string> FuzzSeeds() {
  using net::wire::Encode;
  const Seed welcome = Seed().Byte(kWelcome).Byte(0).Byte(0);
  std::vector<std::string> seeds;
  seeds.push_back(Seed().Raw(welcome).Byte(kCall).Byte(0).Byte(3).Byte(kGo).Byte(1).Byte(1).Byte(0));
  seeds.push_back(Seed().Raw(welcome).Byte(kGo).Byte(2).Byte(1).Byte(0));  // a shutdown
  seeds.push_back(
      Seed().Raw(welcome).Byte(kRelay).Byte(16).Text("bytes").Byte(kCall).Byte(1).Byte(1).Byte(7).Text("x"));
  for (uint32_t kind = 0; kind < 3; ++kind) {
    seeds.push_back(Seed().Byte(kCause).Byte(kind).Byte(0xf9));
    seeds.push_back(Seed().Raw(welcome).Byte(kCause).Byte(kind).Byte(0xf9));
    seeds.push_back(Seed().Raw(welcome).Byte(kCause).Byte(kind).Byte(3));
  }
  seeds.push_back(Seed().Raw(welcome).Raw(welcome));
  seeds.push_back(Seed().Byte(kWelcome).Byte(0).Byte(1));
  seeds.push_back(Seed().Raw(welcome).Byte(kCall).Byte(2).Byte(0).Byte(kCall).Byte(2).Byte(1));
  seeds.push_back(Seed().Raw(welcome).Byte(kCall).Byte(3));
  seeds.push_back(Seed().Byte(kCall).Byte(3));
  seeds.push_back(Seed().Raw(welcome).Byte(kRaw).Text("no frame at all, whatever it is"));
  seeds.push_back(
      Seed().Raw(welcome).Byte(kCause).Byte(1).Byte(0xf9).Byte(kRaw).Text("no frame at all, whatever it is"));
  net::wire::Beat beat;
  beat.clock = 9;
  seeds.push_back(Seed().Byte(kFrame).Byte(static_cast<uint32_t>(Type::kBeat)).Text(Encode(beat)).Raw(welcome));
  for (uint32_t type = 0; type <= 15; ++type) {
    seeds.push_back(Seed().Raw(welcome).Byte(kFrame).Byte(type).Text("?"));
  }
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  geeps::fuzz::Input input(data, size);
  geeps::fuzz::Session(&input).Run();
  return 0;
}
