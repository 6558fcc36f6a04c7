// SPDX-License-Identifier: Apache-2.0
// The keeper of an async table (docs/protocol.md, section 5). What has arrived is taken in batches: a batch is all that
// is there when it begins, and is applied one contribution after another, each a step of the rule with its own
// parameters. Then who sent something, and every observer, gets the newest values, and the next batch gathers while
// these sends run, since there is one buffer and an apply waits for the sends out of it. EMPTY changes nothing and is
// answered like data.
#include "runtime/protocol/keeper.h"

namespace geeps::protocol {

using Fault = KeeperEffect::Fault;
using Kind = KeeperEffect::Kind;

// The mark tells nothing that data of its clock have not told: they were applied when they came.
void KeeperPartition::OnFireAsync(uint32_t participant, Clock clock, uint32_t set_id,
                                  std::vector<KeeperEffect>* effects) {
  Peer& peer = peers_[participant];
  if (clock < peer.fire_expected || clock > peer.next) {
    return Fail(Fault::kClock, participant, participant, clock, peer.next, effects);
  }
  peer.fire_expected = clock + 1;
  if (clock == peer.next) {
    DeliverFire(participant, clock, set_id, effects);
    if (failed_) return;
    return AdvanceAsync(effects);
  }
  // What was applied is forgotten, and nothing is left to compare with.
  const bool known = clock >= peer.contained && !Broken(Mutant::kSetUnchecked);
  if (known && set_id != SlotOf(peer, clock).set_id) {
    return Fail(Fault::kSetId, participant, participant, clock, set_id, effects);
  }
}

bool KeeperPartition::ObserversDone() const {
  if (!options_.async || options_.frozen || Broken(Mutant::kObserversNotAwaited)) return true;
  for (size_t i = 0; i < peers_.size(); ++i) {
    if (options_.participants[i].observer && !peers_[i].credit) return false;
  }
  return true;
}

void KeeperPartition::OnAppliedAsync(std::vector<KeeperEffect>* effects) {
  ++age_;
  last_changed_ = age_;
  for (size_t i = 0; i < peers_.size(); ++i) {
    if (options_.participants[i].observer && !Broken(Mutant::kObserverNotTold)) peers_[i].due = true;
  }
  TakeFront();
  AdvanceAsync(effects);
}

void KeeperPartition::AdvanceAsync(std::vector<KeeperEffect>* effects) {
  if (applying_) return;
  while (num_arrivals_ > 0 && FrontIsEmpty()) TakeFront();
  if (batch_left_ == 0) Answer(effects);
  AnswerGets(effects);
  if (num_arrivals_ == 0) return;
  if (BufferBusy(0) && !Broken(Mutant::kAsyncSendsNotAwaited)) return;
  if (batch_left_ == 0) batch_left_ = num_arrivals_;
  const Arrival& front = arrivals_[first_arrival_];
  KeeperEffect apply;
  apply.kind = Kind::kApply;
  apply.alone = true;
  apply.participant = front.participant;
  apply.clock = front.clock;
  applying_ = true;
  effects->push_back(apply);
}

bool KeeperPartition::FrontIsEmpty() {
  const Arrival& front = arrivals_[first_arrival_];
  return SlotOf(peers_[front.participant], front.clock).empty;
}

// The oldest arrival is contained: its landing slot is free for its clock + W, and its sender is owed an answer.
void KeeperPartition::TakeFront() {
  const Arrival front = arrivals_[first_arrival_];
  Peer& peer = peers_[front.participant];
  SlotOf(peer, front.clock) = Delivery{};
  peer.contained = front.clock + 1;
  peer.due = true;
  if (Broken(Mutant::kAsyncAnswersAll)) {
    for (Peer& other : peers_) other.due = true;
  }
  first_arrival_ = (first_arrival_ + 1) % arrivals_.size();
  --num_arrivals_;
  if (batch_left_ > 0) --batch_left_;
}

void KeeperPartition::Answer(std::vector<KeeperEffect>* effects) {
  for (uint32_t i = 0; i < peers_.size(); ++i) PublishTo(i, effects);
}

}  // namespace geeps::protocol
