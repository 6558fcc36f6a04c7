// SPDX-License-Identifier: Apache-2.0
// Read-my-writes: the sequencer (R7, R8). Effects as words: fill/ready/drain PLAN.OP#PASS, data/fire TABLE@CLOCK.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/protocol/sequencer.h"

namespace geeps::protocol {
namespace {

using Op = SequencerOptions::Op;

Op Read(std::vector<uint32_t> subscriptions, std::vector<uint32_t> own_updates, uint32_t slack = 0) {
  Op op;
  op.subscriptions = std::move(subscriptions);
  op.own_updates = std::move(own_updates);
  op.slack = slack;
  op.read_my_writes = true;
  return op;
}
Op Update(std::vector<uint32_t> subscriptions, bool in_place = false) {
  Op op;
  op.is_update = true;
  op.in_place = in_place;
  op.subscriptions = std::move(subscriptions);
  op.read_my_writes = true;
  return op;
}

// One table with two partitions, whose first version is absorbed; every clock is sent and never answered.
class Bench {
 public:
  explicit Bench(std::vector<Op> ops)
      : ops_(ops), subscribers_(2, SubscriberPartition({.read_my_writes = true})), contributor_(Options()) {
    SequencerOptions options;
    options.plans = {{false, std::move(ops)}};
    options.num_tables = 1;
    sequencer_.emplace_back(std::move(options), std::vector<SequencerTable>{{&subscribers_, &contributor_}});
    for (uint32_t s : {0u, 1u}) Absorb(s, 0);
    Take();
  }

  void Absorb(uint32_t s, Age age) {
    subscribers_[s].OnPublish(age, true, false);
    Absorbed(s);
  }
  bool BeginAbsorb(uint32_t s, Age age) { return subscribers_[s].OnPublish(age, true, false).absorb; }
  void Absorbed(uint32_t s) {
    subscribers_[s].OnAbsorbed();
    std::vector<ContributorEffect> ignored;
    contributor_.OnAge(s, subscribers_[s].absorbed(), &ignored);
    sequencer().OnAge(0, s, &effects_);
  }
  void Begin() { sequencer().OnPassBegin(0, &effects_); }
  void End() { sequencer().OnPassEnd(0, &effects_); }
  void Post(uint32_t op) { sequencer().OnPosted(op, &effects_); }
  void Skip(uint32_t op) { sequencer().OnSkipped(op, &effects_); }
  void FillDone(uint32_t op) {
    for (uint32_t s : ops_[op].subscriptions) subscribers_[s].OnFillDone();
    sequencer().OnFillDone(0, op, &effects_);
  }
  void Drained(uint32_t op) {
    for (uint32_t s : ops_[op].subscriptions) subscribers_[s].OnAddDone({0, 0, op});
    sequencer().OnDrained(0, op, &effects_);
  }
  // The effects since the last call.
  std::string Take() {
    std::string text;
    for (size_t i = 0; i < effects_.size(); ++i) {
      const SequencerEffect effect = effects_[i];
      using Kind = SequencerEffect::Kind;
      static constexpr const char* kNames[] = {"fill ", "ready ", "unready ", "drain ", "data ", "fire "};
      const bool of_table = effect.kind == Kind::kData || effect.kind == Kind::kFire;
      text += (text.empty() ? "" : " ") + std::string(kNames[static_cast<int>(effect.kind)]) +
              (of_table ? std::to_string(effect.table) + "@" + std::to_string(effect.clock)
                        : std::to_string(effect.set_id) + "." + std::to_string(effect.op) + "#" +
                              std::to_string(effect.pass));
      for (uint32_t s : of_table ? std::vector<uint32_t>() : ops_[effect.op].subscriptions) {
        if (effect.kind == Kind::kFill) subscribers_[s].OnFillBegun();
        if (effect.kind == Kind::kDrain) subscribers_[s].OnAddBegun();
      }
    }
    effects_.clear();
    return text;
  }

 private:
  static ContributorOptions Options() {
    ContributorOptions options;
    options.partitions = {{0, 0, {true}}, {1, 0, {true}}};
    options.num_keepers = 1;
    return options;
  }
  Sequencer& sequencer() { return sequencer_[0]; }

