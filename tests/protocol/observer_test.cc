// SPDX-License-Identifier: Apache-2.0
// Observers: who subscribes without taking part (docs/protocol.md).
#include "runtime/protocol/subscriber.h"
#include "tests/protocol/keeper_bench.h"

namespace geeps::protocol {
namespace {

constexpr uint32_t kObserver = 1;

// Participants 0 and, as an observer, 1.
KeeperOptions Observed(bool async) {
  KeeperOptions options = World(2, async ? kAsyncSlack : 0);
  options.participants[kObserver].has_data = {false, false};
  options.participants[kObserver].observer = true;
  options.async = async;
  return options;
}

}  // namespace

TEST_CASE("Observer: nobody waits for it, and it gets every version for which it has a credit") {
  KeeperBench bench = Ready(Observed(false));
  CHECK(bench.Missing() == std::vector<uint32_t>{10});
  CHECK(bench.Data(0, 0) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "publish 0 v1 b0; publish 1 v1 b0");
  bench.Absorbed(0, 1);
  bench.Sent(kObserver);
  CHECK(bench.Data(0, 1) == "apply c1 b0>b0");
  CHECK(bench.Applied() == "publish 0 v2 b0");
  CHECK(bench.Credit(kObserver, 1) == "publish 1 v2 b0");
}

TEST_CASE("Observer: a partition that only observers read has its first version") {
  KeeperOptions options = Observed(false);
  options.participants[0] = options.participants[1];
  KeeperBench bench = Ready(options);
  CHECK(bench.machine.age() == 0);
  CHECK(bench.Missing().empty());
}

TEST_CASE("Observer: what it contributes is refused") {
  for (bool async : {false, true}) {
    KeeperBench bench = Ready(Observed(async));
    CHECK(bench.Empty(kObserver, 0) == "fail observer p1 got 0 want 0");
    KeeperBench fired = Ready(Observed(async));
    CHECK(fired.Fire(kObserver, 0, kSetNothing) == "fail observer p1 got 0 want 0");
  }
}

TEST_CASE("Observer: of an async table it is told of each batch, and of no empty clock") {
  KeeperBench bench = Ready(Observed(true));
  CHECK(bench.Fire(0, 0, kSetNothing) == "publish 0 v0 b0 own 1 unchanged");
  bench.Absorbed(0, 0);
  CHECK(bench.Data(0, 1) == "apply p0 c1");
  CHECK(bench.Applied() == "publish 0 v1 b0 own 2; publish 1 v1 b0");
}

TEST_CASE("Observer: a fence waits until the publishes on their way to observers of an async table are absorbed") {
  KeeperBench bench = Ready(Observed(true));
  CHECK(bench.machine.ObserversDone());
  bench.Data(0, 0);
  bench.Applied();
  CHECK_FALSE(bench.machine.ObserversDone());
  bench.Absorbed(0, 1);
  CHECK_FALSE(bench.machine.ObserversDone());
  bench.Absorbed(1, 1);
  CHECK(bench.machine.ObserversDone());
  KeeperBench bounded(Observed(false));
  bounded.Begin();
  CHECK(bounded.machine.ObserversDone());
}

TEST_CASE("Observer: any version serves, and only greater ages are taken, in async tables, too") {
  for (bool async : {false, true}) {
    SubscriberPartition subscriber({.async = async, .observer = true});
    CHECK_FALSE(subscriber.Serves(9, 0));
    subscriber.OnPublish(3, true, false);
    subscriber.OnAbsorbed();
    CHECK(subscriber.Serves(9, 0));
    CHECK(subscriber.Serves(1, 0));
    CHECK(subscriber.own_clock() == 3);
    CHECK(Describe(subscriber.OnPublish(3, true, false)) == "fail");
    CHECK(Describe(subscriber.OnPublish(4, true, false)) == "absorb");
  }
}

}  // namespace geeps::protocol
