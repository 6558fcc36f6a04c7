// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/coordinator.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "runtime/base/status.h"

namespace geeps::protocol {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
using Kind = CoordinatorEffect::Kind;

Hello HelloOf(uint32_t rank, uint32_t world) {
  Hello hello;
  hello.rank = rank;
  hello.world = world;
  hello.pid = 40 + rank;
  hello.host = std::string(1, static_cast<char>('a' + rank));
  hello.transport = "tcp";
  hello.address = "address " + std::to_string(rank);
  return hello;
}

Enter EnterOf(FenceKind kind, Clock clock, uint8_t phase = 1) {
  Enter enter;
  enter.kind = kind;
  enter.clock = clock;
  enter.phase = phase;
  return enter;
}

Cause CauseOf(Code code, const std::string& text) {
  Cause cause;
  cause.code = static_cast<int32_t>(code);
  cause.text = text;
  return cause;
}

// A coordinator; each input returns its effects.
class Bench {
 public:
  explicit Bench(uint32_t world, uint64_t heartbeat_limit_ns = 1000 * kMs)
      : world_(world), machine(Made(world, heartbeat_limit_ns)) {}

  std::vector<CoordinatorEffect> Hello(const protocol::Hello& hello, uint64_t connection = 1) {
    return Taken([&](auto* effects) { machine.OnHello(connection, hello, now_ns, effects); });
  }
  void Meet() {
    for (uint32_t rank = 0; rank < world_; ++rank) Hello(HelloOf(rank, world_), 100 + rank);
  }
  std::vector<CoordinatorEffect> Enter(uint32_t rank, const protocol::Enter& enter) {
    return Taken([&](auto* effects) { machine.OnEnter(rank, enter, now_ns, effects); });
  }
  std::vector<CoordinatorEffect> Lines(uint32_t rank, const std::vector<DeclarationLine>& lines) {
    return Taken([&](auto* effects) { machine.OnLines(rank, lines, effects); });
  }
  std::vector<CoordinatorEffect> Beat(uint32_t rank, Clock clock) {
    return Taken([&](auto* effects) { machine.OnBeat(rank, clock, now_ns, effects); });
  }
  std::vector<CoordinatorEffect> Bye(uint32_t rank, const Cause& cause) {
    return Taken([&](auto* effects) { machine.OnBye(rank, cause, effects); });
  }
  std::vector<CoordinatorEffect> Suspect(uint32_t rank, uint32_t suspect, const std::string& text) {
    return Taken([&](auto* effects) { machine.OnSuspect(rank, suspect, text, now_ns, effects); });
  }
  std::vector<CoordinatorEffect> Closed(uint32_t rank) {
    return Taken([&](auto* effects) { machine.OnClosed(rank, now_ns, effects); });
  }
  std::vector<CoordinatorEffect> Tick() {
    return Taken([&](auto* effects) { machine.OnTick(now_ns, effects); });
  }

 private:
  uint32_t world_;

 public:
  Coordinator machine;
  uint64_t now_ns = 0;

 private:
  static Coordinator Made(uint32_t world, uint64_t heartbeat_limit_ns) {
    Coordinator::Options options;
    options.world = world;
    options.job = 77;
    options.heartbeat_limit_ns = heartbeat_limit_ns;
    return Coordinator(options, 0);
  }
  std::vector<CoordinatorEffect> Taken(const std::function<void(std::vector<CoordinatorEffect>*)>& input) {
    std::vector<CoordinatorEffect> effects;
    input(&effects);
    return effects;
  }
};

Bench Met(uint32_t world, uint64_t heartbeat_limit_ns = 1000 * kMs) {
  Bench bench(world, heartbeat_limit_ns);
  bench.Meet();
  return bench;
}

// The one effect, of this kind.
CoordinatorEffect Only(const std::vector<CoordinatorEffect>& effects, Kind kind) {
  REQUIRE(effects.size() == 1);
  REQUIRE(effects[0].kind == kind);
  return effects[0];
}

bool Says(const std::string& text, const std::string& part) {
  const bool says = text.find(part) != std::string::npos;
  if (!says) MESSAGE("'" << text << "' does not say '" << part << "'");
  return says;
}

int32_t Value(Code code) { return static_cast<int32_t>(code); }

}  // namespace

