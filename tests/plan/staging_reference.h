// SPDX-License-Identifier: Apache-2.0
// What staging is compared with: drawn problems, all schedules of a small one, timed by code of its own, the simple
// rule of the paper, and the lower bound calculated anew, without any of the planner's code.
#ifndef GEEPS_TESTS_PLAN_STAGING_REFERENCE_H_
#define GEEPS_TESTS_PLAN_STAGING_REFERENCE_H_

#include <cstdint>
#include <optional>

#include "runtime/plan/staging.h"

namespace geeps::test {

// 3 .. max_ops operations, 2 .. max_items items with uses of every kind, one to three each; a budget between the
// largest operation and all items at once.
plan::StagingProblem DrawStaging(uint64_t seed, uint32_t max_ops, uint32_t max_items);

// The pass of a schedule by the words of staging.h, step by step; nothing when memory never suffices. fetch_order: by
// gap, which of the fetches before one operation comes first.
std::optional<uint64_t> PassNs(const plan::StagingProblem& problem, const plan::StagingSchedule& schedule,
                               const std::vector<uint32_t>& fetch_order);

// The shortest pass of all schedules and all orders of fetches; nothing when there is none or when they are more than
// `max_schedules`. tried: how many there are.
std::optional<uint64_t> ShortestPassNs(const plan::StagingProblem& problem, uint64_t max_schedules, uint64_t* tried);

// Cui et al., EuroSys 2016, section 4.3: memory for the data of two operations serves all that moves, each operation's
// being fetched while the one before it runs; with what is left the data that are used first stay for good.
plan::StagingSchedule PaperStaging(const plan::StagingProblem& problem);

// As BoundStaging, from the problem alone, looking at every window.
uint64_t CheckedBoundNs(const plan::StagingProblem& problem);

}  // namespace geeps::test

#endif  // GEEPS_TESTS_PLAN_STAGING_REFERENCE_H_
