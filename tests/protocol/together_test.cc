// SPDX-License-Identifier: Apache-2.0
// Keepers, subscribers and contributors of one table together, in every seed another order of events. Values are
// modelled by what they contain, and moved at the end of each effect, so that memory reused too early shows as a wrong
// value. The simulator (tests/sim) does this with plans, real values and faults; this is the part that needs nothing
// but the machines.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/protocol/describe.h"

namespace geeps::protocol {
namespace {

constexpr uint32_t kNumSets = 3;  // every set is drawn by worker and partition
constexpr Clock kNumClocks = 12;

// What a program does in a clock, step by step. A read is over before the update, spans it, or comes after it.
constexpr int kReadBegins = 0, kReadEnds = 1, kUpdate = 2, kLateReadBegins = 3, kLateReadEnds = 4, kFire = 5,
              kNumSteps = 6;
enum class Read : uint32_t { kNone, kBefore, kAcross, kAfter };

using Values = std::vector<uint64_t>;  // by worker: sum of 1 + clock over the clocks contained

struct World {
  World(uint32_t seed, bool mapped);
  bool Step();  // false: nothing can happen any more
  bool Done() const;

  // What version `age` of partition p must be.
  Values Expected(uint32_t p, Age age) const {
    Values values(num_workers);
    for (uint32_t w = 0; w < num_workers; ++w) {
      for (Clock c = 0; c < age; ++c) values[w] += Contributes(w, p, c) ? 1 + c : 0;
    }
    return values;
  }
  bool Contributes(uint32_t w, uint32_t p, Clock c) const { return !skipped[w][c] && has_data[w][p][plan[w][c]]; }
  bool HasUpdates(uint32_t w, Clock c) const {
    bool any = false;
    for (uint32_t p = 0; p < num_partitions; ++p) any = any || Contributes(w, p, c);
    return any;
  }
  void Fault(const std::string& text) {
    if (fault.empty()) fault = text;
  }

  void Run(uint32_t p, std::vector<KeeperEffect> effects);
  void Run(uint32_t w, const std::vector<ContributorEffect>& effects);
  void Run(uint32_t w, uint32_t p, const SubscriberEffects& effects);
  void Deliver(uint32_t from, uint32_t to);
  void EndApply(uint32_t p);
  void BeginRead(uint32_t w);
  void EndRead(uint32_t w);
  void Program(uint32_t w);
  bool CanRun(uint32_t w) const;
  bool BeginsRead(uint32_t w) const;
  bool EndsRead(uint32_t w) const;
  std::vector<std::pair<int, uint32_t>> Events() const;

  struct Message {
    Header header;
    Values payload_of_publish;
    uint32_t buffer = 0;
    bool payload = false;
  };
  struct Worker {
    Clock clock = 0;
    int step = 0;  // of kNumSteps
    std::vector<std::pair<uint32_t, Age>> held;
    std::vector<Clock> log;  // by entry: the clock whose data lie there
    std::vector<SubscriberPartition> subscribers;
    std::vector<Values> landing, cache;
    std::vector<bool> absorbing;
    Clock fired_word = 0;
    std::map<Clock, uint32_t> header;
  };
  struct Shard {
    std::vector<Values> versions;                                // [V]
    std::vector<std::vector<std::pair<uint32_t, Clock>>> slots;  // [worker][W]: what landed there
    bool applying = false;
    KeeperEffect apply;
    std::vector<Clock> seen;  // mapped, by worker
  };

