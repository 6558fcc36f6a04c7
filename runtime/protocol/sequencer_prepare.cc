// SPDX-License-Identifier: Apache-2.0
// The part of the sequencer that finds out when an operation is ready: R8 for reads, R10 for updates, and the filling
// again of reads with slack, or which any version serves. A slot that cannot go on waits in the list of the one thing
// that is missing: a subscription, or the log entry of its clock.
#include <algorithm>

#include "runtime/protocol/mutants.h"
#include "runtime/protocol/sequencer.h"

namespace geeps::protocol {

void Sequencer::Assign(Slot& slot, const Pass& pass, Effects* effects) {
  slot.state = State::kWaiting;
  slot.pass = pass.number;
  slot.clock = pass.clock;
  slot.cursor = 0;
  Prepare(slot, effects);
}

void Sequencer::Prepare(Slot& slot, Effects* effects) {
  if (OpOf(slot).is_update) {
    PrepareUpdate(slot, effects);
  } else {
    PrepareRead(slot, effects);
  }
}

void Sequencer::PrepareUpdate(Slot& slot, Effects* effects) {
  const SequencerOptions::Op& what = OpOf(slot);
  if (!EntryFree(what.table, slot.clock)) {
    Watch(slot, table_states_[what.table].first_list + static_cast<uint32_t>(slot.clock % 2));
    return;
  }
  Unwatch(slot);
  if (what.zeroed) {
    slot.state = State::kFilling;
    Emit(SequencerEffect::Kind::kFill, slot, effects);
  } else {
    MakeReady(slot, effects);
  }
}

void Sequencer::PrepareRead(Slot& slot, Effects* effects) {
  const SequencerOptions::Op& what = OpOf(slot);
  const std::vector<SubscriberPartition>* subscribers = tables_[what.table].subscribers;
  while (slot.cursor < what.subscriptions.size()) {
    const uint32_t subscription = what.subscriptions[slot.cursor];
    if (!(*subscribers)[subscription].Serves(slot.clock, what.slack) && !Broken(Mutant::kReadIgnoresAge)) {
      Watch(slot, ListOf(slot, subscription));
      return;
    }
    ++slot.cursor;
  }
  if (what.read_my_writes && !OwnUpdatesAdded(slot)) {
    Watch(slot, table_states_[what.table].own_reads_list());
    return;
  }
  if (what.in_place) {
    MakeReady(slot, effects);
    return;
  }
  const uint32_t busy = FirstUnfillable(slot);
  if (busy != kNone) {
    Watch(slot, ListOf(slot, busy));
    return;
  }
  Unwatch(slot);
  slot.filled_age = kNoAge;
  for (uint32_t subscription : what.subscriptions) {
    const SubscriberPartition& subscriber = (*subscribers)[subscription];
    if (!subscriber.frozen()) slot.filled_age = std::min(slot.filled_age, subscriber.absorbed());
  }
  slot.state = State::kFilling;
  CountFill(slot, true);
  Emit(SequencerEffect::Kind::kFill, slot, effects);
}

void Sequencer::MakeReady(Slot& slot, Effects* effects) {
  const SequencerOptions::Op& what = OpOf(slot);
  Unwatch(slot);
  slot.state = State::kReady;
  Emit(SequencerEffect::Kind::kReady, slot, effects);
  if (!IsCopiedRead(what)) return;
  if (IsRefilled(what)) {
    Refill(slot, effects);
  } else {
    EndHold(slot, PassOf(slot));
    slot.hold_ended = slot.pass;
  }
}

// A ready read that may be filled again waits for the subscription that it was filled from at the smallest age: a read
// is only as fresh as its oldest partition, and is not filled again for each of many.
void Sequencer::Refill(Slot& slot, Effects* effects) {
  if (slot.filled_age == kNoAge) return;
  const SequencerOptions::Op& what = OpOf(slot);
  for (uint32_t subscription : what.subscriptions) {
    const SubscriberPartition& subscriber = (*tables_[what.table].subscribers)[subscription];
    if (subscriber.frozen() || subscriber.absorbed() > slot.filled_age) continue;
    Watch(slot, ListOf(slot, subscription));
    return;
  }
  const uint32_t busy = FirstUnfillable(slot);
  if (busy != kNone) {
    Watch(slot, ListOf(slot, busy));
    return;
  }
  Unwatch(slot);
  slot.state = State::kTakingBack;
  slot.answer_due = true;
  ++num_answers_due_;
  Emit(SequencerEffect::Kind::kUnready, slot, effects);
}

uint32_t Sequencer::FirstUnfillable(const Slot& slot) const {
  const SequencerOptions::Op& what = OpOf(slot);
  if (Broken(Mutant::kReadIgnoresWriter)) return kNone;
  for (uint32_t subscription : what.subscriptions) {
    if (!(*tables_[what.table].subscribers)[subscription].CanFill()) return subscription;
  }
  return kNone;
}

// R10. The contributor hears of data and fires only after the step that decided them. Until then it cannot be asked
// about `clock`, but what was in the entry before is known by a clock that it knows, and what this step has put there
// is noted here.
bool Sequencer::EntryFree(uint32_t table_index, Clock clock) const {
  const Table& table = table_states_[table_index];
  const Contributor* contributor = tables_[table_index].contributor;
  if (Broken(Mutant::kPreUpdateIgnoresLog)) return true;
  if (table.discarded_zeroings > 0) return false;
  if (contributor == nullptr) return true;
  const uint32_t num_entries = contributor->num_entries();
  const Clock fired = contributor->fired();
  if (clock < fired + num_entries) return contributor->EntryFree(clock);
  // In mapped memory every clock gives its entry back, so kEntryFree follows.
  if (clock >= table.next_fire + num_entries || contributor->options().mapped) return false;
  if (table.data_clocks[clock % num_entries] > fired) return false;
  return contributor->EntryFree(fired + (clock - fired) % num_entries);
}

// All updates in a list have one clock.
void Sequencer::RetryUpdates(uint32_t table_index, Effects* effects) {
  for (uint32_t parity = 0; parity < 2; ++parity) {
    const uint32_t list = table_states_[table_index].first_list + parity;
    if (lists_[list].first != kNone && EntryFree(table_index, slots_[lists_[list].first].clock))
      RetryList(list, effects);
  }
}

void Sequencer::RetryList(uint32_t list, Effects* effects) {
  // Those that must wait on go to the end of a list, maybe of this one: so up to the last one there is now.
  const uint32_t last = lists_[list].last;
  uint32_t index = lists_[list].first;
  while (index != kNone) {
    Slot& slot = slots_[index];
    const uint32_t after = slot.after;
    Unwatch(slot);
    if (slot.state == State::kReady) {
      Refill(slot, effects);
    } else {
      Prepare(slot, effects);
    }
    if (index == last) break;
    index = after;
  }
}

void Sequencer::Watch(Slot& slot, uint32_t list_index) {
  Unwatch(slot);
  List& list = lists_[list_index];
  const uint32_t index = static_cast<uint32_t>(&slot - slots_.data());
  slot.list = list_index;
  slot.before = list.last;
  slot.after = kNone;
  if (list.last == kNone) {
    list.first = index;
  } else {
    slots_[list.last].after = index;
  }
  list.last = index;
}

void Sequencer::Unwatch(Slot& slot) {
  if (slot.list == kNone) return;
  List& list = lists_[slot.list];
  if (slot.before == kNone) {
    list.first = slot.after;
  } else {
    slots_[slot.before].after = slot.after;
  }
  if (slot.after == kNone) {
    list.last = slot.before;
  } else {
    slots_[slot.after].before = slot.before;
  }
  slot.list = slot.before = slot.after = kNone;
}

uint32_t Sequencer::ListOf(const Slot& slot, uint32_t subscription) const {
  return table_states_[OpOf(slot).table].first_list + 2 + subscription;
}

void Sequencer::Emit(SequencerEffect::Kind kind, const Slot& slot, Effects* effects) const {
  SequencerEffect effect;
  effect.kind = kind;
  effect.set_id = slot.plan;
  effect.op = slot.op;
  effect.table = OpOf(slot).table;
  effect.pass = slot.pass;
  effect.clock = slot.clock;
  effects->push_back(effect);
}

}  // namespace geeps::protocol
