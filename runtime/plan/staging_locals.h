// SPDX-License-Identifier: Apache-2.0
// The local data of a plan as a staging problem: what its accesses hold, want and leave, and where the rows of each
// access are found.
// Pure.
//
// Rows that accesses overlap in are one whole, which is in device memory as a whole while any of them holds it.
// Accesses of a whole that are open at once are one use.
#ifndef GEEPS_RUNTIME_PLAN_STAGING_LOCALS_H_
#define GEEPS_RUNTIME_PLAN_STAGING_LOCALS_H_

#include <cstdint>
#include <vector>

#include "runtime/plan/layout.h"
#include "runtime/plan/recorded_plan.h"
#include "runtime/plan/staging.h"

namespace geeps::plan {

// Where the rows of an access begin: `offset` bytes behind the address of an item in a use.
struct StagedAccess {
  static constexpr uint32_t kNone = ~uint32_t{0};
  uint32_t item = kNone;  // kNone: no local access, or one of no rows
  uint32_t use = 0;
  uint64_t offset = 0;
};

// What an item is on the host: bytes `offset` .. of a local data.
struct StagedHome {
  uint32_t local = 0;  // index into WorkerLayout::locals
  uint64_t offset = 0;
};

struct StagedLocals {
  std::vector<StagingItem> items;
  std::vector<StagingPiece> pieces;    // by item
  std::vector<StagedHome> homes;       // by item
  std::vector<StagedAccess> accesses;  // by operation of the plan
};

// recorded: the plan of that index in the layout. Operations of the problem are the times behind each step. max_bytes,
// align: as CutItems.
StagedLocals FindStagedLocals(const WorkerLayout& layout, uint32_t plan, const RecordedPlan& recorded,
                              uint64_t max_bytes, uint64_t align);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_STAGING_LOCALS_H_
