// SPDX-License-Identifier: Apache-2.0
// The script of a staging plan: the copies of a pass in their order, each with what it waits for, told in numbers that
// a program's progress and two counters are compared with. Nothing is decided while it is carried out.
// Pure.
//
// Carrying it out
//   Operation q lies between points q and q + 1 of a pass. At point k > 0 the write-backs and then the fetches up to
//   those of the point are given to their direction of the link, which does them one after another. A copy begins when
//   those of the other direction that it follows are over, an operation when the fetches and write-backs are that it
//   needs. Copies are counted by direction, over passes; what is waited for is told relative to how many had been given
//   to the direction when the pass began, and may be a negative number: those of passes before.
//
//   A pass whose plan was not walked by the pass before begins cold: when all that was given to the link is over, and
//   what `saves` of the plan before lists has been written back, the `loads` are fetched, and no operation of the pass
//   begins before they are over. Fetches for a pass of the plan that does not come are of no use, and do no harm.
//
//   What the program skips is passed over: its copies are made all the same.
#ifndef GEEPS_RUNTIME_PLAN_STAGING_SCRIPT_H_
#define GEEPS_RUNTIME_PLAN_STAGING_SCRIPT_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/plan/staging.h"
#include "runtime/plan/staging_addresses.h"

namespace geeps::plan {

struct StagingScript {
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::min() / 2;

  struct Copy {
    uint32_t item = 0;
    uint64_t address = 0;  // in the memory that all items share
    // It begins when so many are over, relative to the pass that gives it to the link. Into the device: write-backs; to
    // the host: fetches, which matters where the program has skipped the use.
    int64_t after = kNone;
  };
  struct Point {
    uint32_t num_out = 0;  // write-backs of the pass that have been given to the link here
    uint32_t num_in = 0;   // and fetches
    // What the operation that begins here waits for.
    int64_t needs_in = kNone;
    int64_t needs_out = kNone;
  };

  std::vector<Copy> write_backs;
  std::vector<Copy> fetches;
  std::vector<Point> points;                     // one more than operations; the last one is the end of the pass
  std::vector<Copy> loads;                       // by the operation that wants them
  std::vector<Copy> saves;                       // what has changed and stays over the end of the pass
  std::vector<std::vector<uint64_t>> addresses;  // by item, use
};

// REQUIRES: operations that take time, all of them. Errors: Internal for a plan that is not one of the problem's: whose
// stays overlap in time and address.
absl::StatusOr<StagingScript> WriteStagingScript(const StagingProblem& problem, const StagingPlan& plan);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_STAGING_SCRIPT_H_
