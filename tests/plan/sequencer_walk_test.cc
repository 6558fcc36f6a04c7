// SPDX-License-Identifier: Apache-2.0
// The sequencer under random walks: one worker with several tables and plans, a program that wanders through them,
// movers that finish what they began in any order, and keepers that publish whatever is complete. What must always hold
// is checked at every step.
#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "runtime/protocol/sequencer.h"

namespace geeps::protocol {
namespace {

using Kind = SequencerEffect::Kind;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Below(uint64_t limit) {
    state_ = MixDigest(state_, 1);
    return state_ % limit;
  }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

// An operation in the program's order: the first call and the second.
struct Call {
  uint32_t op = 0;
  bool end = false;
};

struct World {
  World(uint64_t seed, uint32_t num_tables_in, uint32_t slack_max_in, bool mapped_in)
      : random(seed), num_tables(num_tables_in), slack_max(slack_max_in), mapped(mapped_in) {
    SequencerOptions options;
    options.num_tables = num_tables;
    const uint32_t num_plans = 1 + static_cast<uint32_t>(random.Below(3));
    for (uint32_t q = 0; q < num_plans; ++q) AddPlan(&options);
    for (uint32_t t = 0; t < num_tables; ++t) {
      SubscriberOptions subscriber;
      subscriber.mapped = mapped;
      subscribers.emplace_back(kPartitions, SubscriberPartition(subscriber));
      ContributorOptions contributor;
      contributor.num_keepers = 1;
      contributor.slack_max = slack_max;
      contributor.mapped = mapped;
      for (uint32_t p = 0; p < kPartitions; ++p)
        contributor.partitions.push_back({p, 0, std::vector<bool>(num_plans, true)});
      contributors.emplace_back(contributor);
      sent.emplace_back();
      published.emplace_back(kPartitions, kNoAge);
    }
    plans = options.plans;
    std::vector<SequencerTable> tables;
    for (uint32_t t = 0; t < num_tables; ++t) tables.push_back({&subscribers[t], &contributors[t]});
    fired.resize(num_tables);
    data.resize(num_tables);
    sequencer = std::make_unique<Sequencer>(std::move(options), tables);
    sequencer->Resume(0, static_cast<uint32_t>(random.Below(num_plans)), &effects);
    Carry();
  }

  void AddPlan(SequencerOptions* options) {
    SequencerOptions::Plan plan;
    plan.no_clock = random.OneIn(4);
    std::vector<bool> optional(num_tables);
    for (uint32_t t = 0; t < num_tables; ++t) optional[t] = random.OneIn(3);
    std::vector<bool> op_optional;
    const uint64_t num_ops = random.Below(7);
    for (uint64_t i = 0; i < num_ops; ++i) {
      SequencerOptions::Op op;
      op.table = static_cast<uint32_t>(random.Below(num_tables));
      op.is_update = !plan.no_clock && random.OneIn(2);
      if (op.is_update) {
        op.in_place = random.OneIn(2);
        op.zeroed = random.OneIn(3);
        op_optional.push_back(optional[op.table]);
      } else {
        op.slack = static_cast<uint32_t>(random.Below(slack_max + 1));
        op.in_place = (slack_max == 0 || mapped) && random.OneIn(2);
        for (uint32_t p = 0; p < kPartitions; ++p) {
          if (random.OneIn(2)) op.subscriptions.push_back(p);
        }
        op_optional.push_back(random.OneIn(3));
      }
      plan.ops.push_back(op);
    }
    // Each operation's second call comes somewhere after its first.
    std::vector<Call> calls;
    for (uint32_t i = 0; i < plan.ops.size(); ++i) {
      calls.push_back({i, false});
      calls.push_back({i, true});
    }
    for (size_t i = calls.size(); i-- > 0;) {
      if (!calls[i].end) continue;
      const size_t to = i + random.Below(calls.size() - i);
      for (size_t j = i; j < to; ++j) std::swap(calls[j], calls[j + 1]);
    }
    walks.push_back(calls);
    optionals.push_back(op_optional);
    options->plans.push_back(plan);
  }

