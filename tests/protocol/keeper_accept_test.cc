// SPDX-License-Identifier: Apache-2.0
#include "tests/protocol/keeper_bench.h"

namespace geeps::protocol {

TEST_CASE("R4: a clock is complete when every participant has delivered it, and not before") {
  KeeperBench bench = Ready(World(3));
  CHECK(bench.Data(2, 0) == "");
  CHECK(bench.Data(0, 0) == "");
  CHECK(bench.Missing() == std::vector<uint32_t>{11});
  CHECK(bench.Data(1, 0) == "apply c0 b0>b0");
  CHECK(bench.machine.applying());
  CHECK(bench.machine.age() == 0);
  CHECK(bench.Applied() == "publish 0 v1 b0; publish 1 v1 b0; publish 2 v1 b0");
  CHECK(bench.machine.age() == 1);
}

TEST_CASE("R4: a delivered clock is not complete before it is fired") {
  KeeperBench bench = Ready(World(2));
  CHECK(bench.Data(0, 0, false) == "");
  CHECK(bench.Data(1, 0, true) == "");
  CHECK(bench.Missing() == std::vector<uint32_t>{10});
  CHECK(bench.Fire(0, 0, kTrain) == "apply c0 b0>b0");
}

TEST_CASE("R4: FIRE stands for EMPTY where the plan has no rows, and EMPTY counts as delivered") {
  KeeperBench bench = Ready(World(3));
  CHECK(bench.Fire(0, 0, kEvaluate) == "");
  CHECK(bench.Empty(1, 0) == "");
  CHECK(bench.Data(2, 0) == "apply c0 b0>b0");
  CHECK(bench.machine.delivery(0, 0).empty);
  CHECK(bench.machine.delivery(1, 0).empty);
  CHECK_FALSE(bench.machine.delivery(2, 0).empty);
}

TEST_CASE("R4: a table whose updates were all skipped contributes nothing, whatever its plan") {
  KeeperBench bench = Ready(World(2));
  CHECK(bench.Fire(0, 0, kSetNothing) == "");
  CHECK(bench.Empty(1, 0, true, kTrain) == "publish 0 v1 b0 unchanged; publish 1 v1 b0 unchanged");
}

TEST_CASE("R4: FIRE of a clock may come after the data of the next one") {
  KeeperBench bench = Ready(World(2, 1));
  CHECK(bench.Data(0, 0, false) == "");
  CHECK(bench.Data(0, 1, false) == "");
  CHECK(bench.Data(1, 0) == "");
  CHECK(bench.Data(1, 1) == "");
  CHECK(bench.Fire(0, 0, kTrain) == "apply c0 b0>b0");
  CHECK(bench.Fire(0, 1, kTrain) == "");
  CHECK(bench.Applied() == "publish 0 v1 b0; publish 1 v1 b0");
  CHECK(bench.Sent(0) == "");
  CHECK(bench.Sent(1) == "apply c1 b0>b0");
}

TEST_CASE("R4: a mark that came with data may be ahead of one that comes by FIRE") {
  KeeperBench bench = Ready(World(1, 1));
  CHECK(bench.Data(0, 0, false) == "");
  CHECK(bench.Data(0, 1, true) == "");
  CHECK(bench.Fire(0, 0, kTrain) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "publish 0 v1 b0");
  CHECK(bench.Sent(0) == "apply c1 b0>b0");
}

TEST_CASE("R3: a contribution must be of the clock that comes next") {
  SUBCASE("not again") {
    KeeperBench bench = Ready(World(2, 1));
    CHECK(bench.Data(0, 0) == "");
    CHECK(bench.Data(0, 0) == "fail clock p0 got 0 want 1");
  }
  SUBCASE("no gap") {
    KeeperBench bench = Ready(World(2, 2));
    CHECK(bench.Data(0, 1) == "fail clock p0 got 1 want 0");
  }
  SUBCASE("not a clock of long ago") {
    KeeperOptions options = World(2, 2);
    options.first_age = 100;
    KeeperBench bench = Ready(options);
    CHECK(bench.Data(0, 5) == "fail clock p0 got 5 want 100");
  }
}

TEST_CASE("R3: a contribution needs a free landing slot: W = s + 1 clocks from the age on") {
  for (uint32_t slack = 0; slack < 4; ++slack) {
    KeeperBench bench = Ready(World(2, slack));
    for (Clock clock = 0; clock <= slack; ++clock) CHECK(bench.Data(0, clock) == "");
    CHECK(bench.Data(0, slack + 1) ==
          "fail clock p0 got " + std::to_string(slack + 1) + " want " + std::to_string(slack + 1));
  }
}

TEST_CASE("R3: the slots of a clock stay taken until the clock is applied") {
  KeeperBench bench = Ready(World(1, 0));
  CHECK(bench.Data(0, 0) == "apply c0 b0>b0");
  CHECK(bench.Data(0, 1) == "fail clock p0 got 1 want 1");
}

TEST_CASE("W: every landing slot keeps its delivery until it is applied") {
  KeeperBench bench = Ready(World(2, 2));
  for (Clock clock = 0; clock < 3; ++clock) bench.Data(0, clock, clock % 2 == 0, kTrain, 1.0 + double(clock));
  for (Clock clock = 0; clock < 3; ++clock) {
    CHECK(bench.machine.delivery(0, clock).delivered);
    CHECK(bench.machine.delivery(0, clock).fired == (clock % 2 == 0));
    CHECK(bench.machine.delivery(0, clock).params.values[0] == 1.0 + double(clock));
    CHECK_FALSE(bench.machine.delivery(1, clock).delivered);
  }
}

TEST_CASE("R3: a contribution must fit the row sets of its plan") {
  SUBCASE("unknown set") { CHECK(Ready(World(2)).Data(0, 0, true, 2) == "fail set p0 got 0 want 2"); }
  SUBCASE("unknown set, empty") { CHECK(Ready(World(2)).Empty(0, 0, true, 9) == "fail set p0 got 0 want 9"); }
  SUBCASE("unknown set, FIRE") { CHECK(Ready(World(2)).Fire(1, 0, 2) == "fail set p1 got 0 want 2"); }
  SUBCASE("data without rows") { CHECK(Ready(World(2)).Data(0, 0, true, kEvaluate) == "fail empty p0 got 0 want 0"); }
  SUBCASE("data of nothing") { CHECK(Ready(World(2)).Data(0, 0, true, kSetNothing) == "fail empty p0 got 0 want 0"); }
  SUBCASE("FIRE without data") {
    CHECK(Ready(World(2)).Fire(1, 0, kTrain) == "fail fire-without-data p1 got 0 want 0");
  }
  SUBCASE("FIRE of another set") {
    KeeperBench bench = Ready(World(2));
    CHECK(bench.Data(0, 0, false) == "");
    CHECK(bench.Fire(0, 0, kEvaluate) == "fail set p0 got 0 want 1");
  }
}

TEST_CASE("R3: every clock is fired once, in order") {
  SUBCASE("not twice") {
    KeeperBench bench = Ready(World(2, 1));
    CHECK(bench.Fire(0, 0, kEvaluate) == "");
    CHECK(bench.Fire(0, 0, kEvaluate) == "fail clock p0 got 0 want 1");
  }
  SUBCASE("none left out") {
    KeeperBench bench = Ready(World(2, 1));
    CHECK(bench.Data(0, 0, false) == "");
    CHECK(bench.Data(0, 1, false) == "");
    CHECK(bench.Fire(0, 1, kTrain) == "fail clock p0 got 1 want 0");
  }
  SUBCASE("not beyond the slots") {
    KeeperBench bench = Ready(World(2, 0));
    CHECK(bench.Fire(0, 0, kEvaluate) == "");
    CHECK(bench.Fire(0, 1, kEvaluate) == "fail clock p0 got 1 want 1");
  }
}

TEST_CASE("R3: rule parameters of one clock must be equal in every bit, among those that bring data") {
  KeeperBench bench = Ready(World(3, 1));
  CHECK(bench.Empty(1, 0) == "");
  CHECK(bench.Data(2, 0, true, kTrain, 0.1) == "");
  CHECK(bench.Data(2, 1, true, kTrain, 0.2) == "");
  CHECK(bench.Data(0, 0, true, kTrain, 0.25) == "fail params p0 other p2 got 0 want 0");
}

TEST_CASE("R3: after a fault the machine does nothing more") {
  KeeperBench bench = Ready(World(1));
  CHECK(bench.Data(0, 3) == "fail clock p0 got 3 want 0");
  CHECK(bench.machine.failed());
  CHECK(bench.Data(0, 0) == "");
  CHECK(bench.Fire(0, 0, kEvaluate) == "");
  CHECK(bench.Credit(0, 9) == "");
  CHECK(bench.Applied() == "");
  CHECK(bench.Sent(0) == "");
}

}  // namespace geeps::protocol
