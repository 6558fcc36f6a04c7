// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/subscriber.h"

#include <algorithm>

namespace geeps::protocol {
namespace {

SubscriberEffects Failure() {
  SubscriberEffects effects;
  effects.fail = true;
  return effects;
}

}  // namespace

// An answer contains more of the own clocks, even if the values are those of the last one.
bool SubscriberPartition::IsNewer(Age age, Clock own_clock) const {
  if (absorbed_ == kNoAge || Broken(Mutant::kStaleAbsorbed)) return true;
  return IsAnswered() ? age >= absorbed_ && own_clock > own_clock_ : age > absorbed_;
}

SubscriberEffects SubscriberPartition::OnPublish(Age age, bool payload, bool frozen, Clock own_clock) {
  // A pending version has not returned its credit yet, a frozen partition has none to give.
  const bool without_credit = pending_ != kNoAge || frozen_ || options_.mapped;
  const bool unknown = age == kNoAge || own_clock == kNoAge;
  if (without_credit || unknown || !IsNewer(age, own_clock)) return Failure();
  pending_ = age;
  pending_own_clock_ = own_clock;
  pending_frozen_ = frozen;
  if (!payload || options_.lands_in_cache) return Finish();
  if (Broken(Mutant::kCreditBeforeWrite)) {
    SubscriberEffects effects = BeginAbsorbIfFree();
    effects.credit = true;
    effects.credit_age = age;
    return effects;
  }
  return BeginAbsorbIfFree();
}

SubscriberEffects SubscriberPartition::OnAbsorbed() {
  if (!absorbing_) return {};
  absorbing_ = false;
  SubscriberEffects effects = Finish();
  if (Broken(Mutant::kCreditBeforeWrite)) effects.credit = false;
  return effects;
}

SubscriberEffects SubscriberPartition::OnAgeWord(Age age, bool frozen) {
  if (age == kNoAge) return {};
  if (!options_.mapped || (absorbed_ != kNoAge && age < absorbed_)) return Failure();
  if (age == absorbed_ && frozen == frozen_) return {};
  SubscriberEffects effects;
  absorbed_ = age;
  frozen_ = frozen;
  effects.age_changed = true;
  return effects;
}

SubscriberEffects SubscriberPartition::OnFillDone() {
  if (num_fills_ > 0) --num_fills_;
  return BeginAbsorbIfFree();
}

SubscriberEffects SubscriberPartition::OnAddDone(const OwnUpdate& update) {
  adding_ = false;
  own_updates_.push_back(update);
  return BeginAbsorbIfFree();
}

void SubscriberPartition::Reset() {
  own_updates_.clear();
  absorbed_ = kNoAge;
  pending_ = kNoAge;
  own_clock_ = kNoAge;
  pending_own_clock_ = 0;
  absorbing_ = false;
  frozen_ = false;
  pending_frozen_ = false;
}

SubscriberEffects SubscriberPartition::BeginAbsorbIfFree() {
  SubscriberEffects effects;
  if (pending_ == kNoAge || absorbing_) return effects;
  if (num_fills_ > 0 && !Broken(Mutant::kAbsorbWhileFilling)) return effects;
  if (adding_ && !Broken(Mutant::kAbsorbWhileAdding)) return effects;
  DropContained();
  absorbing_ = true;
  effects.absorb = true;
  return effects;
}

SubscriberEffects SubscriberPartition::Finish() {
  SubscriberEffects effects;
  DropContained();
  absorbed_ = pending_;
  own_clock_ = pending_own_clock_;
  frozen_ = pending_frozen_;
  pending_ = kNoAge;
  effects.age_changed = true;
  effects.credit = !frozen_;
  effects.credit_age = absorbed_;
  return effects;
}

// Own updates that the pending version contains are never added again.
void SubscriberPartition::DropContained() {
  if (Broken(Mutant::kOwnForgotten)) return own_updates_.clear();
  const Clock contained = IsAnswered() ? pending_own_clock_ : pending_;
  const Clock end = Broken(Mutant::kOwnAddedTwice) && contained > 0 ? contained - 1 : contained;
  auto first = own_updates_.begin();
  while (first != own_updates_.end() && first->clock < end) ++first;
  own_updates_.erase(own_updates_.begin(), first);
}

uint64_t SubscriberPartition::StateDigest() const {
  uint64_t digest = MixDigest(0, absorbed_);
  digest = MixDigest(digest, pending_);
  if (options_.async) digest = MixDigest(MixDigest(digest, own_clock_), pending_own_clock_);
  digest = MixDigest(digest, num_fills_);
  for (const OwnUpdate& update : own_updates_) {
    digest = MixDigest(MixDigest(digest, update.clock), uint64_t{update.set_id} << 32 | update.op);
  }
  return MixDigest(
      digest, uint64_t{absorbing_} | uint64_t{frozen_} << 1 | uint64_t{pending_frozen_} << 2 | uint64_t{adding_} << 3);
}

}  // namespace geeps::protocol
