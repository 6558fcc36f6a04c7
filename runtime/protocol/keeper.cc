// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/keeper.h"

#include "runtime/protocol/message.h"

namespace geeps::protocol {

using Fault = KeeperEffect::Fault;
using Kind = KeeperEffect::Kind;

KeeperPartition::KeeperPartition(const KeeperOptions& options)
    : options_(options),
      num_slots_(NumLandingSlots(options.slack_max)),
      age_(options.first_age),
      last_changed_(options.first_age),
      peers_(options.participants.size()),
      pending_(num_slots_) {
  for (size_t i = 0; i < peers_.size(); ++i) {
    peers_[i].next = peers_[i].next_unfired = peers_[i].fire_expected = peers_[i].contained = age_;
    peers_[i].slots.resize(num_slots_);
    peers_[i].due = true;  // the first version
    any_mapped_ = any_mapped_ || options_.participants[i].mapped;
    num_awaited_ += options_.participants[i].observer && !Broken(Mutant::kObserverAwaited) ? 0 : 1;
  }
  if (options_.async) arrivals_.resize(peers_.size() * num_slots_);
}

void KeeperPartition::Begin(std::vector<KeeperEffect>* effects) {
  for (uint32_t i = 0; i < peers_.size(); ++i) peers_[i].credit = !options_.participants[i].mapped;
  Tell(effects);
}

void KeeperPartition::OnContribution(uint32_t participant, Clock clock, uint32_t set_id, bool empty, bool fired,
                                     const RuleParams& params, std::vector<KeeperEffect>* effects) {
  if (failed_) return;
  const Peer& peer = peers_[participant];
  if (!MayContribute(participant, clock, effects)) return;
  if ((clock != peer.next && !Broken(Mutant::kClockUnchecked)) ||
      (!InWindow(peer, clock) && !Broken(Mutant::kWindowUnchecked))) {
    return Fail(Fault::kClock, participant, participant, clock, peer.next, effects);
  }
  if (!Broken(Mutant::kSetUnchecked)) {
    if (!Known(options_.participants[participant], set_id)) {
      return Fail(Fault::kSetId, participant, participant, clock, set_id, effects);
    }
    // A plan's updates may all have been skipped, so EMPTY fits every set.
    if (!empty && !HasData(participant, set_id)) {
      return Fail(Fault::kEmptyMismatch, participant, participant, clock, peer.next, effects);
    }
  }
  if (options_.async) {
    Deliver(participant, clock, set_id, empty, params);
    return AdvanceAsync(effects);
  }
  const Pending& pending = PendingOf(clock);
  if (!empty && pending.has_data && !Broken(Mutant::kParamsUnchecked) &&
      !SameBits(delivery(pending.first, clock).params, params)) {
    return Fail(Fault::kParams, participant, pending.first, clock, peer.next, effects);
  }
  Deliver(participant, clock, set_id, empty, params);
  if (fired) MarkFired(participant, clock);
  Advance(age_, effects);
}

bool KeeperPartition::MayContribute(uint32_t participant, Clock clock, std::vector<KeeperEffect>* effects) {
  const bool observer = options_.participants[participant].observer && !Broken(Mutant::kObserverMayContribute);
  if (!options_.frozen && !observer) return true;
  Fail(options_.frozen ? Fault::kFrozen : Fault::kObserver, participant, participant, clock, age_, effects);
  return false;
}

void KeeperPartition::OnFire(uint32_t participant, Clock clock, uint32_t set_id, std::vector<KeeperEffect>* effects) {
  if (failed_) return;
  Peer& peer = peers_[participant];
  if (!MayContribute(participant, clock, effects)) return;
  if (options_.async) return OnFireAsync(participant, clock, set_id, effects);
  if (clock < peer.fire_expected || clock > peer.next_unfired) {
    return Fail(Fault::kClock, participant, participant, clock, peer.next_unfired, effects);
  }
  peer.fire_expected = clock + 1;
  // The data brought the mark here; the message was for the sake of another partition and may be late.
  if (clock < peer.next_unfired) return;
  if (clock < peer.next) {
    const uint32_t delivered_set = SlotOf(peer, clock).set_id;
    if (set_id != delivered_set && !Broken(Mutant::kSetUnchecked)) {
      return Fail(Fault::kSetId, participant, participant, clock, set_id, effects);
    }
  } else {
    DeliverFire(participant, clock, set_id, effects);
    if (failed_) return;
  }
  MarkFired(participant, clock);
  Advance(age_, effects);
}

// FIRE stands for EMPTY: nothing was delivered for its clock.
void KeeperPartition::DeliverFire(uint32_t participant, Clock clock, uint32_t set_id,
                                  std::vector<KeeperEffect>* effects) {
  const Peer& peer = peers_[participant];
  if (!InWindow(peer, clock)) return Fail(Fault::kClock, participant, participant, clock, peer.next, effects);
  if (!Broken(Mutant::kSetUnchecked)) {
    if (!Known(options_.participants[participant], set_id)) {
      return Fail(Fault::kSetId, participant, participant, clock, set_id, effects);
    }
    if (HasData(participant, set_id)) {
      return Fail(Fault::kFireWithoutData, participant, participant, clock, peer.next, effects);
    }
  }
  Deliver(participant, clock, set_id, true, RuleParams{});
}

void KeeperPartition::OnCredit(uint32_t participant, Age absorbed, std::vector<KeeperEffect>* effects) {
  if (failed_) return;
  Peer& peer = peers_[participant];
  const bool owed = !peer.credit && !options_.participants[participant].mapped && peer.sent != kNoAge;
  const bool spent = !Broken(Mutant::kCreditNotSpent);  // when the mutant never spends one, none can be owed
  if (spent && (!owed || absorbed != peer.sent)) {
    return Fail(Fault::kCredit, participant, participant, absorbed, peer.sent, effects);
  }
  peer.credit = true;
  PublishTo(participant, effects);
}

void KeeperPartition::OnApplied(std::vector<KeeperEffect>* effects) {
  if (failed_ || !applying_) return;
  applying_ = false;
  if (options_.async) return OnAppliedAsync(effects);
  const Age told = age_;
  if (!Broken(Mutant::kAgeBeforeApplied)) RaiseAge();
  Advance(told, effects);
}

void KeeperPartition::OnSent(uint32_t participant, std::vector<KeeperEffect>* effects) {
  if (failed_) return;
  peers_[participant].sending = false;
  PublishTo(participant, effects);
  if (options_.async) return AdvanceAsync(effects);
  Advance(age_, effects);
}

const KeeperPartition::Delivery& KeeperPartition::delivery(uint32_t participant, Clock clock) const {
  return peers_[participant].slots[clock % num_slots_];
}

void KeeperPartition::Missing(std::vector<uint32_t>* ranks) const {
  if (options_.frozen || options_.async) return;
  for (size_t i = 0; i < peers_.size(); ++i) {
    // next_unfired never passes next: a clock is fired when it is delivered, or later.
    if (peers_[i].next_unfired <= age_ && !options_.participants[i].observer)
      ranks->push_back(options_.participants[i].rank);
  }
}

bool KeeperPartition::Known(const KeeperOptions::Participant& participant, uint32_t set_id) const {
  return set_id == kSetNothing || set_id < participant.has_data.size();
}

bool KeeperPartition::Complete() const {
  if (options_.frozen || num_awaited_ == 0) return false;
  if (Broken(Mutant::kFireNotAwaited)) {
    for (size_t i = 0; i < peers_.size(); ++i) {
      if (peers_[i].next <= age_ && !options_.participants[i].observer) return false;
    }
    return true;
  }
  size_t needed = num_awaited_;
  if (Broken(Mutant::kParticipantForgotten) && needed > 1) --needed;
  return pending_[age_ % num_slots_].num_ready >= needed;
}

void KeeperPartition::Deliver(uint32_t participant, Clock clock, uint32_t set_id, bool empty,
                              const RuleParams& params) {
  Peer& peer = peers_[participant];
  Delivery& delivered = SlotOf(peer, clock);
  delivered.delivered = true;
  delivered.fired = false;
  delivered.empty = empty;
  delivered.set_id = set_id;
  delivered.params = params;
  peer.next = clock + 1;
  if (options_.async) {
    arrivals_[(first_arrival_ + num_arrivals_++) % arrivals_.size()] = {participant, clock};
    return;
  }
  Pending& pending = PendingOf(clock);
  if (!empty && !pending.has_data) {
    pending.has_data = true;
    pending.first = participant;
  }
}

void KeeperPartition::MarkFired(uint32_t participant, Clock clock) {
  Peer& peer = peers_[participant];
  SlotOf(peer, clock).fired = true;
  ++PendingOf(clock).num_ready;
  // Marks that came with data may be ahead of those that come by FIRE.
  while (peer.next_unfired < peer.next && SlotOf(peer, peer.next_unfired).fired) ++peer.next_unfired;
}

// Takes every step that can be taken now: passes over clocks without data, tells the newest age, begins an apply.
// told: the age that subscribers have been told of, as far as they have credit.
void KeeperPartition::Advance(Age told, std::vector<KeeperEffect>* effects) {
  if (applying_) return;
  const bool carries = options_.num_versions > 1 && !Broken(Mutant::kEmptyNotCarried);
  while (!carries && Complete() && !PendingOf(age_).has_data) RaiseAge();
  if (age_ != told) Tell(effects);
  AnswerGets(effects);
  if (!Complete()) return;
  const uint32_t to = VersionBuffer(age_ + 1);
  if (BufferBusy(to) && !Broken(Mutant::kSendsNotAwaited)) return;
  KeeperEffect apply;
  apply.kind = Kind::kApply;
  apply.clock = age_;
  apply.from = VersionBuffer(age_);
  apply.to = to;
  applying_ = true;
  effects->push_back(apply);
  if (Broken(Mutant::kAgeBeforeApplied)) {
    RaiseAge();
    Tell(effects);
  }
}

void KeeperPartition::Tell(std::vector<KeeperEffect>* effects) {
  if (any_mapped_) StoreAge(effects);
  for (uint32_t i = 0; i < peers_.size(); ++i) PublishTo(i, effects);
}

// Clock age() is contained now: its slots are free for clock age() + W.
void KeeperPartition::RaiseAge() {
  if (PendingOf(age_).has_data) last_changed_ = age_ + 1;
  PendingOf(age_) = Pending{};
  for (Peer& peer : peers_) {
    SlotOf(peer, age_) = Delivery{};
    if (peer.next_unfired <= age_) peer.next_unfired = age_ + 1;  // only without R4
    if (peer.next <= age_) peer.next = age_ + 1;
  }
  ++age_;
}

bool KeeperPartition::BufferBusy(uint32_t buffer) const {
  for (const Peer& peer : peers_) {
    if (peer.sending && peer.sending_from == buffer) return true;
  }
  return answering_ && answering_from_ == buffer && !Broken(Mutant::kAnswersNotAwaited);
}

void KeeperPartition::OnGet(Age age, std::vector<KeeperEffect>* effects) {
  if (failed_) return;
  if (get_age_ == kNoAge || age < get_age_) get_age_ = age;
  AnswerGets(effects);
}

void KeeperPartition::OnAnswered(Age next, std::vector<KeeperEffect>* effects) {
  if (failed_ || !answering_) return;
  answering_ = false;
  // What waits to be applied comes first, then other GETs: neither can starve the other.
  get_age_ = kNoAge;
  options_.async ? AdvanceAsync(effects) : Advance(age_, effects);
  get_age_ = next;
  AnswerGets(effects);
}

void KeeperPartition::AnswerGets(std::vector<KeeperEffect>* effects) {
  const bool any_version = options_.frozen || options_.async || Broken(Mutant::kGetTooEarly);
  if (answering_ || get_age_ == kNoAge || (!any_version && age_ < get_age_)) return;
  if (!CanRead() && !Broken(Mutant::kAnswerWhileApplying)) return;
  KeeperEffect answer;
  answer.kind = Kind::kAnswer;
  answer.from = VersionBuffer(age_);
  answer.age = age_;
  answer.clock = any_version ? kNoAge : age_;
  if (options_.frozen) answer.flags = kFlagFrozen;
  get_age_ = kNoAge;
  answering_ = true;
  answering_from_ = answer.from;
  effects->push_back(answer);
}

void KeeperPartition::PublishTo(uint32_t participant, std::vector<KeeperEffect>* effects) {
  Peer& peer = peers_[participant];
  const KeeperOptions::Participant& options = options_.participants[participant];
  const bool nothing_new = options_.async ? !peer.due : peer.sent == age_;
  if (options.mapped || !peer.credit || peer.sending || nothing_new) return;
  // With one buffer the version is being overwritten; the next one goes out when it is done.
  if (!CanRead() && !Broken(Mutant::kPublishWhileApplying) && !Broken(Mutant::kAgeBeforeApplied)) return;
  KeeperEffect publish;
  publish.kind = Kind::kPublish;
  publish.participant = participant;
  publish.from = VersionBuffer(age_);
  publish.age = age_;
  if (options_.async)
    publish.own_clock = options.observer ? 0 : Broken(Mutant::kOwnClockOfArrivals) ? peer.next : peer.contained;
  const Age unchanged_since =
      Broken(Mutant::kUnchangedTooOften) && last_changed_ > 0 ? last_changed_ - 1 : last_changed_;
  if (!options.reads) {
    publish.flags |= kFlagHeaderOnly;
  } else if (peer.sent != kNoAge && peer.sent >= unchanged_since) {
    publish.flags |= kFlagUnchanged;
  }
  if (options_.frozen) publish.flags |= kFlagFrozen;
  peer.credit = Broken(Mutant::kCreditNotSpent);
  peer.sending = true;
  peer.sending_from = publish.from;
  peer.due = false;
  peer.sent = age_;
  effects->push_back(publish);
}

void KeeperPartition::StoreAge(std::vector<KeeperEffect>* effects) {
  KeeperEffect store;
  store.kind = Kind::kStoreAge;
  store.age = age_;
  if (options_.frozen) store.flags = kFlagFrozen;
  effects->push_back(store);
}

void KeeperPartition::Fail(Fault fault, uint32_t participant, uint32_t other, Clock got, Age expected,
                           std::vector<KeeperEffect>* effects) {
  failed_ = true;
  KeeperEffect failure;
  failure.kind = Kind::kFail;
  failure.fault = fault;
  failure.participant = participant;
  failure.other = other;
  failure.clock = got;
  failure.age = expected;
  effects->push_back(failure);
}

uint64_t KeeperPartition::StateDigest() const {
  uint64_t digest = MixDigest(age_, last_changed_);
  digest = MixDigest(digest, uint64_t{applying_} | uint64_t{failed_} << 1 | uint64_t{answering_} << 2 |
                                 uint64_t{answering_from_} << 3);
  digest = MixDigest(digest, get_age_);
  for (const Pending& pending : pending_) {
    digest = MixDigest(digest, uint64_t{pending.num_ready} << 1 | uint64_t{pending.has_data});
  }
  digest = MixDigest(digest, uint64_t{num_arrivals_} << 32 | batch_left_);
  for (size_t i = 0; i < num_arrivals_; ++i) {
    const Arrival& arrival = arrivals_[(first_arrival_ + i) % arrivals_.size()];
    digest = MixDigest(MixDigest(digest, arrival.participant), arrival.clock);
  }
  for (const Peer& peer : peers_) {
    digest = MixDigest(digest, peer.next);
    digest = MixDigest(digest, peer.contained << 1 | uint64_t{peer.due});
    digest = MixDigest(digest, peer.next_unfired);
    digest = MixDigest(digest, peer.fire_expected);
    digest = MixDigest(digest, peer.sent);
    digest = MixDigest(digest, uint64_t{peer.credit} | uint64_t{peer.sending} << 1 | uint64_t{peer.sending_from} << 2);
    for (const Delivery& slot : peer.slots) {
      digest = MixDigest(digest, uint64_t{slot.delivered} | uint64_t{slot.fired} << 1 | uint64_t{slot.empty} << 2 |
                                     uint64_t{slot.set_id} << 8);
    }
  }
  return digest;
}

}  // namespace geeps::protocol
