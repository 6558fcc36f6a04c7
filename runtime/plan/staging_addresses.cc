// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/staging_addresses.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/plan/packing.h"
#include "runtime/plan/staging_parts.h"

namespace geeps::plan {
namespace {

// Plans with less and less of the budget until the addresses fit.
constexpr uint32_t kTries = 8;

uint64_t RoundUp(uint64_t bytes, uint64_t align) { return (bytes + align - 1) / align * align; }

// Stays of a schedule that the clock has timed; no addresses yet.
class Stays {
 public:
  Stays(const StagingTables& tables, const StagingSchedule& schedule, const StagingClock& clock, uint64_t pass_ns)
      : tables_(tables), schedule_(schedule), clock_(clock), pass_ns_(static_cast<int64_t>(pass_ns)) {
    FindLatestFetches();
  }

  std::vector<StagingStay> Find() const {
    std::vector<StagingStay> stays;
    for (uint32_t item = 0, gap = 0; item < tables_.problem.items.size(); ++item) {
      AddStays(item, gap, &stays);
      gap += static_cast<uint32_t>(tables_.problem.items[item].uses.size());
    }
    return stays;
  }

 private:
  // Fetches in their order, each as late as the operation that wants it and the fetches after it allow: memory for what
  // comes earlier than that is not needed for the pass to take its time.
  void FindLatestFetches() {
    const uint32_t n = tables_.num_ops();
    latest_ns_.resize(tables_.num_gaps());
    int64_t next_begin = std::numeric_limits<int64_t>::max();
    for (int64_t pass : {pass_ns_, int64_t{0}}) {  // the next one, since its fetches may begin in this one
      for (uint32_t q = n; q-- > 0;) {
        const std::vector<uint32_t>& fetches = clock_.moves().fetches[q];
        for (size_t i = fetches.size(); i-- > 0;) {
          const uint32_t gap = fetches[i];
          const uint32_t wanted_by = q + tables_.gaps[gap].first - schedule_.fetch_before[gap];
          const int64_t wanted =
              static_cast<int64_t>(clock_.begin_ns()[wanted_by % n]) + wanted_by / n * pass_ns_ + pass;
          const int64_t latest = std::min(wanted, next_begin) - static_cast<int64_t>(tables_.in_ns[gap]);
          latest_ns_[gap] = std::max(latest, static_cast<int64_t>(clock_.fetch_ns()[gap]) + pass);
          next_begin = latest_ns_[gap];
        }
      }
    }
  }

  bool IsKept(uint32_t gap) const { return tables_.gaps[gap].is_free && !clock_.moves().fetched[gap]; }

  void AddStays(uint32_t item, uint32_t first_gap, std::vector<StagingStay>* stays) const {
    const uint32_t num_uses = static_cast<uint32_t>(tables_.problem.items[item].uses.size());
    const size_t before = stays->size();
    for (uint32_t use = 0; use < num_uses; ++use) {
      const uint32_t gap_before = first_gap + (use + num_uses - 1) % num_uses;
      if (IsKept(gap_before)) continue;
      uint32_t count = 1;
      while (IsKept(first_gap + (use + count - 1) % num_uses)) ++count;
      stays->push_back(Timed({item, use, count}, gap_before, first_gap));
    }
    if (stays->size() == before) stays->push_back({item, 0, num_uses, 0, static_cast<uint64_t>(pass_ns_)});
  }

  StagingStay Timed(StagingStay stay, uint32_t gap_before, uint32_t first_gap) const {
    const uint32_t n = tables_.num_ops();
    const std::vector<StagingUse>& uses = tables_.problem.items[stay.item].uses;
    const uint32_t last_use = stay.first_use + stay.num_uses - 1;
    // In ns of the clock's last pass; what belongs to the pass before it, or after it, is moved there.
    int64_t begin = static_cast<int64_t>(clock_.begin_ns()[uses[stay.first_use].first]);
    if (clock_.moves().fetched[gap_before]) {
      const bool in_pass_before = stay.first_use == 0 && schedule_.fetch_before[gap_before] < n;
      begin = latest_ns_[gap_before] - (in_pass_before ? pass_ns_ : 0);
    }
    const uint64_t num_uses = uses.size();
    const int64_t end =
        static_cast<int64_t>(clock_.over_ns()[first_gap + last_use % num_uses]) + (last_use >= num_uses ? pass_ns_ : 0);
    const int64_t in_pass = begin - static_cast<int64_t>(clock_.begin_ns()[0]);
    stay.begin_ns = static_cast<uint64_t>((in_pass % pass_ns_ + pass_ns_) % pass_ns_);
    stay.passes_ahead = static_cast<uint32_t>((static_cast<int64_t>(stay.begin_ns) - in_pass) / pass_ns_);
    stay.held_ns = static_cast<uint64_t>(std::clamp<int64_t>(end - begin, 1, pass_ns_));
    return stay;
  }

  const StagingTables& tables_;
  const StagingSchedule& schedule_;
  const StagingClock& clock_;
  const int64_t pass_ns_;
  std::vector<int64_t> latest_ns_;  // by gap
};

// Wholes over one or more of their uses, as blocks; of each stay, which.
struct Blocks {
  PackingProblem packing;
  std::vector<uint32_t> block;  // by stay
};

class BlockMaker {
 public:
  BlockMaker(const StagingProblem& problem, const std::vector<StagingPiece>& pieces,
             const std::vector<StagingStay>& stays, uint64_t pass_ns, uint64_t align)
      : problem_(problem), pieces_(pieces), stays_(stays), pass_ns_(pass_ns), align_(align) {}

