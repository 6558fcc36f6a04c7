// SPDX-License-Identifier: Apache-2.0
#include "tests/protocol/coordinator_bench.h"

namespace geeps::protocol {

TEST_CASE("Rendezvous: the last HELLO makes all welcome, with hosts and addresses by rank") {
  CoordinatorBench bench(3);
  CHECK(bench.Hello(HelloOf(2, 3)).empty());
  CHECK(bench.Hello(HelloOf(0, 3)).empty());
  const CoordinatorEffect effect = Only(bench.Hello(HelloOf(1, 3)), Kind::kWelcome);
  CHECK(effect.welcome.job == 77);
  CHECK(effect.welcome.hosts == std::vector<std::string>{"a", "b", "c"});
  CHECK(effect.welcome.addresses == std::vector<std::string>{"address 0", "address 1", "address 2"});
}

TEST_CASE("Rendezvous: a HELLO that does not fit is refused with the reason, and the place stays free") {
  CoordinatorBench bench(4);
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
  CoordinatorBench bench(2);
  bench.Hello(HelloOf(1, 2));
  const Cause cause = Only(bench.Closed(1), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kPeerLost));
  CHECK(
      Says(cause.text, "rank 1 (host b, pid 41) was lost at clock 0: its connection to the coordinator closed before"));
  CHECK(Says(Only(bench.Hello(HelloOf(0, 2)), Kind::kReject).cause.text, cause.text));
}

TEST_CASE("Rendezvous: who is missing is logged every five seconds") {
  CoordinatorBench bench(3);
  bench.Hello(HelloOf(0, 3));
  CHECK(bench.machine.NextTick() == 5000 * kMs);
  bench.now_ns = 4999 * kMs;
  CHECK(bench.Tick().empty());
  bench.now_ns = 5000 * kMs;
  CHECK(Only(bench.Tick(), Kind::kLog).text == "the job of 3 workers waits for rank 1, rank 2");
  CHECK(bench.Tick().empty());
  CHECK(bench.machine.NextTick() == 10000 * kMs);
}

TEST_CASE("Verdict: a closed connection names rank, host, process and the last clock heard, once") {
  CoordinatorBench bench = Met(3);
  CHECK(bench.Beat(2, 17).empty());
  const Cause cause = Only(bench.Closed(2), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kPeerLost));
  CHECK(cause.rank == 2);
  CHECK(cause.clock == 17);
  CHECK(cause.text ==
        "rank 2 (host c, pid 42) was lost at clock 17: its connection to the coordinator closed without a goodbye");
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
  CoordinatorBench bench = Met(3);
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
        "rank 1 (host b, pid 41) was lost at clock 5: nothing was heard from it for 1004 ms, the limit is 1000 ms");
}

TEST_CASE("Verdict: rank 0 cannot be silent beside its own coordinator") {
  CoordinatorBench bench = Met(2);
  bench.now_ns = 999 * kMs;
  bench.Beat(1, 0);
  bench.now_ns = 1500 * kMs;
  CHECK(bench.Tick().empty());
}

TEST_CASE("Verdict: silence counts from the welcome on") {
  CoordinatorBench bench(2);
  bench.Hello(HelloOf(1, 2));
  bench.now_ns = 4000 * kMs;
  CHECK(bench.Tick().empty());
  Only(bench.Hello(HelloOf(0, 2)), Kind::kWelcome);
  CHECK(bench.Tick().empty());
  CHECK(bench.machine.NextTick() == 5000 * kMs);
}

TEST_CASE("Verdict: a goodbye gives its own cause, with the worker's name") {
  CoordinatorBench bench = Met(2);
  bench.Beat(1, 12);
  Cause bye = CauseOf(Code::kDevice, "the device failed");
  const Cause cause = Only(bench.Bye(1, bye), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kDevice));
  CHECK(cause.rank == 1);
  CHECK(cause.clock == 12);
  CHECK(cause.text == "rank 1 (host b, pid 41) ended the job at clock 12: the device failed");
}

TEST_CASE("Verdict: a worker that leaves without a shutdown is lost, in the words of every lost worker") {
  CoordinatorBench bench = Met(2);
  bench.Beat(1, 12);
  Cause bye = CauseOf(Code::kPeerLost, "its program destroyed the runtime without a shutdown");
  bye.clock = 13;
  const Cause cause = Only(bench.Bye(1, bye), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kPeerLost));
  CHECK(cause.rank == 1);
  CHECK(cause.clock == 13);
  CHECK(cause.text ==
        "rank 1 (host b, pid 41) was lost at clock 13: its program destroyed the runtime without a shutdown");
}

TEST_CASE("Verdict: the text of an abort is passed on as it is") {
  CoordinatorBench bench = Met(2);
  const Cause cause = Only(bench.Bye(1, CauseOf(Code::kAborted, "loss is NaN")), Kind::kDown).cause;
  CHECK(cause.code == Value(Code::kAborted));
  CHECK(cause.rank == 1);
  CHECK(cause.text == "loss is NaN");
}

TEST_CASE("Verdict: a goodbye may name another worker, and is never a success") {
  CoordinatorBench bench = Met(3);
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
  CoordinatorBench bench = Met(3);
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
          "reported: connection reset");
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
               "closed without a goodbye, after rank 1 (host b, pid 41) reported: connection reset"));
  }
  SUBCASE("its own cause comes first") {
    CHECK(Only(bench.Bye(2, CauseOf(Code::kNoMemory, "no memory")), Kind::kDown).cause.code == Value(Code::kNoMemory));
  }
}

TEST_CASE("Verdict: nobody suspects itself, and only the first suspicion counts") {
  CoordinatorBench bench = Met(3);
  CHECK(bench.Suspect(1, 1, "x").empty());
  CHECK(bench.machine.NextTick() == 1000 * kMs);
  bench.Suspect(1, 2, "first");
  bench.now_ns = 90 * kMs;
  bench.Suspect(2, 1, "second");
  bench.now_ns = 100 * kMs;
  CHECK(Only(bench.Tick(), Kind::kDown).cause.rank == 2);
}

TEST_CASE("Shutdown: after its GO closed connections, suspicions and silence are no failures, and rank 0 closes last") {
  CoordinatorBench bench = Met(3);
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
  CoordinatorBench bench = Met(1);
  const auto effects = bench.Enter(0, EnterOf(FenceKind::kShutdown, 2));
  REQUIRE(effects.size() == 2);
  CHECK(effects[0].kind == Kind::kGo);
  CHECK(effects[1].kind == Kind::kClosed);
}

TEST_CASE("Shutdown: before its GO a closed connection is a loss") {
  CoordinatorBench bench = Met(2);
  bench.Enter(0, EnterOf(FenceKind::kShutdown, 20));
  CHECK(Only(bench.Closed(1), Kind::kDown).cause.rank == 1);
}

TEST_CASE("Coordinator: inputs about ranks that do not exist or were never heard of are ignored") {
  CoordinatorBench bench(2);
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
