// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/plan/layout_parts.h"

namespace geeps::plan {

uint32_t StepThatEndsHold(const Operation& op, const PlannedOp& planned) {
  // A copied read has been filled at the latest when it is handed out.
  if (planned.kind == OpKind::kRead && !planned.holds_until_post) return op.begin_step;
  return op.end_step;
}

void FindFirePoints(const RecordedPlan& plan, PlannedPass* pass) {
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    const PlannedOp& planned = pass->ops[i];
    if (planned.kind == OpKind::kLocal) continue;
    PlannedTable& table = pass->tables[planned.table];
    table.fire_step = std::max(table.fire_step, StepThatEndsHold(plan.ops[i], planned));
    ++table.num_holds;
    if (planned.kind != OpKind::kUpdate) continue;
    ++table.num_updates;
    table.last_update_step = std::max(table.last_update_step, plan.ops[i].end_step);
  }
  for (PlannedTable& table : pass->tables) {
    if (table.num_holds == 0 || pass->no_clock) table.fire_step = static_cast<uint32_t>(plan.steps.size());
  }
}

}  // namespace geeps::plan
