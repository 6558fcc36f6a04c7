// SPDX-License-Identifier: Apache-2.0
// geeps-soak: the shipped machines of one table for very many clocks, in a random order of events, in constant memory.
// Two workers, each the keeper of one partition, contribute to both partitions in every clock. Values are modelled by
// how many clocks of each worker they contain, so that every version and every read can be judged without a history.
// The clocks begin shortly before 2^31, 2^32 and 2^63 and at 0, and pass these numbers in the middle of a leg. Exit
// status 0: all went well, 1: not, 2: usage.
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/protocol/contributor.h"
#include "runtime/protocol/keeper.h"
#include "runtime/protocol/message.h"
#include "runtime/protocol/subscriber.h"
#include "tests/sim/random.h"

namespace geeps::sim {
namespace {

using protocol::Age;
using protocol::Clock;

constexpr char kUsage[] =
    "usage: geeps-soak [--clocks N] [--seed S]\n"
    "  --clocks N   clocks of each worker in all (default 1000000), a quarter from each of four first clocks\n"
    "  --seed S     of the order of events (default 1)\n";

constexpr uint32_t kWorkers = 2;
constexpr uint32_t kPartitions = kWorkers;

using Counts = std::array<uint64_t, kWorkers>;  // clocks contained, by worker

struct Message {
  enum class Kind : uint8_t { kContribution, kFire, kPublish, kCredit };
  Kind kind = Kind::kContribution;
  bool fired = false;    // contribution
  bool payload = false;  // publish
  uint32_t partition = 0;
  uint64_t number = 0;  // clock or age
  Counts counts{};      // publish
};

struct Worker {
  explicit Worker(const protocol::ContributorOptions& options)
      : contributor(options), log(contributor.num_entries(), protocol::kNoAge) {}
  Clock clock = 0;
  bool updated = false;  // this clock's update is in the log
  protocol::Contributor contributor;
  std::vector<Clock> log;  // by entry: the clock whose data lie there
  std::vector<protocol::SubscriberPartition> subscribers;
  std::array<Counts, kPartitions> landing{};
  std::array<Counts, kPartitions> cache{};
  std::array<bool, kPartitions> absorbing{};
};

struct Shard {
  explicit Shard(const protocol::KeeperOptions& options) : keeper(options) {}
  protocol::KeeperPartition keeper;
  std::vector<std::array<Clock, kWorkers>> slots;  // [W]: the clock that landed there, by worker
  Counts values{};
  bool applying = false;
  Clock apply_clock = 0;
};

class Soak {
 public:
  Soak(uint64_t seed, Clock first_clock, uint64_t num_clocks, uint32_t slack)
      : random_(seed), first_(first_clock), end_(first_clock + num_clocks), slack_(slack) {
    for (uint32_t w = 0; w < kWorkers; ++w) {
      protocol::ContributorOptions options;
      options.num_keepers = kWorkers;
      options.slack_max = slack;
      options.first_clock = first_clock;
      for (uint32_t p = 0; p < kPartitions; ++p) options.partitions.push_back({p, p, {true}});
      workers_.emplace_back(options);
      workers_[w].clock = first_clock;
      workers_[w].subscribers.assign(kPartitions, protocol::SubscriberPartition({}));
    }
    for (uint32_t p = 0; p < kPartitions; ++p) {
      protocol::KeeperOptions options;
      options.slack_max = slack;
      options.first_age = first_clock;
      for (uint32_t w = 0; w < kWorkers; ++w) options.participants.push_back({w, false, true, {true}});
      shards_.emplace_back(options);
      shards_[p].slots.assign(protocol::NumLandingSlots(slack), {protocol::kNoAge, protocol::kNoAge});
    }
  }