  // --- what the sequencer wants ---

  void Carry() {
    for (size_t i = 0; i < effects.size(); ++i) Carry(effects[i]);
    effects.clear();
  }

  void Carry(const SequencerEffect& effect) {
    const auto key = std::make_pair(effect.set_id, effect.op);
    std::vector<ContributorEffect> more;
    switch (effect.kind) {
      case Kind::kFill: {
        REQUIRE(filling.count(key) == 0);
        REQUIRE(draining.count(key) == 0);
        REQUIRE(in_use.count(key) == 0);
        filling.insert(key);
        ages[key] = AgesOf(effect.set_id, effect.op);
        for (uint32_t p : plans[effect.set_id].ops[effect.op].subscriptions) {
          REQUIRE(subscribers[effect.table][p].CanFill());
          subscribers[effect.table][p].OnFillBegun();
        }
        break;
      }
      case Kind::kReady:
        REQUIRE(draining.count(key) == 0);
        REQUIRE(in_use.count(key) == 0);
        ready[key] = effect.pass;
        break;
      case Kind::kUnready:
        answers.push_back({key, effect.pass});
        break;
      case Kind::kDrain:
        draining.insert(key);
        REQUIRE(contributors[effect.table].EntryFree(effect.clock));
        drains[effect.table].push_back({key, effect.clock});
        break;
      case Kind::kData:
        REQUIRE(effect.clock >= data[effect.table]);
        REQUIRE(fired[effect.table] == effect.clock);
        for (const auto& drain : drains[effect.table]) REQUIRE(drain.second > effect.clock);
        data[effect.table] = effect.clock + 1;
        REQUIRE(contributors[effect.table].EntryFree(effect.clock));
        contributors[effect.table].OnData(effect.clock, effect.set_id, &more);
        break;
      case Kind::kFire:
        CheckFire(effect);
        fired[effect.table] = effect.clock + 1;
        data[effect.table] = effect.clock + 1;
        contributors[effect.table].OnFired(effect.clock, effect.set_id, &more);
        break;
    }
    Contribute(effect.table, more);
  }

  void CheckFire(const SequencerEffect& effect) {
    REQUIRE(effect.clock == fired[effect.table]);
    REQUIRE(effect.clock <= sequencer->clock());
    REQUIRE(plans[effect.set_id].no_clock == false);
    // After it the keepers may make version clock + 1 over version clock - slack_max: nobody may read one so old.
    const Age oldest = effect.clock + 1 > slack_max ? effect.clock + 1 - slack_max : 0;
    for (const auto& key : filling) CheckAges(key, effect.table, oldest);
    for (const auto& key : in_use) {
      if (plans[key.first].ops[key.second].in_place) CheckAges(key, effect.table, oldest);
    }
  }

  void CheckAges(std::pair<uint32_t, uint32_t> key, uint32_t table, Age oldest) {
    const SequencerOptions::Op& op = plans[key.first].ops[key.second];
    if (op.is_update || op.table != table) return;
    for (Age age : ages[key]) REQUIRE(age >= oldest);
  }

  std::vector<Age> AgesOf(uint32_t plan, uint32_t op) {
    std::vector<Age> out;
    const SequencerOptions::Op& what = plans[plan].ops[op];
    for (uint32_t p : what.subscriptions) out.push_back(subscribers[what.table][p].absorbed());
    return out;
  }

  void Contribute(uint32_t table, const std::vector<ContributorEffect>& list) {
    for (const ContributorEffect& effect : list) {
      if (effect.kind == ContributorEffect::Kind::kSend) sent[table].push_back(effect);
      if (effect.kind == ContributorEffect::Kind::kEntryFree) sequencer->OnEntryFree(table, &effects);
    }
  }

  // --- what may happen next; false when this kind of thing cannot ---