TEST_CASE("Rendezvous: the last HELLO makes all welcome, with hosts and addresses by rank") {
  Bench bench(3);
  CHECK(bench.Hello(HelloOf(2, 3)).empty());
  CHECK(bench.Hello(HelloOf(0, 3)).empty());
  const CoordinatorEffect effect = Only(bench.Hello(HelloOf(1, 3)), Kind::kWelcome);
  CHECK(effect.welcome.job == 77);
  CHECK(effect.welcome.hosts == std::vector<std::string>{"a", "b", "c"});
  CHECK(effect.welcome.addresses == std::vector<std::string>{"address 0", "address 1", "address 2"});
}

TEST_CASE("Rendezvous: a HELLO that does not fit is refused with the reason, and the place stays free") {
  Bench bench(4);
  bench.Hello(HelloOf(1, 4));
  auto refusal = [&](const Hello& hello) {
    const CoordinatorEffect effect = Only(bench.Hello(hello, 9), Kind::kReject);
    CHECK(effect.connection == 9);
    return effect.cause;
  };
  Hello hello = HelloOf(2, 8);
  CHECK(refusal(hello).code == Value(Code::kMismatch));
  CHECK(Says(refusal(hello).text, "rank 2 (host c, pid 42) was refused: it expects 8 workers, the coordinator 4"));
  hello = HelloOf(4, 4);
  CHECK(refusal(hello).code == Value(Code::kInvalid));
  CHECK(Says(refusal(hello).text, "ranks of 4 workers end at 3"));
  hello = HelloOf(1, 4);
  hello.pid = 99;
  CHECK(Says(refusal(hello).text, "the rank is taken by pid 41 on host b"));
  hello = HelloOf(2, 4);
  hello.protocol_version = 7;
  CHECK(refusal(hello).code == Value(Code::kAbi));
  CHECK(Says(refusal(hello).text, "version 7 of the protocol, the coordinator version 1"));
  hello = HelloOf(2, 4);
  hello.transport = "inproc";
  CHECK(refusal(hello).code == Value(Code::kMismatch));
  CHECK(Says(refusal(hello).text, "transport 'inproc', rank 1 (host b, pid 41) uses 'tcp'"));
  CHECK(bench.Hello(HelloOf(2, 4)).empty());
}

TEST_CASE("Rendezvous: after a verdict a HELLO is told why the job ended") {
  Bench bench(2);
  bench.Hello(HelloOf(1, 2));
  const Cause cause = Only(bench.Closed(1), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kPeerLost));
  CHECK(
      Says(cause.text, "rank 1 (host b, pid 41) was lost at clock 0: its connection to the coordinator closed before"));
  CHECK(Says(Only(bench.Hello(HelloOf(0, 2)), Kind::kReject).cause.text, cause.text));
}

TEST_CASE("Rendezvous: who is missing is logged every five seconds") {
  Bench bench(3);
  bench.Hello(HelloOf(0, 3));
  CHECK(bench.machine.NextTick() == 5000 * kMs);
  bench.now_ns = 4999 * kMs;
  CHECK(bench.Tick().empty());
  bench.now_ns = 5000 * kMs;
  CHECK(Only(bench.Tick(), Kind::kLog).text == "The job of 3 workers waits for rank 1, rank 2.");
  CHECK(bench.Tick().empty());
  CHECK(bench.machine.NextTick() == 10000 * kMs);
}

TEST_CASE("Fence: GO comes when all workers have entered, once, and the job can fence again") {
  Bench bench = Met(3);
  for (Clock clock : {4, 9}) {
    CHECK(bench.Enter(2, EnterOf(FenceKind::kFence, clock)).empty());
    CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, clock)).empty());
    const Go go = Only(bench.Enter(1, EnterOf(FenceKind::kFence, clock)), Kind::kGo).go;
    CHECK(go.kind == FenceKind::kFence);
    CHECK(go.phase == 1);
    CHECK(go.clock == clock);
    CHECK(go.epoch == 0);
  }
}

TEST_CASE("Fence: the same ENTER again changes nothing") {
  Bench bench = Met(2);
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 4)).empty());
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 4)).empty());
  Only(bench.Enter(1, EnterOf(FenceKind::kFence, 4)), Kind::kGo);
}

TEST_CASE("Commit: two phases, the second GO begins the epoch, maxima are agreed upon") {
  Bench bench = Met(2);
  for (uint64_t epoch = 1; epoch < 4; ++epoch) {
    Enter first = EnterOf(FenceKind::kCommit, 3);
    first.maxima = {0, 5, 1};
    Enter second = first;
    second.maxima = {2, 4, 1};
    bench.Enter(1, second);
    Go go = Only(bench.Enter(0, first), Kind::kGo).go;
    CHECK(go.phase == 1);
    CHECK(go.epoch == epoch);
    CHECK(go.maxima == std::vector<uint32_t>{2, 5, 1});
    CHECK(bench.Enter(0, EnterOf(FenceKind::kCommit, 3, 2)).empty());
    go = Only(bench.Enter(1, EnterOf(FenceKind::kCommit, 3, 2)), Kind::kGo).go;
    CHECK(go.phase == 2);
    CHECK(go.epoch == epoch);
  }
}

