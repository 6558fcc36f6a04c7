// SPDX-License-Identifier: Apache-2.0
// Expected: what the reads and gets of a scenario may show, row by row (whole versions: slack_test). A bounded table:
// the bits of one version within the slack, from the sequential reference. One that is async or has read-my-writes
// counts (counts.h), and a row must show what that promises of every worker. Thread contract: constant once made.
#ifndef GEEPS_TESTS_SYSTEM_SCENARIO_EXPECT_H_
#define GEEPS_TESTS_SYSTEM_SCENARIO_EXPECT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/system/counts.h"
#include "tests/system/scenario.h"

namespace geeps::system_test {

// What a worker sees in one read or get.
struct Sight {
  uint32_t rank = 0;
  uint32_t phase = 0;
  uint64_t clock = 0;
  uint64_t place = 0;  // PlaceOf
  uint32_t table = 0;
  uint32_t slack = 0;
  bool is_get = false;
  uint64_t min_age = 0;  // a get: of its result
  uint64_t max_age = 0;  // unused by a get
  std::vector<uint64_t> rows;
  const uint8_t* values = nullptr;  // [rows][row_values]
};

// Grows along a worker's program.
inline uint64_t PlaceOf(uint64_t phase, uint64_t pass, uint64_t step) { return phase << 40 | pass << 20 | step; }

class Expected {
 public:
  explicit Expected(const Scenario& scenario);

  // Empty, or what is wrong. before: what the same operation has seen in this phase, at first empty; it must not go
  // back.
  std::string Check(const Sight& sight, std::vector<uint64_t>* before) const;

 private:
  struct Ages {
    uint64_t oldest = 0;
    uint64_t newest = 0;
  };

  void AddSets(uint32_t phase);
  void AddUpdates(uint32_t phase);
  void AddOperation(const OpSpec& op, uint32_t op_index, uint32_t rank, uint64_t clock, RowValues* into) const;
  void CountOperation(const OpSpec& op, uint32_t op_index, uint32_t rank, const Counts::Update& update);
  // The version that a phase's index stands for: sets append one, in every phase.
  const uint8_t* Version(const Sight& sight, uint64_t age, uint64_t row) const {
    return references_[sight.table].Row(age - scenario_.options.first_clock + sight.phase + 1, row);
  }

  bool Observes(const Sight& sight) const { return scenario_.modes[sight.table].observer == sight.rank; }
  // Of the versions that may show.
  Ages AgesOf(const Sight& sight) const;
  std::string CheckAges(const Sight& sight, std::vector<uint64_t>* before) const;
  std::string CheckBits(const Sight& sight, uint64_t index) const;
  std::string CheckCounts(const Sight& sight, uint64_t index, uint64_t* before) const;
  bool Shows(const Sight& sight, uint64_t row, const std::vector<Counts::Prefix>& prefixes) const;

  const Scenario& scenario_;
  std::vector<Reference> references_;  // by table, up to the last clock
  std::vector<Counts> counts_;         // by table
  // By phase: the clock at which its epoch begins, where copies of async tables are equal. A fence without sets keeps
  // it.
  std::vector<uint64_t> epoch_clocks_;
};

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_SCENARIO_EXPECT_H_