  std::vector<Op> ops_;
  std::vector<SubscriberPartition> subscribers_;
  Contributor contributor_;
  std::vector<Sequencer> sequencer_;
  std::vector<SequencerEffect> effects_;
};

}  // namespace

TEST_CASE("R8: a read is filled when the own updates that come before it lie in the cache") {
  Bench bench({Update({0}), Read({0}, {0})});
  bench.Begin();
  CHECK(bench.Take() == "ready 0.0#1");
  bench.Post(0);
  CHECK(bench.Take() == "drain 0.0#1");
  bench.Drained(0);
  CHECK(bench.Take() == "ready 0.0#2 fill 0.1#1 data 0@0");
}

TEST_CASE("R8: a read of other rows does not wait for the updates of its pass, and one in place is added, too") {
  Bench bench({Update({0}, true), Read({0}, {})});
  bench.Begin();
  CHECK(bench.Take() == "ready 0.0#1 fill 0.1#1");
  bench.FillDone(1);
  CHECK(bench.Take() == "ready 0.1#1");
  bench.Post(0);
  CHECK(bench.Take() == "drain 0.0#1");
  bench.Drained(0);
  CHECK(bench.Take() == "ready 0.0#2 data 0@0 fire 0@0");
}

TEST_CASE("R8: a read for the next pass waits for all updates of this one, and a skipped update holds nobody") {
  Bench bench({Read({0}, {}), Update({0})});
  bench.Begin();
  bench.Absorb(0, 1);  // as early as can be
  CHECK(bench.Take() == "fill 0.0#1 ready 0.1#1");
  bench.FillDone(0);
  CHECK(bench.Take() == "ready 0.0#1");
  bench.Post(0);
  CHECK(bench.Take() == "");
  SUBCASE("posted") {
    bench.Post(1);
    CHECK(bench.Take() == "drain 0.1#1");
    bench.Drained(1);
    CHECK(bench.Take() == "ready 0.1#2 fill 0.0#2 data 0@0 fire 0@0");
  }
  SUBCASE("skipped") {
    bench.Skip(1);
    CHECK(bench.Take() == "ready 0.1#2 fill 0.0#2 fire 0@0");
  }
}

TEST_CASE("R7: an own update waits for the fills of its parts of the cache, and later ones wait behind it") {
  Bench bench({Read({0}, {}), Update({0}), Read({0}, {}), Update({1})});
  bench.Begin();
  CHECK(bench.Take() == "fill 0.0#1 ready 0.1#1 fill 0.2#1 ready 0.3#1");
  bench.FillDone(0);
  CHECK(bench.Take() == "ready 0.0#1");
  bench.Post(1);
  bench.Post(3);
  CHECK(bench.Take() == "");
  bench.FillDone(2);
  CHECK(bench.Take() == "ready 0.2#1 drain 0.1#1 drain 0.3#1");
}

TEST_CASE("R7: an own update waits for a version that is being written to one of its parts of the cache") {
  Bench bench({Update({0, 1}), Read({1}, {})});
  CHECK(bench.BeginAbsorb(1, 1));
  bench.Begin();
  CHECK(bench.Take() == "ready 0.0#1");  // the cache is being written
  bench.Post(0);
  CHECK(bench.Take() == "");  // that holds the update, too
  bench.Absorbed(1);
  CHECK(bench.Take() == "drain 0.0#1 fill 0.1#1");
}

TEST_CASE("R7: updates of one part of the cache are added one at a time, those of two parts beside each other") {
  Bench bench({Update({0}), Update({0}), Update({1})});
  bench.Begin();
  CHECK(bench.Take() == "ready 0.0#1 ready 0.1#1 ready 0.2#1");
  bench.Post(0);
  bench.Post(1);
  bench.Post(2);
  CHECK(bench.Take() == "drain 0.0#1");
  bench.Drained(0);
  CHECK(bench.Take() == "ready 0.0#2 drain 0.1#1 drain 0.2#1");
}

}  // namespace geeps::protocol
