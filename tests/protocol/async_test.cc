// SPDX-License-Identifier: Apache-2.0
// Async tables (docs/protocol.md, section 5): keeper and subscriber.
#include "runtime/protocol/subscriber.h"
#include "tests/protocol/keeper_bench.h"

namespace geeps::protocol {
namespace {

constexpr SubscriberOptions kAsync{.async = true};

KeeperOptions AsyncWorld(uint32_t num_participants) {
  KeeperOptions options = World(num_participants, kAsyncSlack);
  options.async = true;
  return options;
}

}  // namespace

TEST_CASE("Async: a contribution is applied when it arrives, fired or not, and its sender alone gets the answer") {
  KeeperBench bench = Ready(AsyncWorld(2));
  CHECK(bench.Data(1, 0, false) == "apply p1 c0");
  CHECK(bench.machine.delivery(1, 0).params.values[0] == 0.1);
  CHECK(bench.Applied() == "publish 1 v1 b0 own 1");
  CHECK(bench.machine.age() == 1);
}

TEST_CASE("Async: what arrives while others are applied or sent is the next batch, in the order of arrival") {
  KeeperBench bench = Ready(AsyncWorld(3));
  CHECK(bench.Data(2, 0) == "apply p2 c0");
  CHECK(bench.Data(0, 0) == "");
  CHECK(bench.Data(1, 0) == "");
  CHECK(bench.Applied() == "publish 2 v1 b0 own 1");
  CHECK(bench.Data(0, 1) == "");  // the buffer is being sent
  CHECK(bench.Sent(2) == "apply p0 c0");
  CHECK(bench.Applied() == "apply p1 c0");
  CHECK(bench.Applied() == "apply p0 c1");
  CHECK(bench.Applied() == "publish 0 v4 b0 own 2; publish 1 v4 b0 own 1");
}

TEST_CASE("Async: contributions may have parameters of their own") {
  KeeperBench bench = Ready(AsyncWorld(2));
  CHECK(bench.Data(0, 0, true, kTrain, 0.5) == "apply p0 c0");
  CHECK(bench.Data(1, 0, true, kTrain, 0.25) == "");
  CHECK(bench.machine.delivery(1, 0).params.values[0] == 0.25);
}

TEST_CASE("Async: the own clock counts what is contained, and not what has arrived since the batch began") {
  KeeperBench bench = Ready(AsyncWorld(1));
  CHECK(bench.Data(0, 0) == "apply p0 c0");
  CHECK(bench.Data(0, 1) == "");
  CHECK(bench.Applied() == "publish 0 v1 b0 own 1");
  CHECK(bench.Absorbed(0, 1) == "apply p0 c1");
  CHECK(bench.Applied() == "publish 0 v2 b0 own 2");
}

TEST_CASE("Async: an empty clock is answered at once, also while values are sent, and changes nothing") {
  KeeperBench bench = Ready(AsyncWorld(2));
  CHECK(bench.Fire(1, 0, kEvaluate) == "publish 1 v0 b0 own 1 unchanged");
  CHECK(bench.Data(0, 0) == "");
  CHECK(bench.Absorbed(1, 0) == "apply p0 c0");
  CHECK(bench.Applied() == "publish 0 v1 b0 own 1");
  CHECK(bench.Fire(1, 1, kSetNothing) == "publish 1 v1 b0 own 2");
}

TEST_CASE("Async: without a credit the answer waits, and names all own clocks that came in between") {
  KeeperBench bench = Ready(AsyncWorld(1));
  CHECK(bench.Data(0, 0) == "apply p0 c0");
  CHECK(bench.Applied() == "publish 0 v1 b0 own 1");
  CHECK(bench.Sent(0) == "");
  CHECK(bench.Data(0, 1) == "apply p0 c1");
  CHECK(bench.Data(0, 2) == "");
  CHECK(bench.Applied() == "apply p0 c2");
  CHECK(bench.Credit(0, 1) == "");  // the values are being stepped
  CHECK(bench.Applied() == "publish 0 v3 b0 own 3");
}

TEST_CASE("Async: FIRE behind its data tells nothing, however late; a clock left out or told twice is refused") {
  KeeperBench bench = Ready(AsyncWorld(1));
  CHECK(bench.Data(0, 0, false) == "apply p0 c0");
  CHECK(bench.Fire(0, 0, kTrain) == "");
  CHECK(bench.Applied() == "publish 0 v1 b0 own 1");
  CHECK(bench.Data(0, 1, false) == "");
  SUBCASE("twice") { CHECK(bench.Fire(0, 0, kTrain) == "fail clock p0 got 0 want 2"); }
  SUBCASE("left out") { CHECK(bench.Fire(0, 3, kTrain) == "fail clock p0 got 3 want 2"); }
  SUBCASE("another set than the data's") { CHECK(bench.Fire(0, 1, kEvaluate) == "fail set p0 got 1 want 1"); }
  SUBCASE("applied") {
    CHECK(bench.Absorbed(0, 1) == "apply p0 c1");
    CHECK(bench.Applied() == "publish 0 v2 b0 own 2");
    CHECK(bench.Fire(0, 1, kTrain) == "");
  }
}

TEST_CASE("R3: in an async table a third contribution has no slot before the first is applied") {
  KeeperBench bench = Ready(AsyncWorld(1));
  bench.Data(0, 0);
  CHECK(bench.Data(0, 1) == "");
  CHECK(bench.Data(0, 2) == "fail clock p0 got 2 want 2");
}

TEST_CASE("Async: nobody is waited for") {
  KeeperBench bench = Ready(AsyncWorld(2));
  CHECK(bench.Missing().empty());
}

TEST_CASE("Async: a subscriber takes answers with more own clocks, and any version serves") {
  SubscriberPartition subscriber(kAsync);
  CHECK_FALSE(subscriber.Serves(0, 0));
  CHECK(subscriber.own_clock() == kNoAge);
  CHECK(Describe(subscriber.OnPublish(7, true, false, 5)) == "absorb");
  CHECK(subscriber.own_clock() == kNoAge);
  CHECK(Describe(subscriber.OnAbsorbed()) == "changed credit 7");
  CHECK(subscriber.own_clock() == 5);
  CHECK(subscriber.Serves(1000, 0));
  CHECK(Describe(subscriber.OnPublish(7, false, false, 6)) == "changed credit 7");
  CHECK(subscriber.own_clock() == 6);
  CHECK(Describe(subscriber.OnPublish(9, true, false, 6)) == "fail");
  CHECK(Describe(subscriber.OnPublish(6, true, false, 8)) == "fail");
  CHECK(subscriber.own_clock() == 6);
}

TEST_CASE("Async: in bounded tables the own clock is the age") {
  SubscriberPartition subscriber{SubscriberOptions{}};
  subscriber.OnPublish(4, false, false);
  CHECK(subscriber.own_clock() == 4);
}

}  // namespace geeps::protocol
