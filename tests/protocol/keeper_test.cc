// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/keeper.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/protocol/describe.h"

namespace geeps::protocol {
namespace {

constexpr uint32_t kTrain = 0;     // a plan in which every participant updates the partition
constexpr uint32_t kEvaluate = 1;  // a plan in which none does

// Participants of rank 10, 11, ..., all of which read.
KeeperOptions World(uint32_t num_participants, uint32_t slack_max = 0, uint32_t num_versions = 1) {
  KeeperOptions options;
  for (uint32_t i = 0; i < num_participants; ++i) options.participants.push_back({10 + i, false, true, {true, false}});
  options.slack_max = slack_max;
  options.num_versions = num_versions;
  return options;
}

RuleParams Rate(double rate) {
  RuleParams params;
  params.num = 1;
  params.values[0] = rate;
  return params;
}

// A keeper; each input returns its effects as text.
class Bench {
 public:
  explicit Bench(const KeeperOptions& options) : machine(options) {}

  std::string Begin() {
    return Taken([&] { machine.Begin(&effects_); });
  }
  std::string Data(uint32_t p, Clock clock, bool fired = true, uint32_t set_id = kTrain, double rate = 0.1) {
    return Taken([&] { machine.OnContribution(p, clock, set_id, false, fired, Rate(rate), &effects_); });
  }
  std::string Empty(uint32_t p, Clock clock, bool fired = true, uint32_t set_id = kEvaluate) {
    return Taken([&] { machine.OnContribution(p, clock, set_id, true, fired, {}, &effects_); });
  }
  std::string Fire(uint32_t p, Clock clock, uint32_t set_id) {
    return Taken([&] { machine.OnFire(p, clock, set_id, &effects_); });
  }
  std::string Credit(uint32_t p, Age age) {
    return Taken([&] { machine.OnCredit(p, age, &effects_); });
  }
  std::string Applied() {
    return Taken([&] { machine.OnApplied(&effects_); });
  }
  std::string Sent(uint32_t p) {
    return Taken([&] { machine.OnSent(p, &effects_); });
  }
  // The publish to p is out and absorbed.
  std::string Absorbed(uint32_t p, Age age) {
    const std::string sent = Sent(p);
    const std::string credit = Credit(p, age);
    return sent + (sent.empty() || credit.empty() ? "" : "; ") + credit;
  }
  std::vector<uint32_t> Missing() {
    std::vector<uint32_t> ranks;
    machine.Missing(&ranks);
    return ranks;
  }

  KeeperPartition machine;

 private:
  template <typename Input>
  std::string Taken(Input input) {
    effects_.clear();
    input();
    CHECK(effects_.size() <= machine.MaxEffects());
    return DescribeAll(effects_);
  }

