// SPDX-License-Identifier: Apache-2.0
// A drawn job of local data, for budgets of device memory: accesses of every kind, also open at once and skipped, in
// two plans that take turns, beside a table. What each access finds is compared with what was left there.
#ifndef GEEPS_TESTS_SYSTEM_STAGED_JOB_H_
#define GEEPS_TESTS_SYSTEM_STAGED_JOB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/system/scenario.h"

namespace geeps::system_test {

class StagedJob {
 public:
  explicit StagedJob(uint64_t seed);

  // All that is wrong; empty: nothing. With device_memory = 0 there is no limit. streams: where views are memory of a GPU
  // they are handed out and back in the order of a stream.
  std::string Run(const Setup& setup, uint64_t device_memory, bool streams = false) const;

  // Bytes of all local data.
  uint64_t local_bytes() const;

 private:
  struct Data {
    uint64_t num_rows = 0;
    uint64_t row_bytes = 0;
  };
  // A call of the plan: the first or the second one of an access, or a read and an update of the table.
  struct Call {
    enum class Kind { kBegin, kEnd, kTable };
    Kind kind = Kind::kTable;
    uint32_t access = 0;
  };
  struct Access {
    uint32_t data = 0;
    uint64_t first = 0;
    uint64_t count = 0;
    uint32_t flags = 0;
  };
  struct Plan {
    std::vector<Access> accesses;
    std::vector<Call> calls;
  };
  class Player;

  void DrawPlan(Random* random, Plan* plan) const;
  void DrawFetches(Random* random);
  // By data and row: what is kept behind a pass that began with this.
  using Kept = std::vector<std::vector<bool>>;
  Kept KeptBehind(const Plan& plan, Kept kept) const;

  uint64_t seed_;
  std::vector<Data> data_;
  std::vector<Plan> plans_;
};

// What tables and access buffers take, and what local data take at least besides, as refusals say it.
struct MemoryNeeds {
  uint64_t tables = 0;
  uint64_t local = 0;
};
MemoryNeeds FindMemoryNeeds(const StagedJob& job, const Setup& setup);

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_STAGED_JOB_H_
