// SPDX-License-Identifier: Apache-2.0
#include "tests/protocol/coordinator_bench.h"

namespace geeps::protocol {

TEST_CASE("Fence: GO comes when all workers have entered, once, and the job can fence again") {
  CoordinatorBench bench = Met(3);
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
  CoordinatorBench bench = Met(2);
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 4)).empty());
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 4)).empty());
  Only(bench.Enter(1, EnterOf(FenceKind::kFence, 4)), Kind::kGo);
}

TEST_CASE("Commit: two phases, the second GO begins the epoch, maxima are agreed upon") {
  CoordinatorBench bench = Met(2);
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

TEST_CASE("Fence: when a worker brings sets it has two phases and begins an epoch, and else it has one") {
  CoordinatorBench bench = Met(2);
  Enter with_sets = EnterOf(FenceKind::kFence, 3);
  with_sets.sets = true;
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 3)).empty());
  Go go = Only(bench.Enter(1, with_sets), Kind::kGo).go;
  CHECK(go.phase == 1);
  CHECK(go.sets);
  CHECK(go.epoch == 1);
  CHECK(bench.Enter(1, EnterOf(FenceKind::kFence, 3, 2)).empty());
  go = Only(bench.Enter(0, EnterOf(FenceKind::kFence, 3, 2)), Kind::kGo).go;
  CHECK(go.phase == 2);
  CHECK(go.sets);
  CHECK(go.epoch == 1);
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 3)).empty());
  go = Only(bench.Enter(1, EnterOf(FenceKind::kFence, 3)), Kind::kGo).go;
  CHECK(go.phase == 1);
  CHECK_FALSE(go.sets);
  CHECK(go.epoch == 1);
  CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 4)).empty());
}

TEST_CASE("Fence: one with sets can fail for all in its second phase, and a shutdown takes no sets in") {
  CoordinatorBench bench = Met(2);
  Enter with_sets = EnterOf(FenceKind::kFence, 3);
  with_sets.sets = true;
  bench.Enter(0, with_sets);
  bench.Enter(1, with_sets);
  Enter failed = EnterOf(FenceKind::kFence, 3, 2);
  failed.failed = true;
  failed.cause = CauseOf(Code::kNoMemory, "no room for a set");
  bench.Enter(1, failed);
  const CoordinatorEffect fail = Only(bench.Enter(0, EnterOf(FenceKind::kFence, 3, 2)), Kind::kFail);
  CHECK(
      Says(fail.cause.text, "rank 1 (host b, pid 41) could not take part in the fence at clock 3: no room for a set"));
  CHECK(fail.go.epoch == 0);
  Enter shutdown = EnterOf(FenceKind::kShutdown, 3);
  shutdown.sets = true;
  bench.Enter(0, shutdown);
  const Go go = Only(bench.Enter(1, shutdown), Kind::kGo).go;
  CHECK_FALSE(go.sets);
  CHECK(bench.machine.shut_down());
}

TEST_CASE("Commit: a worker that cannot carry it out makes it fail for all when all have answered; the job goes on") {
  CoordinatorBench bench = Met(3);
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
  CoordinatorBench bench = Met(3);
  bench.Enter(0, EnterOf(FenceKind::kCommit, 8));
  bench.Enter(2, EnterOf(FenceKind::kShutdown, 8));
  const Cause cause = Only(bench.Enter(1, EnterOf(FenceKind::kCommit, 8)), Kind::kFail).cause;
  CHECK(cause.code == Value(Code::kMismatch));
  CHECK(cause.text ==
        "rank 0 (host a, pid 40) entered a commit at clock 8, but rank 2 (host c, pid 42) entered a shutdown");
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
    CoordinatorBench bench = Met(2);
    CHECK(bench.Beat(1, 10).empty());
    CHECK(bench.Enter(0, EnterOf(FenceKind::kFence, 10)).empty());
    expect(bench.Beat(1, 11));
  }
  SUBCASE("heard of before") {
    CoordinatorBench bench = Met(2);
    CHECK(bench.Beat(1, 11).empty());
    expect(bench.Enter(0, EnterOf(FenceKind::kFence, 10)));
  }
  SUBCASE("by its own fence") {
    CoordinatorBench bench = Met(2);
    CHECK(bench.Enter(1, EnterOf(FenceKind::kFence, 11)).empty());
    expect(bench.Enter(0, EnterOf(FenceKind::kFence, 10)));
  }
}

