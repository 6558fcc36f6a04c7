// SPDX-License-Identifier: Apache-2.0
// Staging: which data leave the device between two uses, and when they come back, for a cyclic sequence of operations
// and a budget of device memory. StageData makes the schedule, TimeStaging says what it costs, BoundStaging what no
// schedule can be faster than.
// Pure.
//
// The model
//   An operation is what the program calculates between two calls of a pass: it takes its time and begins when the one
//   before it is over. The pass is repeated. An item is a run of bytes that lies in
//   device memory as a whole or not at all; a use holds it there from the begin of one operation to the end of another
//   one. Between two uses lies a gap: the item stays, or it leaves and comes back. What was changed since it was last
//   on the host is written back when it leaves; what was not is dropped. What the next use does not want is dropped,
//   too. Each direction of the link carries one transfer at a time: latency, then bytes at a bandwidth. Write-backs
//   begin in the order in which uses end. Memory is given out in one cyclic order: to operations in their order, for
//   what they begin with, and to each fetch just before some operation; each gets it as soon as all before it have and
//   enough has been given back: by a use that ends, or by the end of its write-back.
//
// Source of the idea: Cui et al., EuroSys 2016 (data staged ahead of the program and behind it); Belady 1966 (what is
// needed last leaves first).
#ifndef GEEPS_RUNTIME_PLAN_STAGING_H_
#define GEEPS_RUNTIME_PLAN_STAGING_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace geeps::plan {

struct StagingUse {
  enum class Before : uint8_t {
    kNothing,  // begins with memory of any contents
    kKept,     // wants the contents of the use before it
    kHost,     // wants what lies on the host, which is new each time
  };
  enum class After : uint8_t {
    kUnchanged,
    kChanged,
    kToHost,  // goes to the host each time
  };
  uint32_t first = 0;  // operations that hold it; the uses of an item are ascending and do not overlap
  uint32_t last = 0;
  Before before = Before::kNothing;
  After after = After::kUnchanged;
};

struct StagingItem {
  uint64_t bytes = 0;            // not 0
  std::vector<StagingUse> uses;  // at least one
};

struct StagingLink {
  uint64_t in_bytes_per_s = 0;   // host to device; not 0
  uint64_t out_bytes_per_s = 0;  // not 0
  uint64_t latency_ns = 0;       // of each transfer
};

// REQUIRES: what the comments of its parts say, and a time of the pass and of all transfers below 2^62 ns.
struct StagingProblem {
  std::vector<uint64_t> op_ns;  // at least one operation
  std::vector<StagingItem> items;
  uint64_t budget = 0;
  StagingLink link;
};

// The time from the end of use `use` of an item to the begin of the next one; after the last use comes the first of the
// next pass.
struct StagingGap {
  uint32_t item = 0;
  uint32_t use = 0;
  uint32_t last = 0;  // operation that ends the use
  // The operation that begins the next one; in the next pass: its index and the number of operations.
  uint32_t first = 0;
  bool is_free = false;  // whether to stay is a choice: the next use wants the contents
};

// Gaps by item, then use.
std::vector<StagingGap> FindGaps(const StagingProblem& problem);

// Which bytes of a whole item a piece of it is.
struct StagingPiece {
  uint32_t whole = 0;  // index of the item
  uint64_t low = 0;    // its first byte
};

struct CutStaging {
  std::vector<StagingItem> items;
  std::vector<StagingPiece> pieces;  // by item
};

// The same data in items of at most max_bytes, which is a multiple of `align` and not 0: a large item need not leave as
// a whole. Pieces begin at multiples of `align`, and differ by at most that but for the last one.
CutStaging CutItems(const std::vector<StagingItem>& items, uint64_t max_bytes, uint64_t align);

struct StagingSchedule {
  static constexpr uint32_t kStays = ~uint32_t{0};
  // By gap. kStays, or the operation just before which the fetch gets its memory, numbered as StagingGap::first:
  // last + 1 .. first. Of gaps without fetch: no meaning. Fetches of one operation: by their next use, then gap.
  std::vector<uint32_t> fetch_before;
};

struct StagingTimes {
  uint64_t pass_ns = 0;   // of one pass, in the steady state
  uint64_t busy_ns = 0;   // of it, the operations'
  uint64_t in_bytes = 0;  // of a pass
  uint64_t out_bytes = 0;
  uint64_t peak_bytes = 0;        // given out at once, when each gets its memory no sooner than its order says
  std::vector<uint64_t> wait_ns;  // before each operation
};

// What the schedule costs in the steady state.
// Errors: kBudget when memory never suffices, with the operation, and bytes needed and available.
absl::StatusOr<StagingTimes> TimeStaging(const StagingProblem& problem, const StagingSchedule& schedule);

// A schedule that keeps the model's rules; the same one for the same problem.
// Errors: kBudget when the uses of an operation do not fit, with the operation, and bytes needed and available.
absl::StatusOr<StagingSchedule> StageData(const StagingProblem& problem);

// No schedule has shorter passes: the largest of the operations' time, the time that each direction of the link
// is busy at least, and what windows of the pass must wait for.
uint64_t BoundStaging(const StagingProblem& problem);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_STAGING_H_