  std::vector<KeeperEffect> effects_;
};

// Begun, and everybody has absorbed the first version.
Bench Ready(const KeeperOptions& options) {
  Bench bench(options);
  bench.Begin();
  for (uint32_t p = 0; p < options.participants.size(); ++p) {
    if (!options.participants[p].mapped) bench.Absorbed(p, options.first_age);
  }
  return bench;
}

}  // namespace

TEST_CASE("Keeper: an epoch begins with the first version for everybody, with values, once") {
  KeeperOptions options = World(2);
  options.first_age = 7;
  Bench bench(options);
  CHECK(bench.Begin() == "publish 0 v7 b0; publish 1 v7 b0");
  CHECK(bench.Sent(0) == "");
  CHECK(bench.Credit(0, 7) == "");
}

TEST_CASE("R4: a clock is complete when every participant has delivered it, and not before") {
  Bench bench = Ready(World(3));
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
  Bench bench = Ready(World(2));
  CHECK(bench.Data(0, 0, false) == "");
  CHECK(bench.Data(1, 0, true) == "");
  CHECK(bench.Missing() == std::vector<uint32_t>{10});
  CHECK(bench.Fire(0, 0, kTrain) == "apply c0 b0>b0");
}

TEST_CASE("R4: FIRE stands for EMPTY where the plan has no rows, and EMPTY counts as delivered") {
  Bench bench = Ready(World(3));
  CHECK(bench.Fire(0, 0, kEvaluate) == "");
  CHECK(bench.Empty(1, 0) == "");
  CHECK(bench.Data(2, 0) == "apply c0 b0>b0");
  CHECK(bench.machine.delivery(0, 0).empty);
  CHECK(bench.machine.delivery(1, 0).empty);
  CHECK_FALSE(bench.machine.delivery(2, 0).empty);
}

TEST_CASE("R4: a table whose updates were all skipped contributes nothing, whatever its plan") {
  Bench bench = Ready(World(2));
  CHECK(bench.Fire(0, 0, kSetNothing) == "");
  CHECK(bench.Empty(1, 0, true, kTrain) == "publish 0 v1 b0 unchanged; publish 1 v1 b0 unchanged");
}

TEST_CASE("R4: FIRE of a clock may come after the data of the next one") {
  Bench bench = Ready(World(2, 1));
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
  Bench bench = Ready(World(1, 1));
  CHECK(bench.Data(0, 0, false) == "");
  CHECK(bench.Data(0, 1, true) == "");
  CHECK(bench.Fire(0, 0, kTrain) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "publish 0 v1 b0");
  CHECK(bench.Sent(0) == "apply c1 b0>b0");
}

TEST_CASE(
    "R4: FIRE that comes for another partition's sake changes nothing here, even when the clock is long applied") {
  Bench bench = Ready(World(1, 2));
  CHECK(bench.Data(0, 0, true) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "publish 0 v1 b0");
  CHECK(bench.Absorbed(0, 1) == "");
  CHECK(bench.Data(0, 1, true) == "apply c1 b0>b0");
  CHECK(bench.Fire(0, 0, kTrain) == "");
  CHECK(bench.Fire(0, 1, kTrain) == "");
  CHECK(bench.machine.age() == 1);
}

TEST_CASE("R3: a contribution must be of the clock that comes next") {
  SUBCASE("not again") {
    Bench bench = Ready(World(2, 1));
    CHECK(bench.Data(0, 0) == "");
    CHECK(bench.Data(0, 0) == "fail clock p0 got 0 want 1");
  }
  SUBCASE("no gap") {
    Bench bench = Ready(World(2, 2));
    CHECK(bench.Data(0, 1) == "fail clock p0 got 1 want 0");
  }
  SUBCASE("not a clock of long ago") {
    KeeperOptions options = World(2, 2);
    options.first_age = 100;
    Bench bench = Ready(options);
    CHECK(bench.Data(0, 5) == "fail clock p0 got 5 want 100");
  }
}

TEST_CASE("R3: a contribution needs a free landing slot: W = s + 1 clocks from the age on") {
  for (uint32_t slack = 0; slack < 4; ++slack) {
    Bench bench = Ready(World(2, slack));
    for (Clock clock = 0; clock <= slack; ++clock) CHECK(bench.Data(0, clock) == "");
    CHECK(bench.Data(0, slack + 1) ==
          "fail clock p0 got " + std::to_string(slack + 1) + " want " + std::to_string(slack + 1));
  }
}

TEST_CASE("R3: the slots of a clock stay taken until the clock is applied") {
  Bench bench = Ready(World(1, 0));
  CHECK(bench.Data(0, 0) == "apply c0 b0>b0");
  CHECK(bench.Data(0, 1) == "fail clock p0 got 1 want 1");
}

TEST_CASE("W: every landing slot keeps its delivery until it is applied") {
  Bench bench = Ready(World(2, 2));
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
    Bench bench = Ready(World(2));
    CHECK(bench.Data(0, 0, false) == "");
    CHECK(bench.Fire(0, 0, kEvaluate) == "fail set p0 got 0 want 1");
  }
}

TEST_CASE("R3: every clock is fired once, in order") {
  SUBCASE("not twice") {
    Bench bench = Ready(World(2, 1));
    CHECK(bench.Fire(0, 0, kEvaluate) == "");
    CHECK(bench.Fire(0, 0, kEvaluate) == "fail clock p0 got 0 want 1");
  }
  SUBCASE("none left out") {
    Bench bench = Ready(World(2, 1));
    CHECK(bench.Data(0, 0, false) == "");
    CHECK(bench.Data(0, 1, false) == "");
    CHECK(bench.Fire(0, 1, kTrain) == "fail clock p0 got 1 want 0");
  }
  SUBCASE("not beyond the slots") {
    Bench bench = Ready(World(2, 0));
    CHECK(bench.Fire(0, 0, kEvaluate) == "");
    CHECK(bench.Fire(0, 1, kEvaluate) == "fail clock p0 got 1 want 1");
  }
}

TEST_CASE("R3: rule parameters of one clock must be equal in every bit, among those that bring data") {
  Bench bench = Ready(World(3, 1));
  CHECK(bench.Empty(1, 0) == "");
  CHECK(bench.Data(2, 0, true, kTrain, 0.1) == "");
  CHECK(bench.Data(2, 1, true, kTrain, 0.2) == "");
  CHECK(bench.Data(0, 0, true, kTrain, 0.25) == "fail params p0 other p2 got 0 want 0");
}

TEST_CASE("R3: after a fault the machine does nothing more") {
  Bench bench = Ready(World(1));
  CHECK(bench.Data(0, 3) == "fail clock p0 got 3 want 0");
  CHECK(bench.machine.failed());
  CHECK(bench.Data(0, 0) == "");
  CHECK(bench.Fire(0, 0, kEvaluate) == "");
  CHECK(bench.Credit(0, 9) == "");
  CHECK(bench.Applied() == "");
  CHECK(bench.Sent(0) == "");
}

