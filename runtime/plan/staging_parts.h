// SPDX-License-Identifier: Apache-2.0
// What the steps of StageData share. Pure; one thread at a time.
#ifndef GEEPS_RUNTIME_PLAN_STAGING_PARTS_H_
#define GEEPS_RUNTIME_PLAN_STAGING_PARTS_H_

#include <cstdint>
#include <vector>

#include "runtime/plan/staging.h"

namespace geeps::plan {

// A problem with what is looked up again and again, by operation and by gap.
struct StagingTables {
  explicit StagingTables(const StagingProblem& given);

  uint32_t num_ops() const { return static_cast<uint32_t>(problem.op_ns.size()); }
  uint32_t num_gaps() const { return static_cast<uint32_t>(gaps.size()); }
  const StagingUse& UseBefore(uint32_t gap) const { return problem.items[gaps[gap].item].uses[gaps[gap].use]; }
  const StagingUse& UseAfter(uint32_t gap) const {
    const std::vector<StagingUse>& uses = problem.items[gaps[gap].item].uses;
    return uses[gaps[gap].use + 1 < uses.size() ? gaps[gap].use + 1 : 0];
  }
  uint64_t Bytes(uint32_t gap) const { return problem.items[gaps[gap].item].bytes; }
  // Time of operation q, counted on over passes, when nothing waits.
  uint64_t BeginNs(uint32_t q) const { return q / num_ops() * busy_ns + begin_ns[q % num_ops()]; }

  const StagingProblem& problem;
  std::vector<StagingGap> gaps;
  std::vector<uint64_t> in_ns;                // by gap: the time of a fetch
  std::vector<uint64_t> out_ns;               // and of a write-back
  std::vector<std::vector<uint32_t>> ends;    // by operation: gaps that begin at its end
  std::vector<std::vector<uint32_t>> begins;  // gaps that end at its begin
  std::vector<uint64_t> fresh_bytes;          // by operation: memory of uses that it begins with no contents
  std::vector<uint64_t> held_bytes;           // by operation: all that uses hold while it runs
  std::vector<uint64_t> begin_ns;             // by operation: the time of those before it
  uint64_t busy_ns = 0;
  uint32_t peak_op = 0;  // the operation with the most held_bytes
};

// The transfers of a schedule, by gap.
struct StagingMoves {
  std::vector<bool> fetched;
  std::vector<bool> written_back;
  std::vector<std::vector<uint32_t>> fetches;  // by operation before which they get memory, in their order
};
void FindMoves(const StagingTables& tables, const StagingSchedule& schedule, StagingMoves* moves);

// Times schedules without allocating in the steady state.
class StagingClock {
 public:
  explicit StagingClock(const StagingTables& tables);
  // False when memory never suffices: failed_op, failed_bytes say where and how much would be held.
  bool Time(const StagingSchedule& schedule, StagingTimes* times);

  uint32_t failed_op() const { return failed_op_; }
  uint64_t failed_bytes() const { return failed_bytes_; }

  // Of the last pass of the last schedule, in ns of one clock: when operations began, by operation; when the fetch of a
  // gap began, by gap; and when what it followed was over: the use, or its write-back.
  const std::vector<uint64_t>& begin_ns() const { return begin_ns_; }
  const std::vector<uint64_t>& fetch_ns() const { return fetch_ns_; }
  const std::vector<uint64_t>& over_ns() const { return host_ns_; }
  const StagingMoves& moves() const { return moves_; }

 private:
  struct Release {
    uint64_t at_ns = 0;
    uint64_t bytes = 0;
  };
  bool Acquire(uint32_t op, uint64_t bytes);

  const StagingTables& tables_;
  StagingMoves moves_;
  std::vector<Release> by_ops_;  // in the order of time, each; taken from the front
  std::vector<Release> by_link_;
  size_t ops_taken_ = 0;
  size_t link_taken_ = 0;
  std::vector<uint64_t> ready_ns_;  // by operation: end of the fetches for its next run
  std::vector<uint64_t> host_ns_;   // by gap: when its contents are on the host, or its use is over
  std::vector<uint64_t> begin_ns_;
  std::vector<uint64_t> fetch_ns_;
  uint64_t held_ = 0;
  uint64_t given_ns_ = 0;  // when the last memory was given out
  uint32_t failed_op_ = 0;
  uint64_t failed_bytes_ = 0;
};

// Bytes held while each operation runs: by uses, by what stays, and by what has been fetched ahead.
std::vector<uint64_t> HeldBytes(const StagingTables& tables, const StagingSchedule& schedule);

// Which gaps' data leave, by gap; `reserve` bytes of the budget are left for fetches.
enum class StagingRule : uint8_t { kFurthestUse, kLongestGap, kOldestUse, kCleanFirst };
std::vector<bool> ChooseLeaving(const StagingTables& tables, StagingRule rule, uint64_t reserve);

// When the data that leave come back: late enough for the memory, early enough for the link. False when what stays does
// not fit. eager: as early as the memory allows.
bool PlaceFetches(const StagingTables& tables, const std::vector<bool>& leaves, bool eager, StagingSchedule* schedule);

// The rule of the paper, which what is planned must not be worse than: memory for the data of two operations serves all
// that moves, each operation's being fetched while the one before it runs; with what is left, what is used first stays
// for good. Source: Cui et al., EuroSys 2016, section 4.3.
void PlaceByPaper(const StagingTables& tables, StagingSchedule* schedule);

// Of the bound, what the operations and the load of the link alone say.
uint64_t LinkBound(const StagingTables& tables);

// kBudget: the operation would hold so many bytes.
absl::Status TooSmall(const StagingTables& tables, uint32_t op, uint64_t bytes);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_STAGING_PARTS_H_