  void Begin() {
    for (uint32_t p = 0; p < kPartitions; ++p) {
      shards_[p].keeper.Begin(&keeper_effects_);
      RunKeeper(p);
    }
  }
  // Until worker 0 has come to this clock, or nothing can happen any more.
  void RunTo(Clock clock) {
    while (violation_.empty() && (workers_[0].clock < clock || clock == end_) && Step()) {
    }
  }
  // Behind RunTo(the end): everybody has everything.
  void CheckEnd() {
    for (const Worker& worker : workers_) {
      if (worker.clock != end_) Fault(absl::StrCat("nothing can happen any more at clock ", worker.clock));
      for (const protocol::SubscriberPartition& subscriber : worker.subscribers) {
        if (subscriber.absorbed() != end_) Fault(absl::StrCat("the last version is ", subscriber.absorbed()));
      }
    }
  }

  // The first one, or empty.
  const std::string& violation() const { return violation_; }
  uint64_t num_messages() const { return num_messages_; }

 private:
  void Fault(const std::string& text) {
    if (violation_.empty()) violation_ = text;
  }
  std::deque<Message>& Link(uint32_t from, uint32_t to) { return links_[from * kWorkers + to]; }
  bool Contains(const Counts& counts, Age age) const {
    for (uint64_t count : counts) {
      if (count != age - first_) return false;
    }
    return true;
  }

  // One of the things that can happen next, each with the same chance; false: there is none.
  bool Step() {
    uint32_t num = 0;
    for (uint32_t i = 0; i < links_.size(); ++i) {
      if (!links_[i].empty()) choices_[num++] = i;
    }
    for (uint32_t p = 0; p < kPartitions; ++p) {
      if (shards_[p].applying) choices_[num++] = kApply + p;
      for (uint32_t w = 0; w < kWorkers; ++w) {
        if (workers_[w].absorbing[p]) choices_[num++] = kAbsorb + w * kPartitions + p;
      }
    }
    for (uint32_t w = 0; w < kWorkers; ++w) {
      if (CanRun(workers_[w])) choices_[num++] = kProgram + w;
    }
    if (num == 0) return false;
    const uint32_t choice = choices_[random_.Below(num)];
    if (choice >= kProgram) {
      RunProgram(choice - kProgram);
    } else if (choice >= kAbsorb) {
      EndAbsorb((choice - kAbsorb) / kPartitions, (choice - kAbsorb) % kPartitions);
    } else if (choice >= kApply) {
      EndApply(choice - kApply);
    } else {
      Deliver(choice / kWorkers, choice % kWorkers);
    }
    return true;
  }

  // A clock is a read of both partitions and an update, then the fire.
  bool CanRun(const Worker& worker) const {
    if (worker.updated) return true;
    if (worker.clock == end_ || !worker.contributor.EntryFree(worker.clock)) return false;
    for (const protocol::SubscriberPartition& subscriber : worker.subscribers) {
      if (!subscriber.Serves(worker.clock, slack_) || !subscriber.CanFill()) return false;
    }
    return true;
  }

  void RunProgram(uint32_t w) {
    Worker* const worker = &workers_[w];
    if (worker->updated) {
      worker->contributor.OnFired(worker->clock, 0, &contributor_effects_);
      worker->updated = false;
      ++worker->clock;
    } else {
      for (uint32_t p = 0; p < kPartitions; ++p) {
        const Age age = worker->subscribers[p].absorbed();
        if (age > worker->clock || worker->clock - age > slack_) Fault("a read outside its slack");
        if (!Contains(worker->cache[p], age)) Fault("a read that is not its version");
      }
      worker->log[worker->contributor.EntryOf(worker->clock)] = worker->clock;
      worker->contributor.OnData(worker->clock, 0, &contributor_effects_);
      worker->updated = true;
    }
    RunContributor(w);
  }

  void RunContributor(uint32_t w) {
    for (const protocol::ContributorEffect& effect : contributor_effects_) {
      using Kind = protocol::ContributorEffect::Kind;
      if (effect.kind == Kind::kSend) {
        Link(w, effect.index)
            .push_back({Message::Kind::kContribution, effect.fired, true, effect.index, effect.clock, {}});
      } else if (effect.kind == Kind::kFire) {
        Link(w, effect.index).push_back({Message::Kind::kFire, true, false, effect.index, effect.clock, {}});
      }
    }
    contributor_effects_.clear();
  }

