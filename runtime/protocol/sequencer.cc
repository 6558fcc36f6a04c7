// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/sequencer.h"

#include <algorithm>
#include <cassert>

#include "runtime/protocol/mutants.h"

namespace geeps::protocol {

Sequencer::Sequencer(SequencerOptions options, std::vector<SequencerTable> tables)
    : options_(std::move(options)), tables_(std::move(tables)), clock_(options_.first_clock) {
  table_states_.resize(options_.num_tables);
  tables_.resize(options_.num_tables);
  for (uint32_t t = 0; t < options_.num_tables; ++t) {
    Table& table = table_states_[t];
    table.next_fire = clock_;
    table.firings.resize(4);  // the current clock, the next one, and one whose drains are late
    if (tables_[t].contributor != nullptr) table.data_clocks.resize(tables_[t].contributor->num_entries());
    if (tables_[t].subscribers != nullptr)
      table.num_subscriptions = static_cast<uint32_t>(tables_[t].subscribers->size());
    table.first_list = static_cast<uint32_t>(lists_.size());
    lists_.resize(lists_.size() + 4 + table.num_subscriptions);
    table.cache_uses.resize(table.num_subscriptions);
  }
  for (uint32_t plan = 0; plan < options_.plans.size(); ++plan) {
    first_slot_.push_back(slots_.size());
    std::vector<Work> work(options_.num_tables);
    const std::vector<SequencerOptions::Op>& ops = options_.plans[plan].ops;
    for (uint32_t i = 0; i < ops.size(); ++i) {
      Slot slot;
      slot.plan = plan;
      slot.op = i;
      slots_.push_back(slot);
      if (ops[i].is_local) continue;
      ++work[ops[i].table].holds;
      if (ops[i].is_update) ++work[ops[i].table].updates;
      if (IsCopiedRead(ops[i])) ++work[ops[i].table].copied_reads;
    }
    work_.push_back(std::move(work));
  }
}

// --- passes ---

void Sequencer::OnPassBegin(uint32_t set_id, Effects* effects) {
  assert(!in_pass_ && set_id < options_.plans.size());
  const bool expected = next_.plan == set_id;
  if (!expected) {
    DropPrepared();
    next_ = {pass_ + 1, set_id, clock_};
    BeginFirings(next_);
  }
  in_pass_ = true;
  pass_ = next_.number;
  current_ = next_;
  next_ = {pass_ + 1, set_id, clock_ + (EndsWithClock(set_id) ? 1 : 0)};
  BeginFirings(next_);
  if (!expected) AssignAll(set_id, effects);
  // Reads that were filled ahead may have been all that held a table.
  for (uint32_t t = 0; t < options_.num_tables; ++t) Fire(t, effects);
}

void Sequencer::OnPassEnd(uint32_t expected, Effects* effects) {
  assert(in_pass_);
  in_pass_ = false;
  if (EndsWithClock(current_.plan)) ++clock_;
  for (uint32_t t = 0; t < options_.num_tables; ++t) Fire(t, effects);
  if (expected == next_.plan) return;
  Expect(expected);
  if (expected != kNoPlan) AssignAll(expected, effects);
}

bool Sequencer::Discard() {
  assert(!in_pass_);
  Expect(kNoPlan);
  return num_discarded_ == 0 && num_answers_due_ == 0;
}

void Sequencer::Resume(Clock clock, uint32_t expected, Effects* effects) {
  assert(!in_pass_);
  clock_ = clock;
  for (Table& table : table_states_) table.next_fire = clock;
  Expect(expected);
  if (expected != kNoPlan) AssignAll(expected, effects);
}

// From now on the pass after this one is prepared for `plan`.
void Sequencer::Expect(uint32_t plan) {
  DropPrepared();
  next_ = {pass_ + 1, plan, clock_};
  BeginFirings(next_);
}

void Sequencer::BeginFirings(const Pass& pass) {
  if (!EndsWithClock(pass.plan)) return;
  for (uint32_t t = 0; t < options_.num_tables; ++t) {
    Table& table = table_states_[t];
    const size_t size = table.firings.size();
    if (pass.clock - table.next_fire >= size) {
      std::vector<Firing> grown(2 * size);
      for (Clock clock = table.next_fire; clock < pass.clock; ++clock)
        grown[clock & (2 * size - 1)] = FiringOf(table, clock);
      table.firings = std::move(grown);
    }
    const Work& work = work_[pass.plan][t];
    Firing firing;
    firing.plan = pass.plan;
    firing.pass = pass.number;
    firing.holds = work.holds - (Broken(Mutant::kFireIgnoresFill) ? work.copied_reads : 0);
    firing.updates = work.updates;
    FiringOf(table, pass.clock) = firing;
  }
}

// A wrong guess, or a fence: what serves the pass after this one serves none.
void Sequencer::DropPrepared() {
  if (next_.plan == kNoPlan) return;
  const size_t num_ops = options_.plans[next_.plan].ops.size();
  for (size_t i = 0; i < num_ops; ++i) {
    Slot& slot = slots_[first_slot_[next_.plan] + i];
    if (slot.pass == next_.number) DropPrepared(slot);
  }
  next_.plan = kNoPlan;
}

void Sequencer::DropPrepared(Slot& slot) {
  if (slot.hold_ended == slot.pass) slot.hold_ended = 0;
  switch (slot.state) {
    case State::kReady:
      if (Broken(Mutant::kStalePrefetch)) return;
      [[fallthrough]];
    case State::kWaiting:
      Unwatch(slot);
      slot.state = State::kIdle;
      break;
    case State::kFilling:
      DiscardFill(slot);
      break;
    case State::kTakingBack:
      slot.state = State::kParked;
      break;
    case State::kIdle:
    case State::kTaken:
    case State::kPosted:
    case State::kDraining:
    case State::kParked:
      break;
  }
}

void Sequencer::AssignAll(uint32_t plan, Effects* effects) {
  const size_t num_ops = options_.plans[plan].ops.size();
  const Pass& pass = in_pass_ ? current_ : next_;
  for (size_t i = 0; i < num_ops; ++i) {
    Slot& slot = slots_[first_slot_[plan] + i];
    if (slot.state == State::kIdle) Free(slot, effects);
    if (slot.state == State::kReady && slot.pass != pass.number && Broken(Mutant::kStalePrefetch)) {
      slot.pass = pass.number;
      slot.clock = pass.clock;
      MakeReady(slot, effects);
    }
  }
}

// The slot serves nobody any more: the next pass that needs it gets it, the current one unless its operation is over.
void Sequencer::Free(Slot& slot, Effects* effects) {
  if (OpOf(slot).is_local) return;
  slot.state = slot.answer_due ? State::kParked : State::kIdle;
  if (slot.answer_due) return;
  if (in_pass_ && slot.plan == current_.plan && slot.over != pass_) {
    Assign(slot, current_, effects);
  } else if (slot.plan == next_.plan) {
    Assign(slot, next_, effects);
  }
}

// --- the program ---

Sequencer::Slot* Sequencer::CurrentSlot(uint32_t op) {
  assert(in_pass_ && op < options_.plans[current_.plan].ops.size());
  return &SlotOf(current_.plan, op);
}

void Sequencer::OnTaken(uint32_t op, Effects* effects) {
  Slot& slot = *CurrentSlot(op);
  assert(slot.pass == pass_);
  if (slot.state != State::kReady && slot.state != State::kTakingBack && slot.state != State::kTaken) return;
  Unwatch(slot);
  slot.state = State::kTaken;
  EndHold(slot, current_);
  slot.hold_ended = pass_;
  Fire(OpOf(slot).table, effects);
}

void Sequencer::OnPosted(uint32_t op, Effects* effects) {
  Slot& slot = *CurrentSlot(op);
  const SequencerOptions::Op& what = OpOf(slot);
  if (what.is_local) return;
  assert(slot.pass == pass_ &&
         (slot.state == State::kReady || slot.state == State::kTakingBack || slot.state == State::kTaken));
  slot.over = pass_;
  Unwatch(slot);
  Firing& firing = FiringOf(table_states_[what.table], current_.clock);
  if (what.is_update && what.read_my_writes && (!what.in_place || IsAddedToCache(what))) {
    Post(slot, effects);
  } else if (what.is_update && !what.in_place) {
    slot.state = State::kDraining;
    if (Broken(Mutant::kDataBeforeDrained)) --firing.updates;
    Emit(SequencerEffect::Kind::kDrain, slot, effects);
  } else {
    if (what.is_update) --firing.updates;
    EndHold(slot, current_);
    slot.hold_ended = pass_;
    Free(slot, effects);
    RetryOwn(slot, effects);
  }
  Fire(what.table, effects);
}

void Sequencer::OnSkipped(uint32_t op, Effects* effects) {
  Slot& slot = *CurrentSlot(op);
  const SequencerOptions::Op& what = OpOf(slot);
  if (what.is_local) return;
  slot.over = pass_;
  if (what.is_update) {
    Firing& firing = FiringOf(table_states_[what.table], current_.clock);
    --firing.updates;
    ++firing.skipped;
  }
  if (!Broken(Mutant::kSkipNotCounted)) EndHold(slot, current_);
  // A slot that still serves an earlier pass, or a fill that nobody wants, goes on as before.
  if (slot.pass == pass_ && slot.state != State::kDraining && !slot.discard) {
    slot.hold_ended = pass_;
    Unwatch(slot);
    if (slot.state == State::kFilling) {
      DiscardFill(slot);
    } else {
      Free(slot, effects);
    }
  }
  RetryOwn(slot, effects);
  Fire(what.table, effects);
}

// --- the movers ---

void Sequencer::OnFillDone(uint32_t set_id, uint32_t op, Effects* effects) {
  Slot& slot = SlotOf(set_id, op);
  assert(slot.state == State::kFilling);
  const SequencerOptions::Op& what = OpOf(slot);
  CountFill(slot, false);
  if (slot.discard) {
    slot.discard = false;
    --num_discarded_;
    Table& table = table_states_[what.table];
    --table.discarded_fills;
    if (what.is_update && what.in_place) --table.discarded_zeroings;
    Free(slot, effects);
    if (what.is_update && what.in_place) RetryUpdates(what.table, effects);
  } else {
    MakeReady(slot, effects);
  }
  AddPosted(what.table, effects);
  Fire(what.table, effects);
}

void Sequencer::OnTakenBack(uint32_t set_id, uint32_t op, bool taken_back, Effects* effects) {
  Slot& slot = SlotOf(set_id, op);
  if (!slot.answer_due) return;
  slot.answer_due = false;
  --num_answers_due_;
  if (slot.state == State::kParked) {
    Free(slot, effects);
  } else if (slot.state == State::kTakingBack) {
    slot.state = taken_back ? State::kWaiting : State::kTaken;
    if (taken_back) Prepare(slot, effects);
  }
}

void Sequencer::OnDrained(uint32_t set_id, uint32_t op, Effects* effects) {
  Slot& slot = SlotOf(set_id, op);
  assert(slot.state == State::kDraining);
  const uint32_t table = OpOf(slot).table;
  if (!Broken(Mutant::kDataBeforeDrained)) --FiringOf(table_states_[table], slot.clock).updates;
  EndHold(slot, PassOf(slot));
  slot.hold_ended = slot.pass;
  EndAdd(slot);
  Free(slot, effects);
  AddPosted(table, effects);
  RetryOwn(slot, effects);
  Fire(table, effects);
}

void Sequencer::OnAge(uint32_t table, uint32_t subscription, Effects* effects) {
  if (subscription >= table_states_[table].num_subscriptions) return;
  AddPosted(table, effects);
  RetryList(table_states_[table].first_list + 2 + subscription, effects);
}

void Sequencer::OnEntryFree(uint32_t table, Effects* effects) { RetryUpdates(table, effects); }

// --- R1 ---

void Sequencer::DiscardFill(Slot& slot) {
  if (slot.discard) return;
  const SequencerOptions::Op& what = OpOf(slot);
  slot.discard = true;
  ++num_discarded_;
  ++table_states_[what.table].discarded_fills;
  if (what.is_update && what.in_place) ++table_states_[what.table].discarded_zeroings;
}

// A hold ends once a pass: the caller sets hold_ended where the slot serves that pass.
void Sequencer::EndHold(const Slot& slot, const Pass& pass) {
  if (slot.hold_ended == pass.number || !EndsWithClock(pass.plan)) return;
  const SequencerOptions::Op& what = OpOf(slot);
  if (Broken(Mutant::kFireIgnoresFill) && IsCopiedRead(what)) return;
  Firing& firing = FiringOf(table_states_[what.table], pass.clock);
  assert(firing.holds > 0);
  --firing.holds;
}

void Sequencer::Fire(uint32_t table_index, Effects* effects) {
  Table& table = table_states_[table_index];
  bool fired = false;
  for (;;) {
    const Clock clock = table.next_fire;
    const bool over = clock < clock_;
    const bool begun = in_pass_ && clock == clock_ && EndsWithClock(current_.plan);
    if (!over && !begun) break;
    Firing& firing = FiringOf(table, clock);
    const Work& work = work_[firing.plan][table_index];
    SequencerEffect effect;
    effect.set_id = firing.plan;
    effect.table = table_index;
    effect.pass = firing.pass;
    effect.clock = clock;
    if (!firing.data && work.updates > 0 && firing.updates == 0 && firing.skipped < work.updates) {
      firing.data = true;
      if (!table.data_clocks.empty()) table.data_clocks[clock % table.data_clocks.size()] = clock + 1;
      effect.kind = SequencerEffect::Kind::kData;
      effects->push_back(effect);
    }
    const bool early = Broken(Mutant::kFireAtLastUpdate) && work.updates > 0 && firing.updates == 0;
    const bool held = firing.holds > 0 || (!over && work.holds == 0);
    const bool discarding = table.discarded_fills > 0 && !Broken(Mutant::kFireIgnoresDiscarded);
    if (!early && (held || discarding)) break;
    effect.kind = SequencerEffect::Kind::kFire;
    effects->push_back(effect);
    ++table.next_fire;
    fired = true;
  }
  // An entry may be free now without anybody saying so: nothing was ever put into it.
  if (fired) RetryUpdates(table_index, effects);
}

uint64_t Sequencer::StateDigest() const {
  uint64_t digest = MixDigest(MixDigest(clock_, pass_), uint64_t{in_pass_} | uint64_t{next_.plan} << 1);
  digest = MixDigest(digest, in_pass_ ? current_.plan : kNoPlan);
  for (uint32_t t = 0; t < options_.num_tables; ++t) {
    const Table& table = table_states_[t];
    digest = MixDigest(digest, table.next_fire);
    digest = MixDigest(digest, table.discarded_fills | uint64_t{table.discarded_zeroings} << 32);
    const Clock end = next_.plan != kNoPlan && EndsWithClock(next_.plan) ? next_.clock + 1 : clock_;
    for (Clock clock = table.next_fire; clock < end; ++clock) {
      const Firing& firing = table.firings[clock & (table.firings.size() - 1)];
      digest = MixDigest(digest, firing.holds | uint64_t{firing.updates} << 32);
      digest = MixDigest(digest, firing.skipped | uint64_t{firing.data} << 32 | uint64_t{firing.plan} << 33);
    }
    for (Clock data : table.data_clocks) digest = MixDigest(digest, data);
  }
  for (const Slot& slot : slots_) {
    digest = MixDigest(
        digest, static_cast<uint64_t>(slot.state) | uint64_t{slot.discard} << 8 | uint64_t{slot.answer_due} << 9);
    digest = MixDigest(digest, slot.pass);
    digest = MixDigest(digest, slot.over);
    digest = MixDigest(digest, slot.hold_ended);
    digest = MixDigest(digest, slot.filled_age);
    digest = MixDigest(digest, slot.list | uint64_t{slot.after} << 32);
  }
  return digest;
}

}  // namespace geeps::protocol