TEST_CASE("Commit: a worker that cannot carry it out makes it fail for all when all have answered; the job goes on") {
  Bench bench = Met(3);
  for (uint32_t rank = 0; rank < 3; ++rank) bench.Enter(rank, EnterOf(FenceKind::kCommit, 3));
  Enter failed = EnterOf(FenceKind::kCommit, 3, 2);
  failed.failed = true;
  failed.cause = CauseOf(Code::kNoMemory, "9 bytes wanted, 8 available");
  CHECK(bench.Enter(1, failed).empty());
  CHECK(bench.Enter(0, EnterOf(FenceKind::kCommit, 3, 2)).empty());
  const CoordinatorEffect fail = Only(bench.Enter(2, EnterOf(FenceKind::kCommit, 3, 2)), Kind::kFail);
  CHECK(fail.cause.code == Value(Code::kNoMemory));
  CHECK(fail.cause.rank == 1);
  CHECK(Says(fail.cause.text, "rank 1 (host b, pid 41) could not carry out the commit at clock 3: 9 bytes wanted"));
  CHECK(fail.go.kind == FenceKind::kCommit);
  CHECK(fail.go.phase == 2);
  CHECK_FALSE(bench.machine.down());
  for (uint32_t rank = 0; rank < 2; ++rank) CHECK(bench.Enter(rank, EnterOf(FenceKind::kCommit, 3)).empty());
  CHECK(Only(bench.Enter(2, EnterOf(FenceKind::kCommit, 3)), Kind::kGo).go.epoch == 1);
}

TEST_CASE("Fence: different fences fail for all, naming two ranks; the job goes on") {
  Bench bench = Met(3);
  bench.Enter(0, EnterOf(FenceKind::kCommit, 8));
  bench.Enter(2, EnterOf(FenceKind::kShutdown, 8));
  const Cause cause = Only(bench.Enter(1, EnterOf(FenceKind::kCommit, 8)), Kind::kFail).cause;
  CHECK(cause.code == Value(Code::kMismatch));
  CHECK(cause.text ==
        "rank 0 (host a, pid 40) entered a commit at clock 8, but rank 2 (host c, pid 42) entered a shutdown.");
  CHECK_FALSE(bench.machine.down());
}

TEST_CASE("Fence: a worker beyond the fence's clock ends the job, naming both ranks and clocks") {
  auto expect = [](const std::vector<CoordinatorEffect>& effects) {
    const Cause cause = Only(effects, Kind::kDown).cause;
    CHECK(cause.code == Value(Code::kMismatch));
    CHECK(cause.rank == 1);
    CHECK(cause.clock == 11);
    CHECK(Says(
        cause.text,
        "rank 0 (host a, pid 40) entered a fence at clock 10, but rank 1 (host b, pid 41) is already at clock 11"));
  };
  SUBCASE("heard of later") {
    Bench bench = Met(2);
    CHECK(bench.Beat(1, 10).empty());
    CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 10)).empty());
    expect(bench.Beat(1, 11));
  }
  SUBCASE("heard of before") {
    Bench bench = Met(2);
    CHECK(bench.Beat(1, 11).empty());
    expect(bench.Enter(0, EnterOf(FenceKind::kFence, 10)));
  }
  SUBCASE("by its own fence") {
    Bench bench = Met(2);
    CHECK(bench.Enter(1, EnterOf(FenceKind::kFence, 11)).empty());
    expect(bench.Enter(0, EnterOf(FenceKind::kFence, 10)));
  }
}

TEST_CASE("Fence: a worker behind the fence's clock is waited for, and named every five seconds") {
  Bench bench = Met(2, 0);
  bench.now_ns = 7000 * kMs;
  bench.Enter(0, EnterOf(FenceKind::kFence, 10));
  CHECK(bench.Beat(1, 9).empty());
  CHECK(bench.machine.NextTick() == 12000 * kMs);
  bench.now_ns = 12000 * kMs;
  CHECK(Only(bench.Tick(), Kind::kLog).text ==
        "rank 0 (host a, pid 40) waits in a fence at clock 10 for rank 1 (host b, pid 41) at clock 9.");
  Only(bench.Enter(1, EnterOf(FenceKind::kFence, 10)), Kind::kGo);
}

