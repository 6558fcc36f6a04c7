// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/contributor.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/protocol/describe.h"

namespace geeps::protocol {
namespace {

constexpr uint32_t kAll = 0;    // a plan that updates every partition
constexpr uint32_t kFirst = 1;  // a plan that updates the first partition only
constexpr uint32_t kNone = 2;   // a plan that updates none

// One partition for each entry of keepers.
ContributorOptions Options(const std::vector<uint32_t>& keepers, uint32_t slack_max = 0) {
  ContributorOptions options;
  for (uint32_t i = 0; i < keepers.size(); ++i) {
    options.partitions.push_back({100 + i, keepers[i], {true, i == 0, false}});
    if (keepers[i] >= options.num_keepers) options.num_keepers = keepers[i] + 1;
  }
  options.slack_max = slack_max;
  return options;
}

ContributorOptions Mapped(ContributorOptions options) {
  options.mapped = true;
  return options;
}

class Bench {
 public:
  explicit Bench(const ContributorOptions& options) : machine(options) {}

  std::string Data(Clock clock, uint32_t set_id = kAll) {
    return Taken([&] { machine.OnData(clock, set_id, &effects_); });
  }
  std::string Fired(Clock clock, uint32_t set_id = kAll) {
    return Taken([&] { machine.OnFired(clock, set_id, &effects_); });
  }
  std::string Absorbed(uint32_t index, Age age) {
    return Taken([&] { machine.OnAge(index, age, &effects_); });
  }
  std::string Sent(uint32_t index, Clock clock) {
    return Taken([&] { machine.OnSent(index, clock, &effects_); });
  }

  Contributor machine;

 private:
  template <typename Input>
  std::string Taken(Input input) {
    effects_.clear();
    input();
    CHECK(effects_.size() <= machine.MaxEffects());
    return DescribeAll(effects_);
  }

