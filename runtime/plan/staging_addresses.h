// SPDX-License-Identifier: Apache-2.0
// Addresses for staged data: where each item lies in device memory from its fetch, or its first use, until it has left.
// Pure.
//
// The pieces of one whole lie side by side whenever they are used, each at its own place in it. While some piece stays
// between two uses the whole keeps its address; when all have left, it may come back to another one. Times are those of
// the model: what is given an address then finds it free when nothing is late, and waits for those before it when
// something is.
#ifndef GEEPS_RUNTIME_PLAN_STAGING_ADDRESSES_H_
#define GEEPS_RUNTIME_PLAN_STAGING_ADDRESSES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/plan/staging.h"

namespace geeps::plan {

// An item in device memory over one or more of its uses.
struct StagingStay {
  uint32_t item = 0;
  uint32_t first_use = 0;
  uint32_t num_uses = 0;      // counted over the end of the pass
  uint64_t begin_ns = 0;      // from the begin of a pass: its fetch begins, or the operation that uses it first
  uint64_t held_ns = 0;       // at most one pass; until its last use, or its write-back, is over
  uint64_t address = 0;       // bytes from the begin of the memory that all items share
  uint32_t passes_ahead = 0;  // by which it begins before the pass of its first use
};

struct StagingAddresses {
  std::vector<StagingStay> stays;  // by item, then first use
  uint64_t bytes = 0;              // addresses are below this
  uint64_t peak_bytes = 0;         // the most that is held at one time, each item rounded up to `align`
};

// Addresses of a schedule that keeps the model's rules: multiples of align, of which problem.budget is one. pieces: by
// item, as CutItems tells them.
// Errors: those of TimeStaging.
absl::StatusOr<StagingAddresses> PlaceItems(const StagingProblem& problem, const std::vector<StagingPiece>& pieces,
                                            const StagingSchedule& schedule, uint64_t align);

struct StagingPlan {
  StagingSchedule schedule;
  StagingAddresses addresses;
  StagingTimes times;
};

// A schedule whose addresses fit into the budget: StageData for as much of it as that takes.
// Errors: those of StageData; kBudget, with bytes needed and available, also when no addresses are found that fit.
absl::StatusOr<StagingPlan> StageAndPlace(const StagingProblem& problem, const std::vector<StagingPiece>& pieces,
                                          uint64_t align);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_STAGING_ADDRESSES_H_