  bool Program() {
    if (!sequencer->in_pass()) {
      sequencer->OnPassBegin(NextPlan(), &effects);
      position = 0;
      skip_tables.clear();
      return true;
    }
    const uint32_t plan = current;
    if (position == walks[plan].size()) {
      // Usually the same plan again, or the truth is told.
      guess = static_cast<uint32_t>(random.Below(plans.size()));
      told = random.OneIn(2);
      sequencer->OnPassEnd(told ? guess : plan, &effects);
      return true;
    }
    return Step(plan, walks[plan][position]);
  }

  uint32_t NextPlan() {
    current = told ? guess : static_cast<uint32_t>(random.Below(plans.size()));
    return current;
  }

  bool Step(uint32_t plan, Call call) {
    const SequencerOptions::Op& op = plans[plan].ops[call.op];
    const auto key = std::make_pair(plan, call.op);
    if (call.end) {
      ++position;
      if (in_use.erase(key) == 0) return true;  // was skipped
      sequencer->OnPosted(call.op, &effects);
      return true;
    }
    bool skip = optionals[plan][call.op] && random.OneIn(2);
    if (op.is_update && optionals[plan][call.op]) skip = skip_tables.emplace(op.table, skip).first->second;
    const auto it = ready.find(key);
    const bool is_ready = it != ready.end() && it->second == sequencer->pass();
    if (!skip && !is_ready) return false;
    if (it != ready.end()) ready.erase(it);
    ++position;
    if (skip) {
      sequencer->OnSkipped(call.op, &effects);
      return true;
    }
    if (op.in_place && !op.is_update) ages[key] = AgesOf(plan, call.op);
    REQUIRE(filling.count(key) == 0);
    if (!op.is_update) {
      for (Age age : ages[key]) {
        REQUIRE(age != kNoAge);
        REQUIRE(age <= sequencer->clock());
        REQUIRE(age + op.slack >= sequencer->clock());
      }
    }
    in_use.insert(key);
    if (!op.is_update && !op.in_place && op.slack > 0) sequencer->OnTaken(call.op, &effects);
    return true;
  }

  bool FinishFill() {
    if (filling.empty()) return false;
    auto it = filling.begin();
    std::advance(it, static_cast<long>(random.Below(filling.size())));
    const auto key = *it;
    filling.erase(it);
    const SequencerOptions::Op& op = plans[key.first].ops[key.second];
    for (uint32_t p : op.subscriptions) {
      if (subscribers[op.table][p].OnFillDone().absorb) absorbing.push_back({op.table, p});
    }
    sequencer->OnFillDone(key.first, key.second, &effects);
    return true;
  }

  bool FinishDrain() {
    const uint32_t table = static_cast<uint32_t>(random.Below(num_tables));
    if (drains[table].empty()) return false;
    const Key key = drains[table].front().first;
    drains[table].pop_front();
    draining.erase(key);
    sequencer->OnDrained(key.first, key.second, &effects);
    return true;
  }

  bool FinishSend() {
    const uint32_t table = static_cast<uint32_t>(random.Below(num_tables));
    if (sent[table].empty()) return false;
    const ContributorEffect send = sent[table].front();
    sent[table].pop_front();
    std::vector<ContributorEffect> more;
    contributors[table].OnSent(send.index, send.clock, &more);
    Contribute(table, more);
    return true;
  }

  bool FinishAbsorb() {
    if (absorbing.empty()) return false;
    const auto [table, p] = absorbing.front();
    absorbing.pop_front();
    subscribers[table][p].OnAbsorbed();
    Aged(table, p);
    return true;
  }

  bool Answer() {
    if (answers.empty()) return false;
    const auto [key, pass] = answers.front();
    answers.pop_front();
    const auto it = ready.find(key);
    const bool taken_back = it != ready.end() && it->second == pass;
    if (taken_back) ready.erase(it);
    sequencer->OnTakenBack(key.first, key.second, taken_back, &effects);
    return true;
  }