TEST_CASE("Fence: an ENTER out of its place ends the job") {
  SUBCASE("second phase without the first") {
    Bench bench = Met(2);
    CHECK(Only(bench.Enter(1, EnterOf(FenceKind::kCommit, 0, 2)), Kind::kDown).cause.code == Value(Code::kData));
  }
  SUBCASE("two fences at once") {
    Bench bench = Met(2);
    bench.Enter(1, EnterOf(FenceKind::kCommit, 0));
    const Cause cause = Only(bench.Enter(1, EnterOf(FenceKind::kShutdown, 0)), Kind::kDown).cause;
    CHECK(cause.code == Value(Code::kData));
    CHECK(cause.rank == 1);
    CHECK(Says(cause.text, "entered a shutdown in phase 1 at clock 0 while it stood in a commit"));
  }
  SUBCASE("another fence in the second phase") {
    Bench bench = Met(2);
    for (uint32_t rank = 0; rank < 2; ++rank) bench.Enter(rank, EnterOf(FenceKind::kCommit, 0));
    Only(bench.Enter(0, EnterOf(FenceKind::kShutdown, 0)), Kind::kDown);
  }
  SUBCASE("a kind or phase that does not exist") {
    Bench bench = Met(2);
    Only(bench.Enter(0, EnterOf(static_cast<FenceKind>(9), 0)), Kind::kDown);
    bench = Met(2);
    Only(bench.Enter(0, EnterOf(FenceKind::kFence, 0, 2)), Kind::kDown);
  }
}

TEST_CASE("Commit: when digests differ the lines of two ranks are fetched and the first difference is named") {
  const DeclarationLine conv = {"table 'conv1'", "20 rows of 26 f32"};
  const DeclarationLine conv_other = {"table 'conv1'", "21 rows of 26 f32"};
  const DeclarationLine plan = {"plan 'train'", "3 operations"};
  auto compare = [](const std::vector<DeclarationLine>& a, const std::vector<DeclarationLine>& b) {
    Bench bench = Met(4);
    for (uint32_t rank = 0; rank < 3; ++rank) {
      Enter enter = EnterOf(FenceKind::kCommit, 6);
      enter.digest = rank == 2 ? 6 : 5;
      CHECK(bench.Enter(rank, enter).empty());
    }
    Enter last = EnterOf(FenceKind::kCommit, 6);
    last.digest = 7;
    const auto fetches = bench.Enter(3, last);
    REQUIRE(fetches.size() == 2);
    CHECK(fetches[0].kind == Kind::kFetch);
    CHECK(fetches[0].rank == 0);
    CHECK(fetches[1].rank == 2);
    CHECK(bench.Lines(1, a).empty());  // was not asked
    CHECK(bench.Lines(2, b).empty());
    const CoordinatorEffect effect = Only(bench.Lines(0, a), Kind::kFail);
    CHECK_FALSE(bench.machine.down());
    CHECK(effect.go.kind == FenceKind::kCommit);
    CHECK(effect.cause.rank == 2);
    return effect.cause;
  };
  CHECK(compare({plan, conv}, {plan, conv_other}).code == Value(Code::kMismatch));
  CHECK(compare({plan, conv}, {plan, conv_other}).text ==
        "The workers disagree about table 'conv1': rank 0 (host a, pid 40) declared 20 rows of 26 f32, rank 2 (host c, "
        "pid 42) "
        "declared 21 rows of 26 f32.");
  CHECK(Says(compare({conv, plan}, {plan}).text,
             "rank 0 (host a, pid 40) declared table 'conv1' (20 rows of 26 f32) where rank 2 (host c, pid 42) "
             "declared plan 'train'"));
  CHECK(
      Says(compare({conv, plan}, {conv}).text, "rank 0 (host a, pid 40) declared plan 'train' (3 operations), rank 2"));
  CHECK(
      Says(compare({conv}, {conv, plan}).text, "rank 2 (host c, pid 42) declared plan 'train' (3 operations), rank 0"));
  CHECK(compare({conv}, {conv}).code == Value(Code::kInternal));
}