  Blocks Make() {
    FindMoments();
    blocks_.packing.num_steps = static_cast<uint32_t>(moments_.size());
    blocks_.block.resize(stays_.size());
    for (uint32_t first = 0; first < stays_.size();) {
      uint32_t end = first;
      while (end < stays_.size() && WholeOf(end) == WholeOf(first)) ++end;
      AddWhole(first, end);
      first = end;
    }
    return std::move(blocks_);
  }

 private:
  uint32_t WholeOf(uint32_t stay) const { return pieces_[stays_[stay].item].whole; }

  // Steps of the packing begin where something begins or ends.
  void FindMoments() {
    for (const StagingStay& stay : stays_) {
      moments_.push_back(stay.begin_ns);
      moments_.push_back((stay.begin_ns + stay.held_ns) % pass_ns_);
    }
    std::sort(moments_.begin(), moments_.end());
    moments_.erase(std::unique(moments_.begin(), moments_.end()), moments_.end());
  }

  uint32_t StepOf(uint64_t ns) const {
    return static_cast<uint32_t>(std::lower_bound(moments_.begin(), moments_.end(), ns) - moments_.begin());
  }

  PackingSpan HeldBy(const StagingStay& stay) const {
    const uint32_t num_steps = static_cast<uint32_t>(moments_.size());
    PackingSpan held;
    held.begin = StepOf(stay.begin_ns);
    held.end = StepOf((stay.begin_ns + stay.held_ns) % pass_ns_);
    if (held.end <= held.begin) held.end += num_steps;
    held.low = pieces_[stay.item].low;
    held.high = held.low + RoundUp(problem_.items[stay.item].bytes, align_);
    return held;
  }

  // Stays first .. end - 1 are those of the pieces of one whole. Uses that one of them joins share a block.
  void AddWhole(uint32_t first, uint32_t end) {
    const uint32_t num_uses = static_cast<uint32_t>(problem_.items[stays_[first].item].uses.size());
    std::vector<bool> joined(num_uses);  // by use: with the one after it
    for (uint32_t i = first; i < end; ++i) {
      for (uint32_t k = 0; k + 1 < stays_[i].num_uses; ++k) joined[(stays_[i].first_use + k) % num_uses] = true;
    }
    const uint32_t num_blocks_before = static_cast<uint32_t>(blocks_.packing.blocks.size());
    std::vector<uint32_t> block_of_use(num_uses, num_blocks_before);
    for (uint32_t use = 1; use < num_uses; ++use) block_of_use[use] = block_of_use[use - 1] + (joined[use - 1] ? 0 : 1);
    if (joined[num_uses - 1]) {  // the last uses go with the first ones
      const uint32_t last_block = block_of_use.back();
      for (uint32_t& block : block_of_use) {
        if (block == last_block) block = num_blocks_before;
      }
    }
    for (uint32_t i = first; i < end; ++i) {
      const uint32_t block = block_of_use[stays_[i].first_use];
      if (blocks_.packing.blocks.size() <= block) blocks_.packing.blocks.resize(block + size_t{1});
      blocks_.packing.blocks[block].held.push_back(HeldBy(stays_[i]));
      blocks_.block[i] = block;
    }
  }

  const StagingProblem& problem_;
  const std::vector<StagingPiece>& pieces_;
  const std::vector<StagingStay>& stays_;
  const uint64_t pass_ns_;
  const uint64_t align_;
  std::vector<uint64_t> moments_;
  Blocks blocks_;
};

}  // namespace

absl::StatusOr<StagingAddresses> PlaceItems(const StagingProblem& problem, const std::vector<StagingPiece>& pieces,
                                            const StagingSchedule& schedule, uint64_t align) {
  const StagingTables tables(problem);
  StagingClock clock(tables);
  StagingTimes times;
  if (!clock.Time(schedule, &times)) return TooSmall(tables, clock.failed_op(), clock.failed_bytes());
  const uint64_t pass_ns = std::max<uint64_t>(times.pass_ns, 1);
  StagingAddresses addresses;
  addresses.stays = Stays(tables, schedule, clock, pass_ns).Find();
  const Blocks blocks = BlockMaker(problem, pieces, addresses.stays, pass_ns, align).Make();
  addresses.peak_bytes = PeakBytes(blocks.packing);
  const Packing packing = PackBlocks(blocks.packing, problem.budget);
  addresses.bytes = packing.bytes;
  for (uint32_t i = 0; i < addresses.stays.size(); ++i) {
    StagingStay& stay = addresses.stays[i];
    stay.address = packing.offset[blocks.block[i]] + pieces[stay.item].low;
  }
  return addresses;
}

absl::StatusOr<StagingPlan> StageAndPlace(const StagingProblem& problem, const std::vector<StagingPiece>& pieces,
                                          uint64_t align) {
  StagingProblem smaller = problem;
  uint64_t needed = ~uint64_t{0};
  for (uint32_t i = 0; i < kTries; ++i) {
    absl::StatusOr<StagingSchedule> schedule = StageData(smaller);
    if (!schedule.ok() && i == 0) return schedule.status();
    if (!schedule.ok()) break;
    absl::StatusOr<StagingAddresses> addresses = PlaceItems(problem, pieces, *schedule, align);
    if (!addresses.ok()) return addresses.status();
    if (addresses->bytes <= problem.budget) {
      StagingTimes times = TimeStaging(problem, *schedule).value();
      return StagingPlan{*std::move(schedule), *std::move(addresses), std::move(times)};
    }
    needed = std::min(needed, addresses->bytes);
    const uint64_t above = addresses->bytes - problem.budget;
    if (above >= smaller.budget) break;
    smaller.budget -= above;
  }
  return MakeStatus(Code::kBudget,
                    absl::StrCat("the data of the operations fit into ", problem.budget,
                                 " bytes of device memory, but the addresses found for them need ", needed));
}

}  // namespace geeps::plan
