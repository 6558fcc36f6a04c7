// SPDX-License-Identifier: Apache-2.0
// Counts: a table whose rows say what they contain. A row has a lane for each worker, to which each of that worker's
// updates adds 1, and behind the lanes columns that all hold the same number: the sum of a whole number drawn for each
// update, which shows that each was taken in exactly once. A lane is then the length of a prefix of the worker's
// updates of the row, and what modes promise is a question about prefixes. Contract: plain values; made by one thread,
// then constant.
#ifndef GEEPS_TESTS_SYSTEM_COUNTS_H_
#define GEEPS_TESTS_SYSTEM_COUNTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/system/reference.h"

namespace geeps::system_test {

class Counts {
 public:
  struct Update {
    uint32_t phase = 0;
    uint64_t clock = 0;
    uint64_t place = 0;  // in its worker's program; grows
    double mark = 0;
  };
  // What a row shows of one worker: `count` of its updates, which are those of all clocks below any of `least` to
  // `most`, unless they end inside a clock.
  struct Prefix {
    uint64_t count = 0;
    bool whole = true;
    uint64_t least = 0;
    uint64_t most = UINT64_MAX;
  };

  Counts(const TableSpec& spec, uint32_t world);

  // Phases begin with 0; sets of a phase come before its updates, and updates of a worker in their order.
  void BeginPhase();
  void Set(uint64_t row, double mark);
  void Add(uint64_t row, uint32_t rank, const Update& update);

  // By rank; empty when the row shows no such prefixes. values: the row, of the table's dtype.
  std::vector<Prefix> PrefixesOf(uint32_t phase, uint64_t row, const uint8_t* values) const;
  // How many updates of `rank` stand before `place` of the phase in its program, since the row was set last.
  uint64_t CountBefore(uint32_t phase, uint64_t row, uint32_t rank, uint64_t place) const;

 private:
  struct Base {
    uint32_t since = 0;  // phase
    double mark = 0;
  };
  const std::vector<Update>& UpdatesOf(uint64_t row, uint32_t rank) const { return updates_[row * world_ + rank]; }
  // The first of `rank` that counts on top of the base.
  uint64_t FirstOf(const Base& base, uint64_t row, uint32_t rank) const;

  const TableSpec spec_;
  const uint32_t world_;
  std::vector<std::vector<Base>> bases_;      // [phase][row]
  std::vector<std::vector<Update>> updates_;  // [row][rank]
};

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_COUNTS_H_
