// SPDX-License-Identifier: Apache-2.0
#include "tests/protocol/keeper_bench.h"

namespace geeps::protocol {

TEST_CASE("Keeper: an epoch begins with the first version for everybody, with values, once") {
  KeeperOptions options = World(2);
  options.first_age = 7;
  KeeperBench bench(options);
  CHECK(bench.Begin() == "publish 0 v7 b0; publish 1 v7 b0");
  CHECK(bench.Sent(0) == "");
  CHECK(bench.Credit(0, 7) == "");
}

TEST_CASE(
    "R4: FIRE that comes for another partition's sake changes nothing here, even when the clock is long applied") {
  KeeperBench bench = Ready(World(1, 2));
  CHECK(bench.Data(0, 0, true) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "publish 0 v1 b0");
  CHECK(bench.Absorbed(0, 1) == "");
  CHECK(bench.Data(0, 1, true) == "apply c1 b0>b0");
  CHECK(bench.Fire(0, 0, kTrain) == "");
  CHECK(bench.Fire(0, 1, kTrain) == "");
  CHECK(bench.machine.age() == 1);
}

TEST_CASE("R5: an apply waits until its buffer is out of every send") {
  KeeperBench bench(World(2));
  bench.Begin();
  bench.Data(0, 0);
  CHECK(bench.Data(1, 0) == "");
  CHECK(bench.Sent(1) == "");
  CHECK(bench.Sent(0) == "apply c0 b0>b0");
}

TEST_CASE("R5: with two version buffers an apply waits only for sends out of the older one") {
  KeeperBench bench(World(1, 1, 2));
  bench.Begin();
  CHECK(bench.Data(0, 0) == "apply c0 b0>b1");
  CHECK(bench.Applied() == "");  // version 0 is still going out: no second send beside it
  CHECK(bench.Data(0, 1) == "");
  CHECK(bench.Sent(0) == "apply c1 b1>b0");
  CHECK(bench.Credit(0, 0) == "publish 0 v1 b1");  // the other buffer: not what is being written
  CHECK(bench.Applied() == "");
}

TEST_CASE("R5: clocks are applied one at a time, in order") {
  KeeperBench bench = Ready(World(1, 2, 3));
  CHECK(bench.Data(0, 0) == "apply c0 b0>b1");
  CHECK(bench.Data(0, 1) == "");
  CHECK(bench.Data(0, 2) == "");
  CHECK(bench.Applied() == "publish 0 v1 b1; apply c1 b1>b2");
  CHECK(bench.Applied() == "apply c2 b2>b0");
  CHECK(bench.Applied() == "");
  CHECK(bench.machine.age() == 3);
}

TEST_CASE("R5: a clock without data is passed over with one buffer, and carried into the next one with several") {
  SUBCASE("one") {
    KeeperBench bench = Ready(World(1));
    CHECK(bench.Empty(0, 0) == "publish 0 v1 b0 unchanged");
  }
  SUBCASE("two") {
    KeeperBench bench = Ready(World(1, 1, 2));
    CHECK(bench.Empty(0, 0) == "apply c0 b0>b1");
    CHECK(bench.Applied() == "publish 0 v1 b1 unchanged");
  }
}

TEST_CASE("R5: several clocks without data are passed over at once, and only the newest age is told") {
  KeeperBench bench = Ready(World(2, 2));
  for (Clock clock = 0; clock < 3; ++clock) CHECK(bench.Empty(0, clock) == "");
  CHECK(bench.Empty(1, 1, true) == "fail clock p1 got 1 want 0");
  bench = Ready(World(2, 2));
  for (Clock clock = 0; clock < 3; ++clock) CHECK(bench.Empty(0, clock, false) == "");
  CHECK(bench.Empty(1, 0) == "");
  CHECK(bench.Fire(0, 0, kEvaluate) == "publish 0 v1 b0 unchanged; publish 1 v1 b0 unchanged");
}

TEST_CASE("R6: a version goes out once for a credit; those in between are skipped") {
  KeeperBench bench = Ready(World(2, 2));
  bench.Data(0, 0);
  CHECK(bench.Data(1, 0) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "publish 0 v1 b0; publish 1 v1 b0");
  CHECK(bench.Absorbed(1, 1) == "");  // nothing newer yet
  CHECK(bench.Sent(0) == "");
  for (Clock clock = 1; clock < 3; ++clock) {
    bench.Data(0, clock);
    CHECK(bench.Data(1, clock) == Numbered("apply c", clock) + " b0>b0");
    CHECK(bench.Applied() == Numbered("publish 1 v", clock + 1) + " b0");
    CHECK(bench.Absorbed(1, clock + 1) == "");
  }
  CHECK(bench.Credit(0, 1) == "publish 0 v3 b0");
}

TEST_CASE("R6: a credit must be owed, and name the version sent last") {
  SUBCASE("not owed") { CHECK(Ready(World(1)).Credit(0, 0) == "fail credit p0 got 0 want 0"); }
  SUBCASE("another version") {
    KeeperBench bench(World(1));
    bench.Begin();
    CHECK(bench.Credit(0, 3) == "fail credit p0 got 3 want 0");
  }
}

TEST_CASE("R6: a version is not sent while its only buffer is being overwritten; the next one is") {
  KeeperBench bench(World(1, 1));
  bench.Begin();
  CHECK(bench.Sent(0) == "");
  CHECK(bench.Data(0, 0) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "");
  CHECK(bench.Data(0, 1) == "apply c1 b0>b0");
  CHECK(bench.Credit(0, 0) == "");
  CHECK(bench.Applied() == "publish 0 v2 b0");
}

TEST_CASE("R6: a credit that overtakes the completion of its send waits for it") {
  KeeperBench bench = Ready(World(1, 1, 2));
  CHECK(bench.Data(0, 0) == "apply c0 b0>b1");
  CHECK(bench.Applied() == "publish 0 v1 b1");
  CHECK(bench.Data(0, 1) == "apply c1 b1>b0");
  CHECK(bench.Applied() == "");
  CHECK(bench.Credit(0, 1) == "");
  CHECK(bench.Sent(0) == "publish 0 v2 b0");
}

TEST_CASE("R6: who reads no row gets headers only") {
  KeeperOptions options = World(2);
  options.participants[1].reads = false;
  KeeperBench bench(options);
  CHECK(bench.Begin() == "publish 0 v0 b0; publish 1 v0 b0 header-only");
  bench.Absorbed(0, 0);
  bench.Absorbed(1, 0);
  bench.Data(0, 0);
  bench.Data(1, 0);
  CHECK(bench.Applied() == "publish 0 v1 b0; publish 1 v1 b0 header-only");
}

TEST_CASE("R6: a version is unchanged for a subscriber when nobody contributed since the one it has") {
  KeeperBench bench = Ready(World(2, 2));
  bench.Data(0, 0);
  bench.Data(1, 0);
  CHECK(bench.Applied() == "publish 0 v1 b0; publish 1 v1 b0");
  CHECK(bench.Absorbed(0, 1) == "");
  bench.Empty(0, 1);
  CHECK(bench.Empty(1, 1) == "publish 0 v2 b0 unchanged");
  CHECK(bench.Absorbed(0, 2) == "");
  CHECK(bench.Absorbed(1, 1) == "publish 1 v2 b0 unchanged");
  CHECK(bench.Absorbed(1, 2) == "");
  bench.Data(0, 2);
  CHECK(bench.Empty(1, 2) == "apply c2 b0>b0");
  CHECK(bench.Applied() == "publish 0 v3 b0; publish 1 v3 b0");
  CHECK(bench.Absorbed(0, 3) == "");
  bench.Empty(0, 3);
  CHECK(bench.Empty(1, 3) == "publish 0 v4 b0 unchanged");
  CHECK(bench.Absorbed(1, 3) == "publish 1 v4 b0 unchanged");
}

TEST_CASE("R6: skipping over a change makes a later version with values, whatever came last") {
  KeeperBench bench(World(1, 2));
  bench.Begin();
  bench.Sent(0);
  CHECK(bench.Data(0, 0) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "");
  CHECK(bench.Empty(0, 1) == "");
  CHECK(bench.Credit(0, 0) == "publish 0 v2 b0");
}

TEST_CASE("Keeper: a frozen partition is published once and takes no contribution") {
  KeeperOptions options = World(2);
  options.frozen = true;
  options.first_age = 5;
  KeeperBench bench(options);
  CHECK(bench.Begin() == "publish 0 v5 b0 frozen; publish 1 v5 b0 frozen");
  CHECK(bench.Absorbed(0, 5) == "");
  CHECK(bench.Missing().empty());
  CHECK(bench.Empty(1, 5) == "fail frozen p1 got 5 want 5");
}

TEST_CASE("Keeper: mapped participants get the age word, others a publish") {
  KeeperOptions options = World(2, 1, 2);
  options.participants[1].mapped = true;
  KeeperBench bench(options);
  CHECK(bench.Begin() == "age 0; publish 0 v0 b0");
  CHECK(bench.Absorbed(0, 0) == "");
  bench.Data(0, 0);
  CHECK(bench.Data(1, 0) == "apply c0 b0>b1");
  CHECK(bench.Applied() == "age 1; publish 0 v1 b1");
  CHECK(bench.Credit(1, 1) == "fail credit p1 got 1 want 18446744073709551615");
}

TEST_CASE("Keeper: clocks near 2^63 and 2^64 are clocks like others") {
  for (Age first : {(uint64_t{1} << 63) - 2, kNoAge - 8}) {
    KeeperOptions options = World(1, 1);
    options.first_age = first;
    KeeperBench bench = Ready(options);
    for (Clock clock = first; clock < first + 5; ++clock) {
      CHECK(bench.Data(0, clock) == Numbered("apply c", clock) + " b0>b0");
      CHECK(bench.Applied() == Numbered("publish 0 v", clock + 1) + " b0");
      CHECK(bench.Absorbed(0, clock + 1) == "");
    }
  }
}

TEST_CASE("Keeper: equal states have equal digests, and each input changes the digest") {
  KeeperBench a = Ready(World(2, 1));
  KeeperBench b = Ready(World(2, 1));
  CHECK(a.machine.StateDigest() == b.machine.StateDigest());
  uint64_t before = a.machine.StateDigest();
  auto changed = [&] {
    const uint64_t now = a.machine.StateDigest();
    const bool differs = now != before;
    before = now;
    return differs;
  };
  a.Data(0, 0, false);
  CHECK(changed());
  a.Fire(0, 0, kTrain);
  CHECK(changed());
  a.Data(1, 0);
  CHECK(changed());
  a.Applied();
  CHECK(changed());
  a.Sent(0);
  CHECK(changed());
  a.Credit(0, 1);
  CHECK(changed());
}

}  // namespace geeps::protocol
