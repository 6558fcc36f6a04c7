// SPDX-License-Identifier: Apache-2.0
// The part of the sequencer for read-my-writes: when an own update is added to the cache (R7), and which own updates a
// read waits for (R8). A posted update is drained and added in one step, which begins when no fill reads its parts of
// the cache, no version is written to them, and no other update is added to them; updates of a table begin in the order
// in which they were posted. A fill may begin while an update waits or is added: of the rows that it reads, all updates
// before it are in the cache, and none comes after it before it is handed out.
#include "runtime/protocol/mutants.h"
#include "runtime/protocol/sequencer.h"

namespace geeps::protocol {

// All own updates of the slot's rows that come before it in the program lie in the cache: those of earlier passes, of
// which any row counts, and those of its own pass.
bool Sequencer::OwnUpdatesAdded(const Slot& slot) const {
  if (Broken(Mutant::kReadIgnoresOwn)) return true;
  const SequencerOptions::Op& what = OpOf(slot);
  const Table& table = table_states_[what.table];
  for (Clock clock = table.next_fire; clock < slot.clock; ++clock) {
    if (table.firings[clock & (table.firings.size() - 1)].updates > 0) return false;
  }
  for (uint32_t op : what.own_updates) {
    const Slot& update = slots_[first_slot_[slot.plan] + op];
    const bool waits = update.state == State::kPosted || update.state == State::kDraining;
    if (update.over < slot.pass || (waits && update.pass == slot.pass)) return false;
  }
  return true;
}

void Sequencer::CountFill(const Slot& slot, bool begun) {
  const SequencerOptions::Op& what = OpOf(slot);
  if (what.is_update || !what.read_my_writes) return;
  for (uint32_t subscription : what.subscriptions) {
    CacheUse& use = table_states_[what.table].cache_uses[subscription];
    if (begun) {
      ++use.fills;
    } else {
      --use.fills;
    }
  }
}

void Sequencer::Post(Slot& slot, Effects* effects) {
  const uint32_t table = OpOf(slot).table;
  slot.state = State::kPosted;
  Watch(slot, table_states_[table].posted_list());
  AddPosted(table, effects);
}

// Begins with what was posted first, as long as nobody uses its parts of the cache.
void Sequencer::AddPosted(uint32_t table_index, Effects* effects) {
  Table& table = table_states_[table_index];
  while (lists_[table.posted_list()].first != kNone) {
    Slot& slot = slots_[lists_[table.posted_list()].first];
    const SequencerOptions::Op& what = OpOf(slot);
    for (uint32_t subscription : what.subscriptions) {
      const CacheUse& use = table.cache_uses[subscription];
      if (use.adding || !(*tables_[table_index].subscribers)[subscription].CanAdd()) return;
      if (use.fills > 0 && !Broken(Mutant::kAddWhileFilling)) return;
    }
    Unwatch(slot);
    for (uint32_t subscription : what.subscriptions) table.cache_uses[subscription].adding = true;
    slot.state = State::kDraining;
    Emit(SequencerEffect::Kind::kDrain, slot, effects);
  }
}

void Sequencer::EndAdd(const Slot& slot) {
  const SequencerOptions::Op& what = OpOf(slot);
  if (!what.read_my_writes) return;
  for (uint32_t subscription : what.subscriptions) table_states_[what.table].cache_uses[subscription].adding = false;
}

// An own update is over: reads may have waited for it.
void Sequencer::RetryOwn(const Slot& slot, Effects* effects) {
  const SequencerOptions::Op& what = OpOf(slot);
  if (what.is_update && what.read_my_writes) RetryList(table_states_[what.table].own_reads_list(), effects);
}

}  // namespace geeps::protocol