TEST_CASE("Commit: after a difference the workers may try again") {
  Bench bench = Met(2);
  Enter odd = EnterOf(FenceKind::kCommit, 0);
  odd.digest = 1;
  bench.Enter(0, EnterOf(FenceKind::kCommit, 0));
  CHECK(bench.Enter(1, odd).size() == 2);
  bench.Lines(0, {});
  Only(bench.Lines(1, {{"plan 'p'", "none"}}), Kind::kFail);
  CHECK(bench.Enter(0, EnterOf(FenceKind::kCommit, 0)).empty());
  Only(bench.Enter(1, EnterOf(FenceKind::kCommit, 0)), Kind::kGo);
}

TEST_CASE("Verdict: a closed connection names rank, host, process and the last clock heard, once") {
  Bench bench = Met(3);
  CHECK(bench.Beat(2, 17).empty());
  const Cause cause = Only(bench.Closed(2), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kPeerLost));
  CHECK(cause.rank == 2);
  CHECK(cause.clock == 17);
  CHECK(cause.text ==
        "rank 2 (host c, pid 42) was lost at clock 17: its connection to the coordinator closed without a goodbye.");
  CHECK(bench.machine.down());
  CHECK(bench.Closed(1).empty());
  CHECK(bench.Bye(0, CauseOf(Code::kInternal, "x")).empty());
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 1)).empty());
  CHECK(bench.Suspect(0, 1, "x").empty());
  bench.now_ns = 100'000 * kMs;
  CHECK(bench.Tick().empty());
  CHECK(bench.machine.NextTick() == kNever);
}

TEST_CASE("Verdict: a worker is lost after the heartbeat limit, and any message keeps it") {
  Bench bench = Met(3);
  bench.now_ns = 600 * kMs;
  bench.Beat(1, 5);
  bench.now_ns = 900 * kMs;
  bench.Enter(2, EnterOf(FenceKind::kFence, 5));
  CHECK(bench.machine.NextTick() == 1600 * kMs);
  bench.now_ns = 1599 * kMs;
  CHECK(bench.Tick().empty());
  bench.now_ns = 1604 * kMs;
  const Cause cause = Only(bench.Tick(), Kind::kDown).cause;
  CHECK(cause.rank == 1);
  CHECK(cause.clock == 5);
  CHECK(cause.text ==
        "rank 1 (host b, pid 41) was lost at clock 5: nothing was heard from it for 1004 ms, the limit is 1000 ms.");
}

TEST_CASE("Verdict: rank 0 cannot be silent beside its own coordinator") {
  Bench bench = Met(2);
  bench.now_ns = 999 * kMs;
  bench.Beat(1, 0);
  bench.now_ns = 1500 * kMs;
  CHECK(bench.Tick().empty());
}

TEST_CASE("Verdict: silence counts from the welcome on") {
  Bench bench(2);
  bench.Hello(HelloOf(1, 2));
  bench.now_ns = 4000 * kMs;
  CHECK(bench.Tick().empty());
  Only(bench.Hello(HelloOf(0, 2)), Kind::kWelcome);
  CHECK(bench.Tick().empty());
  CHECK(bench.machine.NextTick() == 5000 * kMs);
}

TEST_CASE("Verdict: a goodbye gives its own cause, with the worker's name") {
  Bench bench = Met(2);
  bench.Beat(1, 12);
  Cause bye = CauseOf(Code::kDevice, "the device failed");
  const Cause cause = Only(bench.Bye(1, bye), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kDevice));
  CHECK(cause.rank == 1);
  CHECK(cause.clock == 12);
  CHECK(cause.text == "rank 1 (host b, pid 41) ended the job at clock 12: the device failed");
}

TEST_CASE("Verdict: the text of an abort is passed on as it is") {
  Bench bench = Met(2);
  const Cause cause = Only(bench.Bye(1, CauseOf(Code::kAborted, "loss is NaN")), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kAborted));
  CHECK(cause.rank == 1);
  CHECK(cause.text == "loss is NaN");
}

TEST_CASE("Verdict: a goodbye may name another worker, and is never a success") {
  Bench bench = Met(3);
  bench.Beat(2, 30);
  Cause bye;
  bye.rank = 2;
  bye.text = "it broke a rule";
  const Cause cause = Only(bench.Bye(1, bye), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kInternal));
  CHECK(cause.rank == 2);
  CHECK(cause.clock == 30);
  CHECK(Says(cause.text, "rank 1 (host b, pid 41) ended the job"));
}

