// SPDX-License-Identifier: Apache-2.0
// The steps of BuildLayout, each a function of what the earlier ones have left in the layout.
// Pure.
#ifndef GEEPS_RUNTIME_PLAN_LAYOUT_PARTS_H_
#define GEEPS_RUNTIME_PLAN_LAYOUT_PARTS_H_

#include "absl/status/status.h"
#include "runtime/plan/layout.h"

namespace geeps::plan {

// layout.cc: plans with their operations, objects looked up and rows checked; nothing placed yet.
absl::Status ResolvePlans(const LayoutInput& input, WorkerLayout* layout);

// table_layout.cc: cache, log entries, subscriptions, indexes and in-place accesses of one table.
void PlaceTable(const LayoutInput& input, uint32_t table, WorkerLayout* layout);

// own_rows.cc: where the own updates of a table with read-my-writes lie in the cache, and which of them come before which
// reads.
void PlaceOwnRows(const LayoutInput& input, uint32_t table, WorkerLayout* layout);

// local_layout.cc: places of local accesses and the segments that no access cuts.
void PlaceLocals(const LayoutInput& input, WorkerLayout* layout);

// fire_points.cc: holds, fire_step and last_update_step of every table of a plan (R1).
void FindFirePoints(const RecordedPlan& plan, PlannedPass* pass);
// R1: the step with which the operation stops holding its table.
uint32_t StepThatEndsHold(const Operation& op, const PlannedOp& planned);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_LAYOUT_PARTS_H_