  // Effects grow while they are worked off: a publish without payload is out at once.
  void RunKeeper(uint32_t p) {
    for (size_t i = 0; i < keeper_effects_.size(); ++i) {
      using Kind = protocol::KeeperEffect::Kind;
      const protocol::KeeperEffect effect = keeper_effects_[i];
      Shard* const shard = &shards_[p];
      if (effect.kind == Kind::kApply) {
        if (shard->applying) Fault("two applies at once");
        shard->applying = true;
        shard->apply_clock = effect.clock;
      } else if (effect.kind == Kind::kPublish) {
        const bool payload = (effect.flags & (protocol::kFlagHeaderOnly | protocol::kFlagUnchanged)) == 0;
        Link(p, effect.participant).push_back({Message::Kind::kPublish, false, payload, p, effect.age, {}});
        if (!payload) shard->keeper.OnSent(effect.participant, &keeper_effects_);
      } else if (effect.kind == Kind::kFail) {
        Fault(absl::StrCat("a keeper refuses what worker ", effect.participant, " sent at clock ", effect.clock));
      }
    }
    keeper_effects_.clear();
  }

  void RunSubscriber(uint32_t w, uint32_t p, const protocol::SubscriberEffects& effects) {
    if (effects.fail) Fault("a version that is not newer, or without a credit");
    if (effects.absorb) workers_[w].absorbing[p] = true;
    if (effects.credit) Link(w, p).push_back({Message::Kind::kCredit, false, false, p, effects.credit_age, {}});
    if (!effects.age_changed) return;
    workers_[w].contributor.OnAge(p, workers_[w].subscribers[p].absorbed(), &contributor_effects_);
    RunContributor(w);
  }

  void Deliver(uint32_t from, uint32_t to) {
    ++num_messages_;
    const Message message = Link(from, to).front();
    Link(from, to).pop_front();
    const uint32_t p = message.partition;
    protocol::KeeperPartition* const keeper = &shards_[p].keeper;
    switch (message.kind) {
      case Message::Kind::kContribution: {
        const Clock in_log = workers_[from].log[workers_[from].contributor.EntryOf(message.number)];
        shards_[p].slots[message.number % shards_[p].slots.size()][from] = in_log;
        workers_[from].contributor.OnSent(p, message.number, &contributor_effects_);
        RunContributor(from);
        keeper->OnContribution(from, message.number, 0, false, message.fired, {}, &keeper_effects_);
        return RunKeeper(p);
      }
      case Message::Kind::kFire:
        keeper->OnFire(from, message.number, 0, &keeper_effects_);
        return RunKeeper(p);
      case Message::Kind::kCredit:
        keeper->OnCredit(from, message.number, &keeper_effects_);
        return RunKeeper(p);
      case Message::Kind::kPublish:
        break;
    }
    if (message.payload) {
      workers_[to].landing[p] = shards_[p].values;
      keeper->OnSent(to, &keeper_effects_);
      RunKeeper(p);
    }
    if (!Contains(message.payload ? workers_[to].landing[p] : workers_[to].cache[p], message.number)) {
      Fault(absl::StrCat("what was published as version ", message.number, " is another one"));
    }
    RunSubscriber(to, p, workers_[to].subscribers[p].OnPublish(message.number, message.payload, false));
  }

  void EndApply(uint32_t p) {
    Shard* const shard = &shards_[p];
    for (uint32_t w = 0; w < kWorkers; ++w) {
      if (shard->slots[shard->apply_clock % shard->slots.size()][w] != shard->apply_clock) {
        Fault(absl::StrCat("clock ", shard->apply_clock, " is applied with the data of another clock"));
      }
      ++shard->values[w];
    }
    shard->applying = false;
    shard->keeper.OnApplied(&keeper_effects_);
    RunKeeper(p);
  }