TEST_CASE("Verdict: a suspect is judged 100 ms later, and named whether it is silent or not") {
  Bench bench = Met(3);
  bench.now_ns = 50 * kMs;
  bench.Beat(2, 6);
  CHECK(bench.Suspect(1, 2, "connection reset").empty());
  CHECK(bench.machine.NextTick() == 150 * kMs);
  bench.now_ns = 149 * kMs;
  CHECK(bench.Tick().empty());
  SUBCASE("silent") {
    bench.now_ns = 150 * kMs;
    const Cause cause = Only(bench.Tick(), Kind::kDown).cause;
    CHECK(cause.rank == 2);
    CHECK(cause.clock == 6);
    CHECK(cause.text ==
          "rank 2 (host c, pid 42) was lost at clock 6: nothing was heard from it for 100 ms, after rank 1 (host b, "
          "pid 41) "
          "reported: connection reset.");
  }
  SUBCASE("alive") {
    bench.Beat(2, 7);
    bench.now_ns = 150 * kMs;
    const Cause cause = Only(bench.Tick(), Kind::kDown).cause;
    CHECK(cause.rank == 2);
    CHECK(Says(cause.text, "lost at clock 7: the coordinator still heard it, after rank 1"));
  }
  SUBCASE("closed") {
    CHECK(Says(Only(bench.Closed(2), Kind::kDown).cause.text,
               "closed without a goodbye, after rank 1 (host b, pid 41) reported: connection reset."));
  }
  SUBCASE("its own cause comes first") {
    CHECK(Only(bench.Bye(2, CauseOf(Code::kNoMemory, "no memory")), Kind::kDown).cause.code == Value(Code::kNoMemory));
  }
}

TEST_CASE("Verdict: nobody suspects itself, and only the first suspicion counts") {
  Bench bench = Met(3);
  CHECK(bench.Suspect(1, 1, "x").empty());
  CHECK(bench.machine.NextTick() == 1000 * kMs);
  bench.Suspect(1, 2, "first");
  bench.now_ns = 90 * kMs;
  bench.Suspect(2, 1, "second");
  bench.now_ns = 100 * kMs;
  CHECK(Only(bench.Tick(), Kind::kDown).cause.rank == 2);
}

TEST_CASE("Shutdown: after its GO closed connections, suspicions and silence are no failures, and rank 0 closes last") {
  Bench bench = Met(3);
  bench.Enter(0, EnterOf(FenceKind::kShutdown, 20));
  bench.Enter(1, EnterOf(FenceKind::kShutdown, 20));
  CHECK_FALSE(bench.machine.shut_down());
  Only(bench.Enter(2, EnterOf(FenceKind::kShutdown, 20)), Kind::kGo);
  CHECK(bench.machine.shut_down());
  CHECK(bench.Suspect(1, 2, "closed").empty());
  CHECK(bench.Bye(2, CauseOf(Code::kPeerLost, "closed")).empty());
  CHECK(bench.Closed(2).empty());
  CHECK(bench.machine.NextTick() == kNever);
  bench.now_ns = 100'000 * kMs;
  CHECK(bench.Tick().empty());
  CHECK(bench.Closed(2).empty());
  Only(bench.Closed(1), Kind::kClosed);
  CHECK(bench.Closed(1).empty());
  CHECK_FALSE(bench.machine.down());
}

TEST_CASE("Shutdown: a lone worker is done at once") {
  Bench bench = Met(1);
  const auto effects = bench.Enter(0, EnterOf(FenceKind::kShutdown, 2));
  REQUIRE(effects.size() == 2);
  CHECK(effects[0].kind == Kind::kGo);
  CHECK(effects[1].kind == Kind::kClosed);
}

TEST_CASE("Shutdown: before its GO a closed connection is a loss") {
  Bench bench = Met(2);
  bench.Enter(0, EnterOf(FenceKind::kShutdown, 20));
  CHECK(Only(bench.Closed(1), Kind::kDown).cause.rank == 1);
}

TEST_CASE("Coordinator: inputs about ranks that do not exist or were never heard of are ignored") {
  Bench bench(2);
  bench.Hello(HelloOf(0, 2));
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 0)).empty());  // before the welcome
  for (uint32_t rank : {1u, 2u, 0xffffffffu}) {
    CHECK(bench.Beat(rank, 3).empty());
    CHECK(bench.Enter(rank, EnterOf(FenceKind::kFence, 0)).empty());
    CHECK(bench.Lines(rank, {}).empty());
    CHECK(bench.Bye(rank, {}).empty());
    CHECK(bench.Suspect(rank, 0, "x").empty());
    CHECK(bench.Suspect(0, rank, "x").empty());
    CHECK(bench.Closed(rank).empty());
  }
}

}  // namespace geeps::protocol
