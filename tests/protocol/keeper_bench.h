// SPDX-License-Identifier: Apache-2.0
// A keeper under test: inputs that return their effects as text.
#ifndef GEEPS_TESTS_PROTOCOL_KEEPER_BENCH_H_
#define GEEPS_TESTS_PROTOCOL_KEEPER_BENCH_H_

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "runtime/protocol/keeper.h"
#include "tests/protocol/describe.h"

namespace geeps::protocol {

inline constexpr uint32_t kTrain = 0;     // a plan in which every participant updates the partition
inline constexpr uint32_t kEvaluate = 1;  // a plan in which none does

// Participants of rank 10, 11, ..., all of which read.
inline KeeperOptions World(uint32_t num_participants, uint32_t slack_max = 0, uint32_t num_versions = 1) {
  KeeperOptions options;
  for (uint32_t i = 0; i < num_participants; ++i) options.participants.push_back({10 + i, false, true, {true, false}});
  options.slack_max = slack_max;
  options.num_versions = num_versions;
  return options;
}

inline RuleParams Rate(double rate) {
  RuleParams params;
  params.num = 1;
  params.values[0] = rate;
  return params;
}

// A keeper; each input returns its effects as text.
class KeeperBench {
 public:
  explicit KeeperBench(const KeeperOptions& options) : machine(options) {}

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
  std::string Get(Age age) {
    return Taken([&] { machine.OnGet(age, &effects_); });
  }
  std::string Answered(Age next) {
    return Taken([&] { machine.OnAnswered(next, &effects_); });
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
inline KeeperBench Ready(const KeeperOptions& options) {
  KeeperBench bench(options);
  bench.Begin();
  for (uint32_t p = 0; p < options.participants.size(); ++p) {
    if (!options.participants[p].mapped) bench.Absorbed(p, options.first_age);
  }
  return bench;
}

}  // namespace geeps::protocol

#endif  // GEEPS_TESTS_PROTOCOL_KEEPER_BENCH_H_