  std::mt19937 random;
  bool mapped;
  uint32_t num_workers, num_partitions, slack;
  std::vector<std::vector<std::vector<bool>>> has_data;  // [worker][partition][set]
  std::vector<std::vector<uint32_t>> plan;               // [worker][clock]
  std::vector<std::vector<bool>> skipped;                // [worker][clock]
  std::vector<std::vector<Read>> reads;                  // [worker][clock]
  std::vector<Worker> workers;
  std::vector<Contributor> contributors;
  std::vector<Shard> shards;
  std::vector<KeeperPartition> keepers;
  std::map<std::pair<uint32_t, uint32_t>, std::deque<Message>> links;
  std::vector<Age> age_words;
  std::string fault;
};

World::World(uint32_t seed, bool is_mapped) : random(seed), mapped(is_mapped) {
  auto draw = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  num_workers = 1 + draw(3);
  num_partitions = 1 + draw(3);
  slack = draw(4);
  has_data.assign(num_workers, std::vector<std::vector<bool>>(num_partitions, std::vector<bool>(kNumSets)));
  for (auto& worker : has_data) {
    for (auto& partition : worker) {
      for (uint32_t q = 0; q < kNumSets; ++q) partition[q] = draw(3) != 0;
    }
  }
  for (uint32_t p = 0; p < num_partitions; ++p) has_data[draw(num_workers)][p][0] = true;  // none is frozen
  for (uint32_t w = 0; w < num_workers; ++w) {
    plan.emplace_back();
    skipped.emplace_back();
    reads.emplace_back();
    for (Clock c = 0; c < kNumClocks; ++c) {
      plan[w].push_back(draw(kNumSets));
      skipped[w].push_back(draw(8) == 0);
      reads[w].push_back(static_cast<Read>(draw(4)));
    }
    ContributorOptions options;
    options.num_keepers = num_workers;
    options.slack_max = slack;
    options.mapped = mapped;
    for (uint32_t p = 0; p < num_partitions; ++p) options.partitions.push_back({p, p % num_workers, has_data[w][p]});
    contributors.emplace_back(options);
    Worker worker;
    worker.log.assign(contributors[w].num_entries(), kNoAge);
    worker.subscribers.assign(num_partitions, SubscriberPartition({mapped, false}));
    worker.landing.assign(num_partitions, Values(num_workers));
    worker.cache = worker.landing;
    worker.absorbing.resize(num_partitions);
    workers.push_back(worker);
  }
  for (uint32_t p = 0; p < num_partitions; ++p) {
    KeeperOptions options;
    options.slack_max = slack;
    options.num_versions = mapped ? NumMappedVersions(slack) : 1 + draw(2);
    for (uint32_t w = 0; w < num_workers; ++w) options.participants.push_back({w, mapped, true, has_data[w][p]});
    keepers.emplace_back(options);
    Shard shard;
    shard.versions.assign(options.num_versions, Values(num_workers));
    shard.slots.assign(num_workers, std::vector<std::pair<uint32_t, Clock>>(NumLandingSlots(slack), {0, kNoAge}));
    shard.seen.resize(num_workers);
    shards.push_back(shard);
  }
  age_words.assign(num_partitions, kNoAge);
  for (uint32_t p = 0; p < num_partitions; ++p) {
    std::vector<KeeperEffect> effects;
    keepers[p].Begin(&effects);
    Run(p, effects);
  }
}

void World::Run(uint32_t p, std::vector<KeeperEffect> effects) {
  for (size_t i = 0; i < effects.size(); ++i) {
    const KeeperEffect effect = effects[i];
    switch (effect.kind) {
      case KeeperEffect::Kind::kApply:
        if (shards[p].applying) Fault("two applies at once");
        shards[p].applying = true;
        shards[p].apply = effect;
        // Half written: whoever looks sees that it is none of the versions.
        if (effect.from != effect.to) shards[p].versions[effect.to] = Values(num_workers, 77);
        break;
      case KeeperEffect::Kind::kPublish: {
        Message message;
        message.header.type = MessageType::kPublish;
        message.header.partition = p;
        message.header.clock = effect.age;
        message.header.set_id = effect.participant;
        message.buffer = effect.from;
        message.payload = (effect.flags & (kFlagHeaderOnly | kFlagUnchanged)) == 0;
        links[{p % num_workers, effect.participant}].push_back(message);
        if (!message.payload) keepers[p].OnSent(effect.participant, &effects);
        break;
      }
      case KeeperEffect::Kind::kAnswer:
        break;
      case KeeperEffect::Kind::kStoreAge:
        age_words[p] = effect.age;
        break;
      case KeeperEffect::Kind::kFail:
        Fault("keeper: " + Describe(effect));
        break;
    }
  }
}

void World::Run(uint32_t w, const std::vector<ContributorEffect>& effects) {
  for (const ContributorEffect& effect : effects) {
    Message message;
    message.header.set_id = effect.set_id;
    message.header.clock = effect.clock;
    switch (effect.kind) {
      case ContributorEffect::Kind::kSend:
        message.header.type = MessageType::kContribution;
        message.header.partition = effect.index;
        message.header.flags = effect.fired ? kFlagFired : 0;
        if (effect.fired && effect.clock >= contributors[w].fired()) Fault("a mark before the fire");
        links[{w, effect.index % num_workers}].push_back(message);
        break;
      case ContributorEffect::Kind::kFire:
        message.header.type = MessageType::kFire;
        links[{w, effect.index}].push_back(message);
        break;
      case ContributorEffect::Kind::kStoreFired:
        if (effect.clock >= contributors[w].fired()) Fault("a fired word before the fire");
        workers[w].header[effect.clock] = effect.set_id;
        workers[w].fired_word = effect.clock + 1;
        break;
      case ContributorEffect::Kind::kEntryFree:
        break;
    }
  }
}

void World::Run(uint32_t w, uint32_t p, const SubscriberEffects& effects) {
  if (effects.fail) Fault("subscriber: a version that is not newer, or without a credit");
  if (effects.absorb) workers[w].absorbing[p] = true;
  if (effects.credit) {
    Message message;
    message.header.type = MessageType::kCredit;
    message.header.partition = p;
    message.header.clock = effects.credit_age;
    links[{w, p % num_workers}].push_back(message);
  }
  if (effects.age_changed) {
    std::vector<ContributorEffect> list;
    contributors[w].OnAge(p, workers[w].subscribers[p].absorbed(), &list);
    Run(w, list);
  }
}

void World::Deliver(uint32_t from, uint32_t to) {
  const Message message = links[{from, to}].front();
  links[{from, to}].pop_front();
  const uint32_t p = message.header.partition;
  const Clock clock = message.header.clock;
  std::vector<KeeperEffect> effects;
  switch (message.header.type) {
    case MessageType::kContribution: {
      // Values leave the log entry and land now, which is the end of the send.
      const Clock in_log = workers[from].log[contributors[from].EntryOf(clock)];
      if (in_log != clock) Fault("a log entry was filled again while it was being sent");
      shards[p].slots[from][clock % NumLandingSlots(slack)] = {message.header.set_id, in_log};
      std::vector<ContributorEffect> list;
      contributors[from].OnSent(p, clock, &list);
      Run(from, list);
      keepers[p].OnContribution(from, clock, message.header.set_id, false, (message.header.flags & kFlagFired) != 0, {},
                                &effects);
      return Run(p, effects);
    }
    case MessageType::kFire:
      for (uint32_t kept = to; kept < num_partitions; kept += num_workers) {
        effects.clear();
        keepers[kept].OnFire(from, clock, message.header.set_id, &effects);
        Run(kept, effects);
      }
      return;
    case MessageType::kCredit:
      keepers[p].OnCredit(from, clock, &effects);
      return Run(p, effects);
    case MessageType::kPublish:
      break;
    case MessageType::kGet:
    case MessageType::kGot:
    case MessageType::kSet:
    case MessageType::kAck:
    case MessageType::kWho:
    case MessageType::kMissing:
      return;  // nobody asks here
  }
  if (message.payload) {
    workers[to].landing[p] = shards[p].versions[message.buffer];
    if (workers[to].landing[p] != Expected(p, clock)) Fault("a torn publish");
    keepers[p].OnSent(to, &effects);
    Run(p, effects);
  } else if (workers[to].cache[p] != Expected(p, clock)) {
    Fault("a version that changed was called unchanged");
  }
  Run(to, p, workers[to].subscribers[p].OnPublish(clock, message.payload, false));
}

void World::EndApply(uint32_t p) {
  Shard& shard = shards[p];
  const Clock clock = shard.apply.clock;
  Values values = shard.versions[shard.apply.from];
  for (uint32_t w = 0; w < num_workers; ++w) {
    const KeeperPartition::Delivery& delivery = keepers[p].delivery(w, clock);
    if (delivery.empty || !delivery.delivered) continue;
    const Clock there =
        mapped ? workers[w].log[contributors[w].EntryOf(clock)] : shard.slots[w][clock % NumLandingSlots(slack)].second;
    values[w] += 1 + there;
  }
  shard.versions[shard.apply.to] = values;
  shard.applying = false;
  if (values != Expected(p, clock + 1)) Fault("an apply made another version than it should");
  std::vector<KeeperEffect> effects;
  keepers[p].OnApplied(&effects);
  Run(p, effects);
}

void World::BeginRead(uint32_t w) {
  Worker& worker = workers[w];
  for (uint32_t p = 0; p < num_partitions; ++p) {
    const Age age = worker.subscribers[p].absorbed();
    if (age > worker.clock || worker.clock - age > slack) Fault("a read outside its slack");
    worker.held.emplace_back(p, age);
    if (!mapped) worker.subscribers[p].OnFillBegun();
  }
}

void World::EndRead(uint32_t w) {
  Worker& worker = workers[w];
  for (const auto& [p, age] : worker.held) {
    const Values& values = mapped ? shards[p].versions[keepers[p].VersionBuffer(age)] : worker.cache[p];
    if (values != Expected(p, age)) Fault("a torn read");
    if (!mapped) Run(w, p, worker.subscribers[p].OnFillDone());
  }
  worker.held.clear();
}

bool World::CanRun(uint32_t w) const {
  const Worker& worker = workers[w];
  if (worker.clock == kNumClocks) return false;
  if (worker.step == kUpdate) return !HasUpdates(w, worker.clock) || contributors[w].EntryFree(worker.clock);
  if (!BeginsRead(w)) return true;
  return std::all_of(worker.subscribers.begin(), worker.subscribers.end(), [&](const SubscriberPartition& subscriber) {
    return subscriber.Serves(worker.clock, slack) && subscriber.CanFill();
  });
}

bool World::BeginsRead(uint32_t w) const {
  const Read read = reads[w][workers[w].clock];
  if (workers[w].step == kReadBegins) return read == Read::kBefore || read == Read::kAcross;
  return workers[w].step == kLateReadBegins && read == Read::kAfter;
}

bool World::EndsRead(uint32_t w) const {
  const Read read = reads[w][workers[w].clock];
  if (workers[w].step == kReadEnds) return read == Read::kBefore;
  return workers[w].step == kLateReadEnds && (read == Read::kAcross || read == Read::kAfter);
}

void World::Program(uint32_t w) {
  Worker& worker = workers[w];
  std::vector<ContributorEffect> effects;
  const uint32_t set_id = plan[w][worker.clock];
  if (BeginsRead(w)) BeginRead(w);
  if (EndsRead(w)) EndRead(w);
  if (worker.step == kUpdate && HasUpdates(w, worker.clock)) {
    worker.log[contributors[w].EntryOf(worker.clock)] = worker.clock;
    contributors[w].OnData(worker.clock, set_id, &effects);
  }
  if (worker.step == kFire) contributors[w].OnFired(worker.clock, set_id, &effects);
  worker.step = (worker.step + 1) % kNumSteps;
  if (worker.step == 0) ++worker.clock;
  Run(w, effects);
}

// What can happen next, as (kind, which).
std::vector<std::pair<int, uint32_t>> World::Events() const {
  std::vector<std::pair<int, uint32_t>> events;
  for (const auto& [link, queue] : links) {
    if (!queue.empty()) events.emplace_back(0, link.first * num_workers + link.second);
  }
  for (uint32_t p = 0; p < num_partitions; ++p) {
    if (shards[p].applying) events.emplace_back(1, p);
    for (uint32_t w = 0; w < num_workers; ++w) {
      if (workers[w].absorbing[p]) events.emplace_back(2, w * num_partitions + p);
      if (mapped && age_words[p] != workers[w].subscribers[p].absorbed())
        events.emplace_back(3, w * num_partitions + p);
      if (mapped && shards[p].seen[w] < workers[w].fired_word) events.emplace_back(4, w * num_partitions + p);
    }
  }
  for (uint32_t w = 0; w < num_workers; ++w) {
    if (CanRun(w)) events.emplace_back(5, w);
  }
  return events;
}

bool World::Step() {
  const auto events = Events();
  if (events.empty()) return false;
  const auto [kind, which] = events[random() % events.size()];
  const uint32_t w = which / num_partitions, p = which % num_partitions;
  switch (kind) {
    case 0:
      Deliver(which / num_workers, which % num_workers);
      break;
    case 1:
      EndApply(which);
      break;
    case 2:
      workers[w].absorbing[p] = false;
      workers[w].cache[p] = workers[w].landing[p];
      Run(w, p, workers[w].subscribers[p].OnAbsorbed());
      break;
    case 3:
      Run(w, p, workers[w].subscribers[p].OnAgeWord(age_words[p], false));
      break;
    case 4: {
      const Clock clock = shards[p].seen[w]++;
      const uint32_t set_id = workers[w].header[clock];
      std::vector<KeeperEffect> effects;
      keepers[p].OnContribution(w, clock, set_id, !keepers[p].HasData(w, set_id), true, {}, &effects);
      Run(p, effects);
      break;
    }
    default:
      Program(which);
  }
  return true;
}

bool World::Done() const {
  for (uint32_t w = 0; w < num_workers; ++w) {
    if (workers[w].clock != kNumClocks) return false;
    for (const SubscriberPartition& subscriber : workers[w].subscribers) {
      if (subscriber.absorbed() != kNumClocks) return false;
    }
  }
  return true;
}

void RunSeeds(uint32_t num_seeds, bool mapped) {
  for (uint32_t seed = 0; seed < num_seeds; ++seed) {
    World world(seed, mapped);
    uint32_t num_steps = 0;
    while (world.fault.empty() && ++num_steps < 100'000 && world.Step()) {
    }
    CAPTURE(seed);
    CAPTURE(world.num_workers);
    CAPTURE(world.num_partitions);
    CAPTURE(world.slack);
    REQUIRE(world.fault == "");
    REQUIRE(world.Done());
  }
}

}  // namespace

TEST_CASE("Together, by messages: every read is right, and every clock reaches everybody") { RunSeeds(1000, false); }

TEST_CASE("Together, in mapped memory: every read is right, and every clock reaches everybody") {
  RunSeeds(1000, true);
}

}  // namespace geeps::protocol
