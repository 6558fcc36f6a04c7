// SPDX-License-Identifier: Apache-2.0
// Read-my-writes (R7, R8): an own update is added to the cache when it is drained, and added again on top of a version
// that does not contain it. Both take the rows that the worker reads; adding again takes each row of a pass once, from
// the log entry, which then holds the sum of all updates of the pass.
#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/plan/layout_parts.h"

namespace geeps::plan {
namespace {

using table::RowRun;
using table::RowSet;

bool ShareRow(const RowSet& a, const RowSet& b) {
  size_t i = 0;
  size_t j = 0;
  while (i < a.num_runs() && j < b.num_runs()) {
    const RowRun& x = a.runs()[i];
    const RowRun& y = b.runs()[j];
    if (x.end() <= y.first) {
      ++i;
    } else if (y.end() <= x.first) {
      ++j;
    } else {
      return true;
    }
  }
  return false;
}

// All operations of one kind on the table, of all plans.
std::vector<const RowSet*> SetsOf(const LayoutInput& input, uint32_t table, OpKind kind,
                                  absl::Span<const RecordedPlan* const> plans) {
  std::vector<const RowSet*> sets;
  for (const RecordedPlan* plan : plans) {
    for (const Operation& op : plan->ops) {
      if (op.kind == kind && op.object == input.tables[table].object) sets.push_back(&op.rows);
    }
  }
  return sets;
}

// One table under one plan; updates are placed in the order in which they end.
class OwnRowsOfPlan {
 public:
  OwnRowsOfPlan(const LayoutInput& input, uint32_t table, uint32_t set_id, const RowUnion& cache,
                const std::vector<Subscription>& subscriptions)
      : partitions_(input.partitions),
        subscriptions_(subscriptions),
        cache_(cache),
        updates_(SetsOf(input, table, OpKind::kUpdate, absl::MakeConstSpan(&input.plans[set_id], 1))),
        log_(input.tables[table].schema.num_rows, updates_),
        seen_(input.tables[table].schema.num_rows, NumRuns(updates_)) {}

  void Place(const RowSet& rows, PlannedOp* planned) {
    add_.Clear();
    planned_ = planned;
    subscription_ = 0;
    const RowSet shared = RowSet::Intersection(rows, cache_.rows());
    size_t run_index = 0;
    for (const RowRun& run : shared.runs()) {
      while (rows.runs()[run_index].end() <= run.first) ++run_index;
      const uint64_t in_buffer = rows.RankOfRun(run_index) + (run.first - rows.runs()[run_index].first);
      add_.Add(cache_.PlaceOf(run), planned->in_place ? log_.PlaceOf(run) : in_buffer, run.count);
      PlaceParts(run);
    }
    EndPart();
    planned->own_add = add_.Build();
  }

 private:
  static uint64_t NumRuns(const std::vector<const RowSet*>& sets) {
    uint64_t num = 0;
    for (const RowSet* rows : sets) num += rows->num_runs();
    return num;
  }

  // Cut at the borders of partitions; of each piece the rows that no earlier update of the pass has.
  void PlaceParts(const RowRun& run) {
    const uint64_t cache_place = cache_.PlaceOf(run);
    const uint64_t log_place = log_.PlaceOf(run);
    for (uint64_t row = run.first; row < run.end();) {
      if (planned_->own_parts.empty() || EndOf(subscription_) <= row) {
        EndPart();
        while (EndOf(subscription_) <= row) ++subscription_;
        planned_->own_parts.push_back({subscription_, {}});
        planned_->subscriptions.push_back(subscription_);
      }
      const uint64_t end = std::min(run.end(), EndOf(subscription_));
      seen_.Visit({row, end - row}, [&](uint64_t first, uint64_t count, bool was_seen) {
        if (!was_seen) again_.Add(cache_place + (first - run.first), log_place + (first - run.first), count);
      });
      row = end;
    }
  }

  void EndPart() {
    if (!planned_->own_parts.empty()) planned_->own_parts.back().again = again_.Build();
    again_.Clear();
  }

  uint64_t EndOf(uint32_t subscription) const { return partitions_[subscriptions_[subscription].partition].end_row(); }

  const absl::Span<const table::Partition> partitions_;
  const std::vector<Subscription>& subscriptions_;
  const RowUnion& cache_;
  const std::vector<const RowSet*> updates_;
  const RowUnion log_;
  SeenRows seen_;
  RowIndexBuilder add_;
  RowIndexBuilder again_;
  PlannedOp* planned_ = nullptr;
  uint32_t subscription_ = 0;
};

}  // namespace

void PlaceOwnRows(const LayoutInput& input, uint32_t table, WorkerLayout* layout) {
  const RowUnion cache(input.tables[table].schema.num_rows, SetsOf(input, table, OpKind::kRead, input.plans));
  for (uint32_t set_id = 0; set_id < input.plans.size(); ++set_id) {
    const RecordedPlan& plan = *input.plans[set_id];
    PlannedPass& pass = layout->plans[set_id];
    OwnRowsOfPlan own(input, table, set_id, cache, layout->tables[table].subscriptions);
    std::vector<uint32_t> ended;  // updates
    for (const Step& step : plan.steps) {
      PlannedOp& planned = pass.ops[step.op];
      if (planned.kind == OpKind::kLocal || planned.table != table) continue;
      if (planned.kind == OpKind::kUpdate && step.end) {
        own.Place(plan.ops[step.op].rows, &planned);
        ended.push_back(step.op);
      } else if (planned.kind == OpKind::kRead && !step.end) {
        for (uint32_t update : ended) {
          if (ShareRow(plan.ops[update].rows, plan.ops[step.op].rows)) planned.own_updates.push_back(update);
        }
      }
    }
  }
}

}  // namespace geeps::plan
