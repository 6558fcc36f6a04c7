// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/contributor.h"

#include <algorithm>

namespace geeps::protocol {

using Kind = ContributorEffect::Kind;

Contributor::Contributor(const ContributorOptions& options)
    : options_(options),
      num_entries_(NumLogEntries(options.slack_max)),
      next_fired_(options.first_clock),
      stored_fired_(options.first_clock),
      freed_(options.first_clock),
      entries_(num_entries_),
      lanes_(options.partitions.size()),
      keepers_(options.num_keepers) {
  for (Entry& entry : entries_) entry.needs_fire.resize(options.num_keepers);
  for (uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    lanes_[lane].next = options.first_clock;
    keepers_[options.partitions[lane].keeper].lanes.push_back(lane);
  }
  for (Keeper& keeper : keepers_) {
    keeper.next_fire = options.first_clock;
    if (!keeper.lanes.empty()) ++num_told_;
  }
}

void Contributor::OnData(Clock clock, uint32_t set_id, std::vector<ContributorEffect>* effects) {
  Entry& entry = entries_[clock % num_entries_];
  entry.used = true;
  entry.clock = clock;
  entry.set_id = set_id;
  entry.num_unsent = 0;
  entry.num_unfired = num_told_;
  std::fill(entry.needs_fire.begin(), entry.needs_fire.end(), 0);
  for (uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (HasData(lane, entry)) {
      ++entry.num_unsent;
    } else {
      entry.needs_fire[options_.partitions[lane].keeper] = 1;
    }
  }
  if (options_.mapped) return ProgressMapped(effects);
  // In sending order first, across the keepers.
  for (uint32_t lane = 0; lane < lanes_.size(); ++lane) SendFrom(lane, effects);
  for (uint32_t keeper = 0; keeper < keepers_.size(); ++keeper) Progress(keeper, effects);
}

void Contributor::OnFired(Clock clock, uint32_t /*set_id*/, std::vector<ContributorEffect>* effects) {
  next_fired_ = clock + 1;
  if (options_.mapped) {
    ProgressMapped(effects);
    return FreeMapped(effects);
  }
  for (uint32_t keeper = 0; keeper < keepers_.size(); ++keeper) Progress(keeper, effects);
  // Where nobody has to be told, the entry is done now.
  if (Entry* entry = DataOf(clock); entry != nullptr) FreeIfDone(entry, effects);
}

void Contributor::OnAge(uint32_t index, Age age, std::vector<ContributorEffect>* effects) {
  lanes_[index].absorbed = age;
  if (!options_.mapped) {
    Progress(options_.partitions[index].keeper, effects);
    if (!options_.read_my_writes) return;
    for (Entry& entry : entries_) FreeIfDone(&entry, effects);
    return;
  }
  ProgressMapped(effects);
  FreeMapped(effects);
}

void Contributor::OnSent(uint32_t index, Clock clock, std::vector<ContributorEffect>* effects) {
  Entry* entry = DataOf(clock);
  if (options_.mapped || index >= lanes_.size() || entry == nullptr || entry->num_unsent == 0) return;
  --entry->num_unsent;
  FreeIfDone(entry, effects);
}

bool Contributor::EntryFree(Clock clock) const {
  if (Broken(Mutant::kLogEntryNotAwaited)) return true;
  // In mapped memory a clock without data has an entry as well: its header.
  if (options_.mapped) return clock - options_.first_clock < num_entries_ || clock - num_entries_ < freed_;
  return !entries_[clock % num_entries_].used;
}

Contributor::EntriesInUse Contributor::CountEntries() const {
  EntriesInUse in_use;
  for (const Entry& entry : entries_) {
    if (entry.used) ++(entry.clock < next_fired_ ? in_use.fired : in_use.unfired);
  }
  return in_use;
}

Contributor::Entry* Contributor::DataOf(Clock clock) {
  Entry& entry = entries_[clock % num_entries_];
  return entry.used && entry.clock == clock ? &entry : nullptr;
}

bool Contributor::HasData(uint32_t lane, const Entry& entry) const {
  const std::vector<bool>& has_data = options_.partitions[lane].has_data;
  return entry.set_id < has_data.size() && has_data[entry.set_id];
}

// R2: the keeper has a landing slot for `clock` when clock - W is contained in what this worker has absorbed.
bool Contributor::GateOpen(uint32_t lane, Clock clock) const {
  const Age absorbed = lanes_[lane].absorbed;
  return absorbed != kNoAge && (absorbed >= clock || clock - absorbed <= options_.slack_max);
}

// Sends what may leave from the partition: data of clocks in order, behind the FIREs of clocks without data.
void Contributor::SendFrom(uint32_t index, std::vector<ContributorEffect>* effects) {
  Lane& lane = lanes_[index];
  while (true) {
    Entry* entry = DataOf(lane.next);
    if (entry == nullptr || !HasData(index, *entry)) return;
    if (!GateOpen(index, lane.next) && !Broken(Mutant::kPushGateOpen)) return;
    ContributorEffect send;
    send.kind = Kind::kSend;
    send.index = index;
    send.set_id = entry->set_id;
    send.clock = lane.next;
    send.fired = lane.next < next_fired_ || Broken(Mutant::kFiredMarkEarly);
    if (!send.fired) entry->needs_fire[options_.partitions[index].keeper] = 1;
    ++lane.next;
    effects->push_back(send);
  }
}

// Tells the keeper that its next clock is fired, if it may be told now and has not learned it from the data.
bool Contributor::FireAt(uint32_t index, std::vector<ContributorEffect>* effects) {
  Keeper& keeper = keepers_[index];
  const Clock clock = keeper.next_fire;
  if (clock >= next_fired_ || keeper.lanes.empty()) return false;
  Entry* entry = DataOf(clock);
  for (uint32_t lane : keeper.lanes) {
    const bool unsent = entry != nullptr && HasData(lane, *entry) && lanes_[lane].next <= clock;
    if (unsent && !Broken(Mutant::kFireOvertakesData)) return false;
    if (!GateOpen(lane, clock) && !Broken(Mutant::kFireGateOpen)) return false;
  }
  if (entry == nullptr || entry->needs_fire[index] != 0) {
    ContributorEffect fire;
    fire.kind = Kind::kFire;
    fire.index = index;
    fire.set_id = entry != nullptr ? entry->set_id : kSetNothing;
    fire.clock = clock;
    effects->push_back(fire);
  }
  ++keeper.next_fire;
  for (uint32_t lane : keeper.lanes) {
    const bool empty = entry == nullptr || !HasData(lane, *entry);
    if (empty) lanes_[lane].next = clock + 1;
  }
  if (entry != nullptr) {
    --entry->num_unfired;
    FreeIfDone(entry, effects);
  }
  return true;
}

void Contributor::Progress(uint32_t keeper, std::vector<ContributorEffect>* effects) {
  while (Broken(Mutant::kFireOvertakesData) && FireAt(keeper, effects)) {
  }
  do {
    for (uint32_t lane : keepers_[keeper].lanes) SendFrom(lane, effects);
  } while (FireAt(keeper, effects));
}

void Contributor::ProgressMapped(std::vector<ContributorEffect>* effects) {
  while (true) {
    const Clock clock = stored_fired_;
    const Entry* entry = DataOf(clock);
    const bool fired = clock < next_fired_ || (Broken(Mutant::kFiredMarkEarly) && entry != nullptr);
    if (!fired) return;
    for (uint32_t lane = 0; lane < lanes_.size(); ++lane) {
      if (!GateOpen(lane, clock) && !Broken(Mutant::kFireGateOpen)) return;
    }
    ContributorEffect store;
    store.kind = Kind::kStoreFired;
    store.set_id = entry != nullptr ? entry->set_id : kSetNothing;
    store.clock = clock;
    ++stored_fired_;
    effects->push_back(store);
  }
}

// Read-my-writes: no version will be absorbed any more to which the entry must be added again.
bool Contributor::IsContained(const Entry& entry) const {
  for (uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    const Age absorbed = lanes_[lane].absorbed;
    if (HasData(lane, entry) && (absorbed == kNoAge || absorbed <= entry.clock)) return false;
  }
  return true;
}

// R10 for messages: the data are out everywhere, and no FIRE needs their set id any more.
void Contributor::FreeIfDone(Entry* entry, std::vector<ContributorEffect>* effects) {
  if (!entry->used || entry->clock >= next_fired_ || entry->num_unsent > 0 || entry->num_unfired > 0) return;
  if (options_.read_my_writes && !IsContained(*entry) && !Broken(Mutant::kOwnEntryNotKept)) return;
  entry->used = false;
  ContributorEffect free;
  free.kind = Kind::kEntryFree;
  free.clock = entry->clock;
  effects->push_back(free);
}

// R10 for mapped memory: keepers read header and data of a clock until their age contains it.
void Contributor::FreeMapped(std::vector<ContributorEffect>* effects) {
  Age contained = next_fired_;
  for (const Lane& lane : lanes_) contained = std::min(contained, lane.absorbed == kNoAge ? freed_ : lane.absorbed);
  for (; freed_ < contained; ++freed_) {
    if (Entry* entry = DataOf(freed_); entry != nullptr) entry->used = false;
    ContributorEffect free;
    free.kind = Kind::kEntryFree;
    free.clock = freed_;
    effects->push_back(free);
  }
}

uint64_t Contributor::StateDigest() const {
  uint64_t digest = MixDigest(MixDigest(next_fired_, stored_fired_), freed_);
  for (const Entry& entry : entries_) {
    digest = MixDigest(digest, entry.used);
    if (!entry.used) continue;
    digest = MixDigest(digest, entry.clock);
    digest = MixDigest(digest, entry.set_id);
    digest = MixDigest(digest, uint64_t{entry.num_unsent} << 32 | entry.num_unfired);
    for (uint8_t needed : entry.needs_fire) digest = MixDigest(digest, needed);
  }
  for (const Lane& lane : lanes_) {
    digest = MixDigest(digest, lane.absorbed);
    digest = MixDigest(digest, lane.next);
  }
  for (const Keeper& keeper : keepers_) digest = MixDigest(digest, keeper.next_fire);
  return digest;
}

}  // namespace geeps::protocol
