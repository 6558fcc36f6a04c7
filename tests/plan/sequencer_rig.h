// SPDX-License-Identifier: Apache-2.0
// A sequencer with real subscribers and contributors around it, driven by hand. Effects are collected as text, one word
// each:
//   fill/ready/unready/drain PLAN.OP#PASS    data/fire TABLE@CLOCK
// Data and fires are passed on to the contributor of the table at once, as movers do.
#ifndef GEEPS_TESTS_PLAN_SEQUENCER_RIG_H_
#define GEEPS_TESTS_PLAN_SEQUENCER_RIG_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/protocol/sequencer.h"

namespace geeps::protocol {

using Op = SequencerOptions::Op;

inline Op Read(uint32_t table, uint32_t slack = 0, std::vector<uint32_t> subscriptions = {0}) {
  Op op;
  op.table = table;
  op.slack = slack;
  op.subscriptions = std::move(subscriptions);
  return op;
}
inline Op InPlaceRead(uint32_t table, uint32_t slack = 0) {
  Op op = Read(table, slack);
  op.in_place = true;
  return op;
}
inline Op Update(uint32_t table) {
  Op op;
  op.is_update = true;
  op.table = table;
  return op;
}
inline Op InPlaceUpdate(uint32_t table, bool zeroed = false) {
  Op op = Update(table);
  op.in_place = true;
  op.zeroed = zeroed;
  return op;
}
inline SequencerOptions::Plan Plan(std::vector<Op> ops, bool no_clock = false) { return {no_clock, std::move(ops)}; }

class Rig {
 public:
  // Every table has num_partitions partitions, all at one keeper; slack_max is that of all tables.
  Rig(std::vector<SequencerOptions::Plan> plans, uint32_t num_tables, uint32_t slack_max = 0,
      uint32_t num_partitions = 1)
      : plans_(plans),
        subscribers_(num_tables,
                     std::vector<SubscriberPartition>(num_partitions, SubscriberPartition(SubscriberOptions()))) {
    for (uint32_t t = 0; t < num_tables; ++t) {
      ContributorOptions options;
      options.num_keepers = 1;
      options.slack_max = slack_max;
      for (uint32_t p = 0; p < num_partitions; ++p) {
        options.partitions.push_back({t * num_partitions + p, 0, std::vector<bool>(plans.size(), true)});
      }
      contributors_.emplace_back(options);
    }
    SequencerOptions options;
    options.plans = std::move(plans);
    options.num_tables = num_tables;
    std::vector<SequencerTable> tables;
    for (uint32_t t = 0; t < num_tables; ++t) tables.push_back({&subscribers_[t], &contributors_[t]});
    sequencer_ = std::make_unique<Sequencer>(std::move(options), std::move(tables));
  }

  // The effects since the last call.
  std::string Take() { return std::exchange(text_, ""); }