  std::vector<ContributorEffect> effects_;
};

// Every partition has absorbed the first version.
Bench Ready(const ContributorOptions& options) {
  Bench bench(options);
  for (uint32_t i = 0; i < options.partitions.size(); ++i) bench.Absorbed(i, options.first_clock);
  return bench;
}

}  // namespace

TEST_CASE("R2: nothing leaves before the first version is absorbed") {
  Bench bench(Options({0}));
  CHECK(bench.Data(0) == "");
  CHECK(bench.Fired(0) == "");
  CHECK(bench.Absorbed(0, 0) == "send 0 c0 q0 fired");
}

TEST_CASE("R2: data leave at the last update, the mark with FIRE") {
  Bench bench = Ready(Options({0}));
  CHECK(bench.Data(0) == "send 0 c0 q0");
  CHECK(bench.Fired(0) == "fire k0 c0 q0");
}

TEST_CASE("R2: data of clock c wait for the absorbed age c - s") {
  for (uint32_t slack = 0; slack < 4; ++slack) {
    Bench bench = Ready(Options({0}, slack));
    for (Clock clock = 0; clock <= slack + 1; ++clock) {
      const bool open = clock <= slack;
      CHECK(bench.Data(clock) == (open ? Numbered("send 0 c", clock) + " q0" : ""));
      CHECK(bench.Fired(clock) == (open ? Numbered("fire k0 c", clock) + " q0" : ""));
    }
    CHECK(bench.Absorbed(0, 1) == Numbered("send 0 c", slack + 1) + " q0 fired");
  }
}

TEST_CASE("R2: each partition has its own gate") {
  Bench bench = Ready(Options({0, 1}));
  CHECK(bench.Data(0) == "send 0 c0 q0; send 1 c0 q0");
  CHECK(bench.Fired(0) == "fire k0 c0 q0; fire k1 c0 q0");
  CHECK(bench.Absorbed(1, 1) == "");
  CHECK(bench.Data(1) == "send 1 c1 q0");
  CHECK(bench.Fired(1) == "fire k1 c1 q0");
  CHECK(bench.Absorbed(0, 1) == "send 0 c1 q0 fired");
}

TEST_CASE("R2: partitions are sent in the order given, across the keepers") {
  Bench bench = Ready(Options({1, 0, 1, 0}));
  CHECK(bench.Data(0) == "send 0 c0 q0; send 1 c0 q0; send 2 c0 q0; send 3 c0 q0");
}

TEST_CASE("R2: FIRE goes to a keeper after all data of the clock, and once") {
  Bench bench = Ready(Options({0, 0}));
  CHECK(bench.Data(0) == "send 0 c0 q0; send 1 c0 q0");
  CHECK(bench.Fired(0) == "fire k0 c0 q0");
  CHECK(bench.Data(1) == "");
  CHECK(bench.Absorbed(0, 1) == "send 0 c1 q0");
  CHECK(bench.Fired(1) == "");
  CHECK(bench.Absorbed(1, 1) == "send 1 c1 q0 fired; fire k0 c1 q0");
}

TEST_CASE(
    "R2: data that leave after the fire carry the mark, and a keeper that learned it from all of them gets no FIRE") {
  Bench bench(Options({0, 0, 1}));
  CHECK(bench.Data(0) == "");
  CHECK(bench.Fired(0) == "");
  CHECK(bench.Absorbed(0, 0) == "send 0 c0 q0 fired");
  CHECK(bench.Absorbed(2, 0) == "send 2 c0 q0 fired");
  CHECK(bench.Absorbed(1, 0) == "send 1 c0 q0 fired");
}

TEST_CASE("R2: FIRE waits for the gates of the keeper's partitions without data, too") {
  Bench bench = Ready(Options({0, 0}));
  CHECK(bench.Data(0, kFirst) == "send 0 c0 q1");
  CHECK(bench.Fired(0, kFirst) == "fire k0 c0 q1");
  CHECK(bench.Absorbed(0, 1) == "");
  CHECK(bench.Data(1, kFirst) == "send 0 c1 q1");
  CHECK(bench.Fired(1, kFirst) == "");
  CHECK(bench.Absorbed(1, 1) == "fire k0 c1 q1");
}

TEST_CASE("R2: data with the mark do not spare a keeper the FIRE that stands for EMPTY elsewhere") {
  Bench bench(Options({0, 0}));
  CHECK(bench.Data(0, kFirst) == "");
  CHECK(bench.Fired(0, kFirst) == "");
  CHECK(bench.Absorbed(0, 0) == "send 0 c0 q1 fired");
  CHECK(bench.Absorbed(1, 0) == "fire k0 c0 q1");
}

TEST_CASE("R2: data wait for the FIRE that stands for EMPTY in the clock before") {
  Bench bench = Ready(Options({0, 0}, 1));
  CHECK(bench.Data(0, kFirst) == "send 0 c0 q1");
  CHECK(bench.Data(1, kAll) == "send 0 c1 q0");
  CHECK(bench.Fired(0, kFirst) == "fire k0 c0 q1; send 1 c1 q0");
  CHECK(bench.Fired(1, kAll) == "fire k0 c1 q0");
}

TEST_CASE("R2: a clock without data is fired as nothing, at every keeper, behind its gates") {
  Bench bench = Ready(Options({0, 1}));
  CHECK(bench.Fired(0, kNone) == "fire k0 c0 nothing; fire k1 c0 nothing");
  CHECK(bench.Fired(1, kNone) == "");
  CHECK(bench.Fired(2, kNone) == "");
  CHECK(bench.Absorbed(0, 1) == "fire k0 c1 nothing");
  CHECK(bench.Absorbed(0, 2) == "fire k0 c2 nothing");
  CHECK(bench.Absorbed(1, 2) == "fire k1 c1 nothing; fire k1 c2 nothing");
}

TEST_CASE("R2: a clock whose updates were skipped contributes nothing, whatever its plan") {
  Bench bench = Ready(Options({0}));
  CHECK(bench.Fired(0, kAll) == "fire k0 c0 nothing");
}

TEST_CASE("R10: an entry is free again when its data are out of every send and every keeper knows of the fire") {
  Bench bench = Ready(Options({0, 1}));
  CHECK(bench.machine.num_entries() == 2);
  CHECK(bench.machine.EntryFree(0));
  bench.Data(0);
  CHECK_FALSE(bench.machine.EntryFree(2));
  CHECK(bench.machine.EntryFree(1));
  CHECK(bench.Sent(0, 0) == "");
  CHECK(bench.Sent(1, 0) == "");  // not fired
  CHECK_FALSE(bench.machine.EntryFree(2));
  CHECK(bench.Fired(0) == "fire k0 c0 q0; fire k1 c0 q0; free c0");
  CHECK(bench.machine.EntryFree(2));
}

TEST_CASE("R10: an entry is not free while one send is under way") {
  Bench bench = Ready(Options({0, 1}));
  bench.Data(0);
  bench.Fired(0);
  CHECK(bench.Sent(1, 0) == "");
  CHECK_FALSE(bench.machine.EntryFree(2));
  CHECK(bench.Sent(0, 0) == "free c0");
  CHECK(bench.machine.EntryFree(2));
}

TEST_CASE("R10: an entry is not free while a keeper has yet to be told its set") {
  Bench bench = Ready(Options({0, 1}));
  bench.Data(0, kFirst);
  bench.Fired(0, kFirst);
  CHECK(bench.Sent(0, 0) == "free c0");
  bench.Absorbed(0, 1);
  CHECK(bench.Data(1, kFirst) == "send 0 c1 q1");
  CHECK(bench.Fired(1, kFirst) == "fire k0 c1 q1");
  CHECK(bench.Sent(0, 1) == "");
  CHECK_FALSE(bench.machine.EntryFree(3));
  CHECK(bench.Absorbed(1, 1) == "fire k1 c1 q1; free c1");
  CHECK(bench.machine.EntryFree(3));
}

TEST_CASE("R10: a completion that comes twice, or for another clock, frees nothing") {
  Bench bench = Ready(Options({0, 1}));
  bench.Data(0);
  bench.Fired(0);
  CHECK(bench.Sent(0, 1) == "");
  CHECK(bench.Sent(0, 2) == "");
  CHECK_FALSE(bench.machine.EntryFree(2));
  CHECK(bench.Sent(0, 0) == "");
  CHECK(bench.Sent(1, 0) == "free c0");
  CHECK(bench.Sent(1, 0) == "");
}

TEST_CASE("L: the entries of L = s + 2 clocks in a row are distinct") {
  for (uint32_t slack = 0; slack < 5; ++slack) {
    const Contributor machine(Options({0}, slack));
    CHECK(machine.num_entries() == slack + 2);
    for (Clock clock = 3; clock < 3 + machine.num_entries(); ++clock) {
      CHECK(machine.EntryOf(clock) < machine.num_entries());
      CHECK(machine.EntryOf(clock) == machine.EntryOf(clock + machine.num_entries()));
      for (Clock other = 3; other < clock; ++other) CHECK(machine.EntryOf(other) != machine.EntryOf(clock));
    }
  }
}

TEST_CASE("Mapped: the fired word is stored when the table is fired and the gates of all partitions are open") {
  Bench bench = Ready(Mapped(Options({0, 1})));
  CHECK(bench.Data(0) == "");
  CHECK(bench.Fired(0) == "store c0 q0");
  CHECK(bench.Data(1) == "");
  CHECK(bench.Fired(1) == "");
  CHECK(bench.Absorbed(0, 1) == "");
  CHECK(bench.Absorbed(1, 1) == "store c1 q0; free c0");
  CHECK(bench.Fired(2, kNone) == "");
  CHECK(bench.Absorbed(0, 2) == "");
  CHECK(bench.Absorbed(1, 2) == "store c2 nothing; free c1");
}

TEST_CASE("R10, mapped: an entry is free when the age of every partition contains its clock") {
  Bench bench = Ready(Mapped(Options({0, 1})));
  CHECK(bench.machine.EntryFree(1));
  bench.Data(0);
  bench.Fired(0);
  CHECK_FALSE(bench.machine.EntryFree(2));
  CHECK(bench.Absorbed(0, 1) == "");
  CHECK_FALSE(bench.machine.EntryFree(2));
  CHECK(bench.Absorbed(1, 1) == "free c0");
  CHECK(bench.machine.EntryFree(2));
}

TEST_CASE("R10, mapped: a clock without data keeps its entry as well, for its header") {
  Bench bench = Ready(Mapped(Options({0})));
  CHECK(bench.Fired(0, kNone) == "store c0 nothing");
  CHECK(bench.Fired(1, kNone) == "");
  CHECK_FALSE(bench.machine.EntryFree(2));
  CHECK(bench.Absorbed(0, 1) == "store c1 nothing; free c0");
  CHECK(bench.machine.EntryFree(2));
  CHECK_FALSE(bench.machine.EntryFree(3));
}

TEST_CASE("Contributor: a table in which a worker has no part is fired to nobody") {
  ContributorOptions options;
  options.num_keepers = 2;
  Bench bench(options);
  CHECK(bench.Fired(0, kNone) == "");
  CHECK(bench.machine.fired() == 1);
  CHECK(bench.machine.EntryFree(1));
}

TEST_CASE("Contributor: clocks near 2^63 are clocks like others") {
  const Clock first = (uint64_t{1} << 63) - 2;
  for (bool mapped : {false, true}) {
    ContributorOptions options = Options({0}, 1);
    options.first_clock = first;
    options.mapped = mapped;
    Bench bench = Ready(options);
    for (Clock clock = first; clock < first + 5; ++clock) {
      CHECK(bench.machine.EntryFree(clock));
      const std::string data = bench.Data(clock);
      const std::string fired = bench.Fired(clock);
      if (mapped) {
        CHECK(fired == Numbered("store c", clock) + " q0");
        CHECK(bench.Absorbed(0, clock + 1) == Numbered("free c", clock));
      } else {
        CHECK(data == Numbered("send 0 c", clock) + " q0");
        CHECK(fired == Numbered("fire k0 c", clock) + " q0");
        CHECK(bench.Sent(0, clock) == Numbered("free c", clock));
        CHECK(bench.Absorbed(0, clock + 1) == "");
      }
    }
  }
}

TEST_CASE("Contributor: equal states have equal digests, and each input changes the digest") {
  Bench a = Ready(Options({0}, 1));
  Bench b = Ready(Options({0}, 1));
  CHECK(a.machine.StateDigest() == b.machine.StateDigest());
  uint64_t before = a.machine.StateDigest();
  auto changed = [&] {
    const uint64_t now = a.machine.StateDigest();
    const bool differs = now != before;
    before = now;
    return differs;
  };
  a.Data(0);
  CHECK(changed());
  a.Fired(0);
  CHECK(changed());
  a.Sent(0, 0);
  CHECK(changed());
  a.Absorbed(0, 1);
  CHECK(changed());
}

}  // namespace geeps::protocol