TEST_CASE("Fence: a worker behind the fence's clock is waited for, and named every five seconds") {
  CoordinatorBench bench = Met(2, 0);
  bench.now_ns = 7000 * kMs;
  bench.Enter(0, EnterOf(FenceKind::kFence, 10));
  CHECK(bench.Beat(1, 9).empty());
  CHECK(bench.machine.NextTick() == 12000 * kMs);
  bench.now_ns = 12000 * kMs;
  CHECK(Only(bench.Tick(), Kind::kLog).text ==
        "rank 0 (host a, pid 40) waits in a fence at clock 10 for rank 1 (host b, pid 41) at clock 9");
  Only(bench.Enter(1, EnterOf(FenceKind::kFence, 10)), Kind::kGo);
}

TEST_CASE("Fence: an ENTER out of its place ends the job") {
  SUBCASE("second phase without the first") {
    CoordinatorBench bench = Met(2);
    CHECK(Only(bench.Enter(1, EnterOf(FenceKind::kCommit, 0, 2)), Kind::kDown).cause.code == Value(Code::kData));
  }
  SUBCASE("two fences at once") {
    CoordinatorBench bench = Met(2);
    bench.Enter(1, EnterOf(FenceKind::kCommit, 0));
    const Cause cause = Only(bench.Enter(1, EnterOf(FenceKind::kShutdown, 0)), Kind::kDown).cause;
    CHECK(cause.code == Value(Code::kData));
    CHECK(cause.rank == 1);
    CHECK(Says(cause.text, "entered a shutdown in phase 1 at clock 0 while it stood in a commit"));
  }
  SUBCASE("another fence in the second phase") {
    CoordinatorBench bench = Met(2);
    for (uint32_t rank = 0; rank < 2; ++rank) bench.Enter(rank, EnterOf(FenceKind::kCommit, 0));
    Only(bench.Enter(0, EnterOf(FenceKind::kShutdown, 0)), Kind::kDown);
  }
  SUBCASE("a kind or phase that does not exist") {
    CoordinatorBench bench = Met(2);
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
    CoordinatorBench bench = Met(4);
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
        "the workers disagree about table 'conv1': rank 0 (host a, pid 40) declared 20 rows of 26 f32, rank 2 (host c, "
        "pid 42) "
        "declared 21 rows of 26 f32");
  CHECK(Says(compare({conv, plan}, {plan}).text,
             "rank 0 (host a, pid 40) declared table 'conv1' (20 rows of 26 f32) where rank 2 (host c, pid 42) "
             "declared plan 'train'"));
  CHECK(
      Says(compare({conv, plan}, {conv}).text, "rank 0 (host a, pid 40) declared plan 'train' (3 operations), rank 2"));
  CHECK(
      Says(compare({conv}, {conv, plan}).text, "rank 2 (host c, pid 42) declared plan 'train' (3 operations), rank 0"));
  CHECK(compare({conv}, {conv}).code == Value(Code::kInternal));
}

TEST_CASE("Commit: while lines are on their way the coordinator need not be called") {
  CoordinatorBench bench = Met(2, 0);
  Enter enter = EnterOf(FenceKind::kCommit, 3);
  for (uint32_t rank = 0; rank < 2; ++rank) {
    enter.digest = rank;
    bench.Enter(rank, enter);
  }
  bench.now_ns = 60'000 * kMs;
  CHECK(bench.Tick().empty());
  CHECK(bench.machine.NextTick() == kNever);
}

TEST_CASE("Commit: after a difference the workers may try again") {
  CoordinatorBench bench = Met(2);
  Enter odd = EnterOf(FenceKind::kCommit, 0);
  odd.digest = 1;
  bench.Enter(0, EnterOf(FenceKind::kCommit, 0));
  CHECK(bench.Enter(1, odd).size() == 2);
  bench.Lines(0, {});
  Only(bench.Lines(1, {{"plan 'p'", "none"}}), Kind::kFail);
  CHECK(bench.Enter(0, EnterOf(FenceKind::kCommit, 0)).empty());
  Only(bench.Enter(1, EnterOf(FenceKind::kCommit, 0)), Kind::kGo);
}

}  // namespace geeps::protocol