  void Resume(uint32_t expected) {
    sequencer_->Resume(sequencer_->clock(), expected, &effects_);
    Run();
  }
  void Begin(uint32_t plan) {
    sequencer_->OnPassBegin(plan, &effects_);
    Run();
  }
  void End(uint32_t expected) {
    sequencer_->OnPassEnd(expected, &effects_);
    Run();
  }
  void Taken(uint32_t op) {
    sequencer_->OnTaken(op, &effects_);
    Run();
  }
  void Post(uint32_t op) {
    sequencer_->OnPosted(op, &effects_);
    Run();
  }
  void Skip(uint32_t op) {
    sequencer_->OnSkipped(op, &effects_);
    Run();
  }
  void Drained(uint32_t plan, uint32_t op) {
    sequencer_->OnDrained(plan, op, &effects_);
    Run();
  }
  void TakenBack(uint32_t plan, uint32_t op, bool taken_back) {
    sequencer_->OnTakenBack(plan, op, taken_back, &effects_);
    Run();
  }
  void FillDone(uint32_t plan, uint32_t op) {
    const Op& what = plans_[plan].ops[op];
    std::vector<uint32_t> absorbing;
    for (uint32_t s : what.subscriptions) {
      if (subscribers_[what.table][s].OnFillDone().absorb) absorbing.push_back(s);
    }
    sequencer_->OnFillDone(plan, op, &effects_);
    Run();
    for (uint32_t s : absorbing) Absorbed(what.table, s);
  }
  // A version arrives; it is absorbed at once unless the cache is being read.
  void Publish(uint32_t table, Age age, uint32_t subscription = 0) {
    if (subscribers_[table][subscription].OnPublish(age, true, false).absorb) Absorbed(table, subscription);
  }
  // A version arrives and is being absorbed until Absorbed.
  bool BeginPublish(uint32_t table, Age age) { return subscribers_[table][0].OnPublish(age, true, false).absorb; }
  void Absorbed(uint32_t table, uint32_t subscription = 0) {
    subscribers_[table][subscription].OnAbsorbed();
    std::vector<ContributorEffect> effects;
    contributors_[table].OnAge(subscription, subscribers_[table][subscription].absorbed(), &effects);
    Contribute(table, effects);
    sequencer_->OnAge(table, subscription, &effects_);
    Run();
  }
  // Sends of the table stay under way until SendsDone when on.
  void HoldSends(bool on) { hold_sends_ = on; }
  void SendsDone(uint32_t table) {
    std::vector<ContributorEffect> effects;
    for (const ContributorEffect& send : std::exchange(held_, {}))
      contributors_[table].OnSent(send.index, send.clock, &effects);
    Contribute(table, effects);
    Run();
  }

  Sequencer& sequencer() { return *sequencer_; }
  const std::vector<SubscriberPartition>& subscribers(uint32_t table) const { return subscribers_[table]; }

 private:
  void Contribute(uint32_t table, const std::vector<ContributorEffect>& effects) {
    for (const ContributorEffect& effect : effects) {
      if (effect.kind == ContributorEffect::Kind::kEntryFree) sequencer_->OnEntryFree(table, &effects_);
      if (effect.kind != ContributorEffect::Kind::kSend) continue;
      if (hold_sends_) {
        held_.push_back(effect);
      } else {
        std::vector<ContributorEffect> more;
        contributors_[table].OnSent(effect.index, effect.clock, &more);
        Contribute(table, more);
      }
    }
  }

  void Run() {
    for (size_t i = 0; i < effects_.size(); ++i) {
      const SequencerEffect effect = effects_[i];
      using Kind = SequencerEffect::Kind;
      const char* names[] = {"fill ", "ready ", "unready ", "drain ", "data ", "fire "};
      const bool of_table = effect.kind == Kind::kData || effect.kind == Kind::kFire;
      absl::StrAppend(&text_, text_.empty() ? "" : " ", names[static_cast<int>(effect.kind)],
                      of_table ? absl::StrCat(effect.table, "@", effect.clock)
                               : absl::StrCat(effect.set_id, ".", effect.op, "#", effect.pass));
      if (effect.kind == Kind::kFill) {
        for (uint32_t s : plans_[effect.set_id].ops[effect.op].subscriptions)
          subscribers_[effect.table][s].OnFillBegun();
      }
      if (!of_table) continue;
      std::vector<ContributorEffect> effects;
      if (effect.kind == Kind::kData) contributors_[effect.table].OnData(effect.clock, effect.set_id, &effects);
      if (effect.kind == Kind::kFire) contributors_[effect.table].OnFired(effect.clock, effect.set_id, &effects);
      Contribute(effect.table, effects);
    }
    effects_.clear();
  }

  std::vector<SequencerOptions::Plan> plans_;
  std::vector<std::vector<SubscriberPartition>> subscribers_;
  std::vector<Contributor> contributors_;
  std::unique_ptr<Sequencer> sequencer_;
  std::vector<SequencerEffect> effects_;
  std::vector<ContributorEffect> held_;
  bool hold_sends_ = false;
  std::string text_;
};

}  // namespace geeps::protocol

#endif  // GEEPS_TESTS_PLAN_SEQUENCER_RIG_H_
