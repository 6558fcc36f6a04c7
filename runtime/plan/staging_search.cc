// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "runtime/base/status.h"
#include "runtime/plan/draw.h"
#include "runtime/plan/staging_parts.h"

namespace geeps::plan {
namespace {

// Work that a plan may cost, in operations and gaps that are looked at: 20 to 100 ms. Small problems are searched
// thoroughly, large ones get a few good tries.
constexpr uint64_t kWorkMax = 2'000'000;

class Search {
 public:
  // target_ns: nothing is faster; what comes that close to it is good enough.
  Search(const StagingTables& tables, uint64_t target_ns) : tables_(tables), target_ns_(target_ns), clock_(tables) {
    for (uint32_t g = 0; g < tables.num_gaps(); ++g) {
      const bool is_wanted = tables.UseAfter(g).before != StagingUse::Before::kNothing;
      const bool has_time = tables.gaps[g].first > tables.gaps[g].last + 1;
      if (is_wanted && has_time) choices_.push_back(g);
    }
  }

  void TryRules();
  void Improve();
  bool found() const { return found_; }
  const StagingSchedule& best() const { return best_; }

 private:
  struct Cost {
    uint64_t pass_ns = 0;
    uint64_t moved_bytes = 0;
    bool operator<(const Cost& o) const {
      return pass_ns != o.pass_ns ? pass_ns < o.pass_ns : moved_bytes < o.moved_bytes;
    }
  };
  bool IsDone() const { return work_ > kWorkMax || (found_ && best_cost_.pass_ns <= target_ns_ + target_ns_ / 2000); }
  bool Try(const std::vector<bool>& leaves, bool eager);
  bool TryTimed(const StagingSchedule& schedule);

  const StagingTables& tables_;
  const uint64_t target_ns_;
  StagingClock clock_;
  std::vector<uint32_t> choices_;
  StagingSchedule trial_;
  StagingTimes times_;
  StagingSchedule best_;
  Cost best_cost_;
  bool found_ = false;
  uint64_t work_ = 0;
};

bool Search::TryTimed(const StagingSchedule& schedule) {
  work_ += 4 * (tables_.num_ops() + tables_.num_gaps());
  if (!clock_.Time(schedule, &times_)) return false;
  const Cost cost{times_.pass_ns, times_.in_bytes + times_.out_bytes};
  if (found_ && best_cost_ < cost) return false;
  found_ = true;
  best_cost_ = cost;
  best_ = schedule;
  return true;
}

bool Search::Try(const std::vector<bool>& leaves, bool eager) {
  work_ += tables_.num_ops() + 2 * tables_.num_gaps();
  if (!PlaceFetches(tables_, leaves, eager, &trial_)) return false;
  return TryTimed(trial_);
}

// What is most often best comes first.
void Search::TryRules() {
  // The first moves no more than it must.
  Try(ChooseLeaving(tables_, StagingRule::kCleanFirst, 0), false);
  PlaceByPaper(tables_, &trial_);
  TryTimed(trial_);
  const uint64_t budget = tables_.problem.budget;
  for (const bool eager : {false, true}) {
    for (uint64_t reserve : {uint64_t{0}, budget / 4, budget / 16}) {
      for (StagingRule rule :
           {StagingRule::kCleanFirst, StagingRule::kFurthestUse, StagingRule::kLongestGap, StagingRule::kOldestUse}) {
        if (IsDone()) return;
        Try(ChooseLeaving(tables_, rule, reserve), eager);
      }
    }
  }
}

// Small changes of what is best, kept when they cost no more.
void Search::Improve() {
  if (!found_ || choices_.empty()) return;
  Draw draw;
  StagingSchedule trial;
  while (!IsDone()) {
    trial = best_;
    for (uint32_t changes = 1 + draw.Below(3); changes > 0; --changes) {
      const uint32_t g = choices_[draw.Below(choices_.size())];
      const StagingGap& gap = tables_.gaps[g];
      const bool stays = gap.is_free && draw.Below(3) == 0;
      trial.fetch_before[g] = stays ? StagingSchedule::kStays : gap.last + 1 + draw.Below(gap.first - gap.last);
    }
    TryTimed(trial);
  }
}

}  // namespace

absl::StatusOr<StagingSchedule> StageData(const StagingProblem& problem) {
  const StagingTables tables(problem);
  if (tables.held_bytes[tables.peak_op] > problem.budget) {
    return TooSmall(tables, tables.peak_op, tables.held_bytes[tables.peak_op]);
  }
  Search search(tables, LinkBound(tables));
  search.TryRules();
  search.Improve();
  if (!search.found())
    return Internal("no schedule was found in ", problem.budget, " bytes, although each operation fits");
  return search.best();
}

}  // namespace geeps::plan