TEST_CASE("R5: an apply waits until its buffer is out of every send") {
  Bench bench(World(2));
  bench.Begin();
  bench.Data(0, 0);
  CHECK(bench.Data(1, 0) == "");
  CHECK(bench.Sent(1) == "");
  CHECK(bench.Sent(0) == "apply c0 b0>b0");
}

TEST_CASE("R5: with two version buffers an apply waits only for sends out of the older one") {
  Bench bench(World(1, 1, 2));
  bench.Begin();
  CHECK(bench.Data(0, 0) == "apply c0 b0>b1");
  CHECK(bench.Applied() == "");  // version 0 is still going out: no second send beside it
  CHECK(bench.Data(0, 1) == "");
  CHECK(bench.Sent(0) == "apply c1 b1>b0");
  CHECK(bench.Credit(0, 0) == "publish 0 v1 b1");  // the other buffer: not what is being written
  CHECK(bench.Applied() == "");
}

TEST_CASE("R5: clocks are applied one at a time, in order") {
  Bench bench = Ready(World(1, 2, 3));
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
    Bench bench = Ready(World(1));
    CHECK(bench.Empty(0, 0) == "publish 0 v1 b0 unchanged");
  }
  SUBCASE("two") {
    Bench bench = Ready(World(1, 1, 2));
    CHECK(bench.Empty(0, 0) == "apply c0 b0>b1");
    CHECK(bench.Applied() == "publish 0 v1 b1 unchanged");
  }
}

TEST_CASE("R5: several clocks without data are passed over at once, and only the newest age is told") {
  Bench bench = Ready(World(2, 2));
  for (Clock clock = 0; clock < 3; ++clock) CHECK(bench.Empty(0, clock) == "");
  CHECK(bench.Empty(1, 1, true) == "fail clock p1 got 1 want 0");
  bench = Ready(World(2, 2));
  for (Clock clock = 0; clock < 3; ++clock) CHECK(bench.Empty(0, clock, false) == "");
  CHECK(bench.Empty(1, 0) == "");
  CHECK(bench.Fire(0, 0, kEvaluate) == "publish 0 v1 b0 unchanged; publish 1 v1 b0 unchanged");
}

TEST_CASE("R6: a version goes out once for a credit; those in between are skipped") {
  Bench bench = Ready(World(2, 2));
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
    Bench bench(World(1));
    bench.Begin();
    CHECK(bench.Credit(0, 3) == "fail credit p0 got 3 want 0");
  }
}

TEST_CASE("R6: a version is not sent while its only buffer is being overwritten; the next one is") {
  Bench bench(World(1, 1));
  bench.Begin();
  CHECK(bench.Sent(0) == "");
  CHECK(bench.Data(0, 0) == "apply c0 b0>b0");
  CHECK(bench.Applied() == "");
  CHECK(bench.Data(0, 1) == "apply c1 b0>b0");
  CHECK(bench.Credit(0, 0) == "");
  CHECK(bench.Applied() == "publish 0 v2 b0");
}

TEST_CASE("R6: a credit that overtakes the completion of its send waits for it") {
  Bench bench = Ready(World(1, 1, 2));
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
  Bench bench(options);
  CHECK(bench.Begin() == "publish 0 v0 b0; publish 1 v0 b0 header-only");
  bench.Absorbed(0, 0);
  bench.Absorbed(1, 0);
  bench.Data(0, 0);
  bench.Data(1, 0);
  CHECK(bench.Applied() == "publish 0 v1 b0; publish 1 v1 b0 header-only");
}

TEST_CASE("R6: a version is unchanged for a subscriber when nobody contributed since the one it has") {
  Bench bench = Ready(World(2, 2));
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
  Bench bench(World(1, 2));
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
  Bench bench(options);
  CHECK(bench.Begin() == "publish 0 v5 b0 frozen; publish 1 v5 b0 frozen");
  CHECK(bench.Absorbed(0, 5) == "");
  CHECK(bench.Missing().empty());
  CHECK(bench.Empty(1, 5) == "fail frozen p1 got 5 want 5");
}

TEST_CASE("Keeper: mapped participants get the age word, others a publish") {
  KeeperOptions options = World(2, 1, 2);
  options.participants[1].mapped = true;
  Bench bench(options);
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
    Bench bench = Ready(options);
    for (Clock clock = first; clock < first + 5; ++clock) {
      CHECK(bench.Data(0, clock) == Numbered("apply c", clock) + " b0>b0");
      CHECK(bench.Applied() == Numbered("publish 0 v", clock + 1) + " b0");
      CHECK(bench.Absorbed(0, clock + 1) == "");
    }
  }
}

TEST_CASE("Keeper: equal states have equal digests, and each input changes the digest") {
  Bench a = Ready(World(2, 1));
  Bench b = Ready(World(2, 1));
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