  void EndAbsorb(uint32_t w, uint32_t p) {
    workers_[w].absorbing[p] = false;
    workers_[w].cache[p] = workers_[w].landing[p];
    RunSubscriber(w, p, workers_[w].subscribers[p].OnAbsorbed());
  }

  static constexpr uint32_t kApply = kWorkers * kWorkers;  // the links are before it
  static constexpr uint32_t kAbsorb = kApply + kPartitions;
  static constexpr uint32_t kProgram = kAbsorb + kWorkers * kPartitions;

  Random random_;
  const Clock first_;
  const Clock end_;
  const uint32_t slack_;
  std::vector<Worker> workers_;
  std::vector<Shard> shards_;
  std::array<std::deque<Message>, kWorkers * kWorkers> links_;
  std::array<uint32_t, kProgram + kWorkers> choices_{};
  std::vector<protocol::ContributorEffect> contributor_effects_;
  std::vector<protocol::KeeperEffect> keeper_effects_;
  uint64_t num_messages_ = 0;
  std::string violation_;
};

uint64_t ResidentBytes() {
  uint64_t size = 0;
  uint64_t resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  const bool read = std::fscanf(file, "%" SCNu64 " %" SCNu64, &size, &resident) == 2;
  std::fclose(file);
  return read ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

// A page more for a queue that was never so long before is no growth.
constexpr uint64_t kGrowthMax = 256 << 10;

// One leg; true when all went well. Memory is looked at after a tenth of it, when every queue has been long, and at
// the end.
bool RunLeg(uint64_t seed, uint32_t slack, const char* name, Clock middle, uint64_t num_clocks,
            uint64_t* num_messages) {
  const Clock first = middle - num_clocks / 2;
  Soak soak(seed, first, num_clocks, slack);
  soak.Begin();
  soak.RunTo(first + num_clocks / 10);
  const uint64_t before = ResidentBytes();
  soak.RunTo(first + num_clocks);
  soak.CheckEnd();
  const uint64_t after = ResidentBytes();
  const uint64_t growth = after > before ? after - before : 0;
  *num_messages += soak.num_messages();
  std::printf("%" PRIu64 " clocks about %s, slack %u: %s, %" PRIu64 " bytes resident, %" PRIu64
              " more than after a tenth of them\n",
              num_clocks, name, slack, soak.violation().empty() ? "no violation" : soak.violation().c_str(), after,
              growth);
  std::fflush(stdout);
  return soak.violation().empty() && growth <= kGrowthMax;
}

int Run(uint64_t num_clocks, uint64_t seed) {
  const uint64_t leg = num_clocks / 4;
  const std::clock_t begun = std::clock();
  uint64_t num_messages = 0;
  const bool good = RunLeg(HashOf(seed, 0), 0, "0", leg / 2, leg, &num_messages) &&
                    RunLeg(HashOf(seed, 1), 1, "2^31", Clock{1} << 31, leg, &num_messages) &&
                    RunLeg(HashOf(seed, 2), 2, "2^32", Clock{1} << 32, leg, &num_messages) &&
                    RunLeg(HashOf(seed, 3), 3, "2^63", Clock{1} << 63, leg, &num_messages);
  if (!good) return 1;
  std::printf("%" PRIu64 " clocks, %" PRIu64 " messages, no violation, no growth; %.1f s\n", 4 * leg, num_messages,
              static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC);
  return 0;
}

}  // namespace
}  // namespace geeps::sim

int main(int argc, char** argv) {
  uint64_t num_clocks = 1'000'000;
  uint64_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const char* const value = i + 1 < argc ? argv[++i] : "";
    const bool read = option == "--clocks" ? std::sscanf(value, "%" SCNu64, &num_clocks) == 1 && num_clocks >= 4
                                           : option == "--seed" && std::sscanf(value, "%" SCNu64, &seed) == 1;
    if (read) continue;
    std::fputs(geeps::sim::kUsage, stderr);
    return 2;
  }
  return geeps::sim::Run(num_clocks, seed);
}
