// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/get.h"

#include <algorithm>
#include <utility>

namespace geeps::protocol {

bool WaitingGets::Add(const WaitingGet& get) {
  if (get.rank >= world_) return false;
  const auto of_rank = [&](const WaitingGet& other) { return other.rank == get.rank; };
  const auto num_waiting = std::count_if(gets_.begin(), gets_.end(), of_rank);
  if (num_waiting >= static_cast<ptrdiff_t>(kGetsInFlight) && !Broken(Mutant::kGetsUnbounded)) return false;
  gets_.push_back(get);
  return true;
}

void WaitingGets::Take(uint32_t partition, Age age, std::vector<WaitingGet>* out) {
  size_t kept = 0;
  for (size_t i = 0; i < gets_.size(); ++i) {
    const bool served = gets_[i].partition == partition && gets_[i].age <= age;
    if (served) {
      out->push_back(gets_[i]);
    } else {
      gets_[kept++] = gets_[i];
    }
  }
  gets_.resize(kept);
}

Age WaitingGets::Smallest(uint32_t partition) const {
  Age smallest = kNoAge;
  for (const WaitingGet& get : gets_) {
    if (get.partition == partition) smallest = std::min(smallest, get.age);
  }
  return Broken(Mutant::kGetsForgotten) ? kNoAge : smallest;
}

uint64_t WaitingGets::StateDigest() const {
  uint64_t digest = gets_.size();
  for (const WaitingGet& get : gets_) {
    digest = MixDigest(digest, uint64_t{get.rank} << 32 | get.partition);
    digest = MixDigest(MixDigest(digest, get.call), get.age);
    digest = MixDigest(digest, uint64_t{get.first_row} << 32 | get.num_rows);
  }
  return digest;
}

void Getter::Begin(uint64_t call, Age age, std::vector<GetPart> parts, Effects* effects) {
  idle_ = false;
  call_ = call;
  age_ = age;
  smallest_ = kNoAge;
  num_asked_ = 0;
  num_taken_ = 0;
  parts_ = std::move(parts);
  AskOn(effects);
}

// Asks for as many parts as there is room for; done when all are taken.
void Getter::AskOn(Effects* effects) {
  if (num_taken_ == parts_.size()) {
    idle_ = true;
    // Frozen partitions serve every clock.
    effects->push_back({GetterEffect::Kind::kDone, 0, smallest_ == kNoAge ? age_ : smallest_});
    return;
  }
  for (Ask& ask : asks_) {
    if (num_asked_ == parts_.size()) return;
    if (ask.used) continue;
    ask = {true, call_, num_asked_, parts_[num_asked_]};
    effects->push_back({GetterEffect::Kind::kAsk, num_asked_++, age_});
  }
}

bool Getter::OnGot(uint32_t rank, const Header& got, Effects* effects) {
  const auto fits = [&](const Ask& ask) {
    return ask.used && ask.call == got.call && ask.part.keeper == rank && ask.part.partition == got.partition &&
           ask.part.first_row == got.first_row && ask.part.num_rows == got.num_rows;
  };
  const auto ask = std::find_if(asks_.begin(), asks_.end(), fits);
  if (ask == asks_.end()) return false;
  const bool frozen = (got.flags & kFlagFrozen) != 0;
  const bool wanted = !idle_ && got.call == call_;
  if (got.clock == kNoAge || (wanted && !frozen && got.clock < age_ && !Broken(Mutant::kGotUnchecked))) return false;
  ask->used = false;
  if (wanted) {
    if (!frozen) smallest_ = std::min(smallest_, got.clock);
    ++num_taken_;
    effects->push_back({GetterEffect::Kind::kTake, ask->index, got.clock});
  }
  if (!idle_) AskOn(effects);
  return true;
}

bool Getter::OnEpoch() {
  if (Broken(Mutant::kGetNotAskedAgain)) return false;
  asks_.fill(Ask{});
  return !std::exchange(idle_, true);
}

uint64_t Getter::StateDigest() const {
  uint64_t digest = MixDigest(call_ << 1 | uint64_t{idle_}, age_);
  digest = MixDigest(MixDigest(digest, smallest_), uint64_t{num_asked_} << 32 | num_taken_);
  for (const Ask& ask : asks_) {
    digest = MixDigest(digest, ask.used ? ask.call << 1 | 1 : 0);
    if (ask.used) digest = MixDigest(digest, uint64_t{ask.part.partition} << 32 | ask.index);
  }
  return digest;
}

}  // namespace geeps::protocol