  // The one participant of each partition: a version is there as soon as its clocks are fired.
  bool Publish() {
    const uint32_t table = static_cast<uint32_t>(random.Below(num_tables));
    const uint32_t p = static_cast<uint32_t>(random.Below(kPartitions));
    Age& age = published[table][p];
    if (age != kNoAge && age >= fired[table]) return false;
    SubscriberPartition& subscriber = subscribers[table][p];
    if (!mapped && !subscriber.CanFill()) return false;  // no credit
    age = age == kNoAge ? 0 : age + 1;
    if (mapped) {
      subscriber.OnAgeWord(age, false);
      Aged(table, p);
    } else if (subscriber.OnPublish(age, true, false).absorb) {
      absorbing.push_back({table, p});
    }
    return true;
  }

  void Aged(uint32_t table, uint32_t p) {
    std::vector<ContributorEffect> more;
    contributors[table].OnAge(p, subscribers[table][p].absorbed(), &more);
    Contribute(table, more);
    sequencer->OnAge(table, p, &effects);
  }

  bool Move() {
    switch (random.Below(8)) {
      case 0:
        return FinishFill();
      case 1:
        return FinishDrain();
      case 2:
        return FinishSend();
      case 3:
        return FinishAbsorb();
      case 4:
        return Answer();
      case 5:
        return Publish();
      default:
        return Program();
    }
  }

  // Walks until the clock; returns the number of steps without progress at the end.
  uint32_t Walk(Clock clock, uint32_t patience) {
    uint32_t idle = 0;
    while (sequencer->clock() < clock && idle < patience) {
      idle = Move() ? 0 : idle + 1;
      Carry();
      // Without a plan that has a clock there is no end.
      if (!AnyClock() && sequencer->pass() > 100) break;
    }
    return idle;
  }

  bool AnyClock() const {
    for (const SequencerOptions::Plan& plan : plans) {
      if (!plan.no_clock) return true;
    }
    return false;
  }

  static constexpr uint32_t kPartitions = 2;
  Random random;
  const uint32_t num_tables;
  const uint32_t slack_max;
  const bool mapped;
  std::vector<SequencerOptions::Plan> plans;
  std::vector<std::vector<Call>> walks;
  std::vector<std::vector<bool>> optionals;
  std::vector<std::vector<SubscriberPartition>> subscribers;
  std::vector<Contributor> contributors;
  std::unique_ptr<Sequencer> sequencer;
  std::vector<SequencerEffect> effects;

  using Key = std::pair<uint32_t, uint32_t>;  // plan, operation
  std::set<Key> filling, draining, in_use;
  std::map<Key, uint64_t> ready;                                 // pass
  std::map<Key, std::vector<Age>> ages;                          // of the last fill, or of the access in place
  std::map<uint32_t, std::deque<std::pair<Key, Clock>>> drains;  // by table
  std::deque<std::pair<Key, uint64_t>> answers;
  std::vector<std::deque<ContributorEffect>> sent;
  std::deque<std::pair<uint32_t, uint32_t>> absorbing;
  std::vector<std::vector<Age>> published;
  std::vector<Clock> fired, data;
  uint32_t current = 0;
  uint32_t guess = 0;
  bool told = false;
  size_t position = 0;
  std::map<uint32_t, bool> skip_tables;
};

void WalkSeeds(uint32_t slack_max, bool mapped, uint64_t first, uint64_t count) {
  for (uint64_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    World world(seed, 1 + static_cast<uint32_t>(seed % 3), slack_max, mapped);
    const uint32_t idle = world.Walk(40, 5000);
    REQUIRE_MESSAGE(idle < 5000, "nothing can go on, at clock ", world.sequencer->clock(), ", pass ",
                    world.sequencer->pass());
  }
}

}  // namespace

TEST_CASE("Sequencer: a random walk with slack 0 ends, reads exact versions, and fires each clock once, safely") {
  WalkSeeds(0, false, 1, 400);
}

TEST_CASE("Sequencer: a random walk with slack reads versions within it and never holds one that may be overwritten") {
  WalkSeeds(1, false, 1000, 300);
  WalkSeeds(3, false, 2000, 300);
}

TEST_CASE("Sequencer: a random walk over mapped memory never holds a version that may be overwritten") {
  WalkSeeds(0, true, 3000, 300);
  WalkSeeds(2, true, 4000, 300);
}

}  // namespace geeps::protocol
