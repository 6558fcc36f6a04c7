// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/set.h"

#include <algorithm>
#include <utility>

namespace geeps::protocol {

void SetExchange::Begin(std::vector<SetPart> parts, std::vector<uint32_t>* send) {
  parts_ = std::move(parts);
  SendOn(send);
}

void SetExchange::SendOn(std::vector<uint32_t>* send) {
  for (; next_ < parts_.size() && in_flight_.size() < kSetsInFlight; ++next_) {
    in_flight_.push_back(next_);
    send->push_back(next_);
  }
}

// A keeper acknowledges in the order in which it received.
bool SetExchange::OnAck(uint32_t rank, uint32_t partition, uint64_t call, std::vector<uint32_t>* send) {
  const auto of_keeper = [&](uint32_t index) { return parts_[index].keeper == rank; };
  const auto oldest = std::find_if(in_flight_.begin(), in_flight_.end(), of_keeper);
  if (oldest == in_flight_.end() || parts_[*oldest].partition != partition || parts_[*oldest].call != call) {
    return false;
  }
  in_flight_.erase(oldest);
  SendOn(send);
  return true;
}

bool SetExchange::CanEnter() const {
  if (Broken(Mutant::kAcksNotAwaited)) return true;
  return next_ == parts_.size() && in_flight_.empty();
}

bool SetExchange::OnSetMessage(const StagedSet& set) {
  uint64_t& last = last_of_rank_[set.rank];
  if (set.call < last) return false;
  last = set.call;
  staged_.push_back(set);
  if (Broken(Mutant::kSetForgetsState)) staged_.back().keep_state = false;
  return true;
}

std::vector<StagedSet> SetExchange::OnGo() {
  std::vector<StagedSet> sets = std::move(staged_);
  // The runs of one call do not overlap.
  if (!Broken(Mutant::kSetsByArrival)) {
    std::stable_sort(sets.begin(), sets.end(), [](const StagedSet& a, const StagedSet& b) {
      return std::pair(a.rank, a.call) < std::pair(b.rank, b.call);
    });
  }
  done_ = std::max(done_, offered_);
  staged_.clear();
  EndExchange();
  return sets;
}

void SetExchange::OnFail() {
  if (Broken(Mutant::kSetsLostAtFail)) done_ = std::max(done_, offered_);
  if (!Broken(Mutant::kStagedKeptAtFail)) staged_.clear();
  EndExchange();
}

void SetExchange::EndExchange() {
  parts_.clear();
  in_flight_.clear();
  next_ = 0;
  last_of_rank_.clear();
}

uint64_t SetExchange::StateDigest() const {
  uint64_t digest = MixDigest(MixDigest(last_call_, done_), offered_);
  digest = MixDigest(digest, uint64_t{next_} << 32 | parts_.size());
  for (uint32_t index : in_flight_) digest = MixDigest(digest, index);
  for (const StagedSet& set : staged_) {
    digest = MixDigest(MixDigest(digest, set.call), uint64_t{set.rank} << 32 | set.partition);
    digest = MixDigest(digest, uint64_t{set.first_row} << 32 | set.num_rows);
  }
  return digest;
}

}  // namespace geeps::protocol
