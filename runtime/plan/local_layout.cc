// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "runtime/plan/layout_parts.h"

namespace geeps::plan {
namespace {

// An access of one local data: the run of its rows.
struct LocalAccess {
  uint32_t plan = 0;
  uint32_t op = 0;
  table::RowRun run;
};

// Cuts the rows at the begin and end of every access; parts that no access has are left out.
void CutSegments(const std::vector<LocalAccess>& accesses, LocalLayout* local) {
  std::vector<uint64_t> cuts;
  std::vector<table::RowRun> runs;
  for (const LocalAccess& access : accesses) {
    cuts.push_back(access.run.first);
    cuts.push_back(access.run.end());
    runs.push_back(access.run);
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::sort(runs.begin(), runs.end(), [](const table::RowRun& a, const table::RowRun& b) { return a.first < b.first; });
  size_t next = 0;
  uint64_t covered_to = 0;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    while (next < runs.size() && runs[next].first <= cuts[i]) covered_to = std::max(covered_to, runs[next++].end());
    if (covered_to <= cuts[i]) continue;
    local->segment_first.push_back(cuts[i]);
    local->segment_rows.push_back(cuts[i + 1] - cuts[i]);
  }
}

}  // namespace

void PlaceLocals(const LayoutInput& input, WorkerLayout* layout) {
  std::vector<std::vector<LocalAccess>> accesses(input.locals.size());
  for (uint32_t q = 0; q < input.plans.size(); ++q) {
    layout->local_segments.emplace_back(layout->plans[q].ops.size());
    for (uint32_t i = 0; i < layout->plans[q].ops.size(); ++i) {
      PlannedOp& planned = layout->plans[q].ops[i];
      if (planned.kind != OpKind::kLocal) continue;
      planned.in_place = true;
      const table::RowSet& rows = input.plans[q]->ops[i].rows;
      if (rows.IsEmpty()) continue;
      planned.place_row = rows.runs()[0].first;
      accesses[planned.table].push_back({q, i, rows.runs()[0]});
    }
  }
  for (size_t l = 0; l < input.locals.size(); ++l) {
    LocalLayout local;
    local.object = input.locals[l].object;
    local.num_rows = input.locals[l].num_rows;
    local.row_bytes = input.locals[l].row_bytes;
    CutSegments(accesses[l], &local);
    for (const LocalAccess& access : accesses[l]) {
      std::vector<uint32_t>& segments = layout->local_segments[access.plan][access.op];
      const auto begin = std::lower_bound(local.segment_first.begin(), local.segment_first.end(), access.run.first);
      for (auto it = begin; it != local.segment_first.end() && *it < access.run.end(); ++it) {
        segments.push_back(static_cast<uint32_t>(it - local.segment_first.begin()));
      }
    }
    layout->locals.push_back(std::move(local));
  }
}

}  // namespace geeps::plan
