// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>
#include <utility>

#include "runtime/plan/staging_parts.h"
#include "runtime/plan/staging_room.h"

namespace geeps::plan {
namespace {

// A sweep over the operations that lets data leave where they do not fit.
class Sweep {
 public:
  Sweep(const StagingTables& tables, StagingRule rule, uint64_t budget);
  void Run();
  std::vector<bool> Leaving() const;

 private:
  void Pass();
  void LetStay();
  // The larger the sooner it leaves; counted from the begin of the pass that the sweep is in.
  uint64_t Rank(uint32_t gap) const;

  const StagingTables& tables_;
  const StagingRule rule_;
  const uint64_t budget_;
  StagingMoves moves_;  // when all leaves
  StagingSchedule schedule_;
};

Sweep::Sweep(const StagingTables& tables, StagingRule rule, uint64_t budget)
    : tables_(tables), rule_(rule), budget_(budget) {
  for (uint32_t g = 0; g < tables.num_gaps(); ++g) schedule_.fetch_before.push_back(tables.gaps[g].first);
  FindMoves(tables, schedule_, &moves_);
  for (uint32_t g = 0; g < tables.num_gaps(); ++g) {
    if (tables.gaps[g].is_free) schedule_.fetch_before[g] = StagingSchedule::kStays;
  }
}

uint64_t Sweep::Rank(uint32_t gap) const {
  const StagingGap& g = tables_.gaps[gap];
  switch (rule_) {
    case StagingRule::kFurthestUse:
      return g.first;
    case StagingRule::kLongestGap:
      return tables_.BeginNs(g.first) - tables_.BeginNs(g.last);
    case StagingRule::kOldestUse:
      return 2 * tables_.num_ops() - g.last;
    case StagingRule::kCleanFirst:
      return g.first + (moves_.written_back[gap] ? 0 : 2 * tables_.num_ops());
  }
  return 0;
}

// Looks at each operation once, with the gaps of this pass and those that reach into it.
void Sweep::Pass() {
  const uint32_t n = tables_.num_ops();
  const std::vector<uint64_t> held = HeldBytes(tables_, schedule_);
  struct Entry {
    uint64_t rank = 0;
    uint32_t gap = 0;
    uint32_t end = 0;  // it is there before this operation
    bool operator<(const Entry& o) const { return std::make_pair(rank, gap) < std::make_pair(o.rank, o.gap); }
  };
  std::priority_queue<Entry> here;
  const auto enter = [&](uint32_t g, uint32_t end, uint64_t rank) {
    if (tables_.gaps[g].is_free && schedule_.fetch_before[g] == StagingSchedule::kStays) here.push({rank, g, end});
  };
  for (uint32_t g = 0; g < tables_.num_gaps(); ++g) {
    const uint32_t first = tables_.gaps[g].first;
    if (first <= n) continue;
    const bool is_by_use = rule_ == StagingRule::kFurthestUse || rule_ == StagingRule::kCleanFirst;
    enter(g, first - n, is_by_use ? Rank(g) - n : Rank(g));
  }
  std::vector<uint64_t> ended(n + 1);  // bytes of what has left here and would have been there until the operation
  uint64_t gone = 0;
  for (uint32_t q = 0; q < n; ++q) {
    if (q > 0) {
      gone -= ended[q];
      for (uint32_t g : tables_.ends[q - 1]) {
        if (tables_.gaps[g].first > q) enter(g, std::min(tables_.gaps[g].first, n), Rank(g));
      }
    }
    while (held[q] - gone > budget_ && !here.empty()) {
      const Entry entry = here.top();
      here.pop();
      if (entry.end <= q || schedule_.fetch_before[entry.gap] != StagingSchedule::kStays) continue;
      schedule_.fetch_before[entry.gap] = tables_.gaps[entry.gap].first;
      gone += tables_.Bytes(entry.gap);
      ended[entry.end] += tables_.Bytes(entry.gap);
    }
  }
}

// What left for the sake of an operation where something else has left later may fit after all: the shortest gaps
// first.
void Sweep::LetStay() {
  StagingRoom room(HeldBytes(tables_, schedule_));
  std::vector<uint32_t> left;
  for (uint32_t g = 0; g < tables_.num_gaps(); ++g) {
    if (tables_.gaps[g].is_free && schedule_.fetch_before[g] != StagingSchedule::kStays) left.push_back(g);
  }
  const auto length = [&](uint32_t g) { return tables_.gaps[g].first - tables_.gaps[g].last; };
  std::stable_sort(left.begin(), left.end(), [&](uint32_t a, uint32_t b) { return length(a) < length(b); });
  for (uint32_t g : left) {
    const StagingGap& gap = tables_.gaps[g];
    const uint64_t bytes = tables_.Bytes(g);
    if (bytes > budget_ || room.Reach(gap.last + 1, gap.first, budget_ - bytes) > gap.last + 1) continue;
    schedule_.fetch_before[g] = StagingSchedule::kStays;
    room.Add(gap.last + 1, gap.first, bytes);
  }
}

void Sweep::Run() {
  Pass();
  Pass();  // what left at the begin of a pass may have left before its end, too
  LetStay();
}

std::vector<bool> Sweep::Leaving() const {
  std::vector<bool> leaves;
  for (uint32_t g = 0; g < tables_.num_gaps(); ++g) {
    leaves.push_back(tables_.gaps[g].is_free && schedule_.fetch_before[g] != StagingSchedule::kStays);
  }
  return leaves;
}

// The operation, counted on over passes, that runs at that time when nothing waits.
uint32_t OpAt(const StagingTables& tables, int64_t ns) {
  if (ns <= 0 || tables.busy_ns == 0) return 0;
  const uint64_t pass = static_cast<uint64_t>(ns) / tables.busy_ns;
  const uint64_t in_pass = static_cast<uint64_t>(ns) % tables.busy_ns;
  const auto after = std::upper_bound(tables.begin_ns.begin(), tables.begin_ns.end(), in_pass);
  return static_cast<uint32_t>(pass * tables.num_ops() + (after - tables.begin_ns.begin()) - 1);
}

}  // namespace

std::vector<uint64_t> HeldBytes(const StagingTables& tables, const StagingSchedule& schedule) {
  const uint32_t n = tables.num_ops();
  std::vector<uint64_t> held(n + 1);  // differences, which may be below zero: sums are right all the same
  for (uint32_t g = 0; g < tables.num_gaps(); ++g) {
    const uint32_t before = schedule.fetch_before[g];
    uint32_t begin = tables.gaps[g].last + 1;  // it is held by operations begin .. end - 1
    const uint32_t end = tables.gaps[g].first;
    if (before != StagingSchedule::kStays) {
      if (tables.UseAfter(g).before == StagingUse::Before::kNothing) continue;
      begin = before;
    } else if (!tables.gaps[g].is_free) {
      continue;
    }
    if (begin >= end) continue;
    const uint64_t bytes = tables.Bytes(g);
    if (begin < n) {
      held[begin] += bytes;
      held[std::min(end, n)] -= bytes;
    }
    if (end > n) {
      held[begin > n ? begin - n : 0] += bytes;
      held[end - n] -= bytes;
    }
  }
  uint64_t sum = 0;
  for (uint32_t q = 0; q < n; ++q) {
    sum += held[q];
    held[q] = sum + tables.held_bytes[q];
  }
  held.pop_back();
  return held;
}

std::vector<bool> ChooseLeaving(const StagingTables& tables, StagingRule rule, uint64_t reserve) {
  Sweep sweep(tables, rule, tables.problem.budget - std::min(reserve, tables.problem.budget));
  sweep.Run();
  return sweep.Leaving();
}

void PlaceByPaper(const StagingTables& tables, StagingSchedule* schedule) {
  const uint64_t two_ops = 2 * tables.held_bytes[tables.peak_op];
  uint64_t left = tables.problem.budget - std::min(tables.problem.budget, two_ops);
  std::vector<uint32_t> items(tables.problem.items.size());
  std::iota(items.begin(), items.end(), 0);
  const auto first_use = [&](uint32_t item) { return tables.problem.items[item].uses[0].first; };
  std::stable_sort(items.begin(), items.end(), [&](uint32_t a, uint32_t b) { return first_use(a) < first_use(b); });
  std::vector<bool> stays(items.size());
  for (uint32_t item : items) {
    stays[item] = tables.problem.items[item].bytes <= left;
    if (stays[item]) left -= tables.problem.items[item].bytes;
  }
  schedule->fetch_before.clear();
  for (const StagingGap& gap : tables.gaps) {
    const bool has_time = gap.first > gap.last + 1;
    const bool is_kept = gap.is_free && (stays[gap.item] || !has_time);
    const uint32_t before = has_time && tables.problem.budget >= two_ops ? gap.first - 1 : gap.first;
    schedule->fetch_before.push_back(is_kept ? StagingSchedule::kStays : before);
  }
}

bool PlaceFetches(const StagingTables& tables, const std::vector<bool>& leaves, bool eager, StagingSchedule* schedule) {
  const uint32_t n = tables.num_ops();
  const uint64_t budget = tables.problem.budget;
  std::vector<uint32_t> fetched;
  schedule->fetch_before.assign(tables.num_gaps(), StagingSchedule::kStays);
  for (uint32_t g = 0; g < tables.num_gaps(); ++g) {
    if (leaves[g] || tables.UseAfter(g).before == StagingUse::Before::kHost) {
      fetched.push_back(g);
      schedule->fetch_before[g] = tables.gaps[g].first;
    }
  }
  StagingRoom room(HeldBytes(tables, *schedule));
  if (room.Max() > budget) return false;
  // By their next use in a pass, the latest first: when each must begin for the link to be in time with all of them.
  std::stable_sort(fetched.begin(), fetched.end(),
                   [&](uint32_t a, uint32_t b) { return tables.gaps[a].first % n > tables.gaps[b].first % n; });
  const int64_t pass_ns = static_cast<int64_t>(tables.busy_ns);
  std::vector<int64_t> begin_by(tables.num_gaps());  // in the pass of the next use, where operation 0 begins at 0
  int64_t link_free = std::numeric_limits<int64_t>::max();
  for (int lap = 0; lap < 2; ++lap) {
    for (uint32_t g : fetched) {
      const int64_t use_ns = static_cast<int64_t>(tables.begin_ns[tables.gaps[g].first % n]);
      begin_by[g] = std::min(use_ns, link_free) - static_cast<int64_t>(tables.in_ns[g]);
      link_free = begin_by[g];
    }
    // The pass before this one, for what the link has to do across its end.
    if (link_free != std::numeric_limits<int64_t>::max()) link_free += pass_ns;
  }
  // What is used first gets memory first. in_time: no earlier than the link needs it.
  const auto extend = [&](uint32_t g, bool in_time) {
    uint32_t& before = schedule->fetch_before[g];
    uint32_t earliest = tables.gaps[g].last + 1;
    if (in_time) earliest = std::max(earliest, OpAt(tables, begin_by[g] + tables.gaps[g].first / n * pass_ns));
    if (earliest >= before || tables.Bytes(g) > budget) return;
    const uint32_t reached = room.Reach(earliest, before, budget - tables.Bytes(g));
    room.Add(reached, before, tables.Bytes(g));
    before = reached;
  };
  for (auto it = fetched.rbegin(); it != fetched.rend(); ++it) extend(*it, true);
  if (eager) {
    for (auto it = fetched.rbegin(); it != fetched.rend(); ++it) extend(*it, false);
  }
  return true;
}

}  // namespace geeps::plan
