// SPDX-License-Identifier: Apache-2.0
// What a scenario's updates and sets hold: functions of (seed, rank, clock, operation, row, column), so that those who
// expect and the worker that writes the buffer agree without talking to each other. Thread contract: pure functions.
#ifndef GEEPS_TESTS_SYSTEM_SCENARIO_VALUES_H_
#define GEEPS_TESTS_SYSTEM_SCENARIO_VALUES_H_

#include <cmath>
#include <vector>

#include "tests/system/scenario.h"

namespace geeps::system_test {

// Which update or set a row belongs to.
struct ValueKey {
  uint32_t rank;
  uint64_t clock;  // a set: kSetClock + phase
  uint32_t op;     // a set: which of the phase
};
constexpr uint64_t kSetClock = 1'000'000;

// The rows of a set, one by one.
inline std::vector<uint64_t> RowsOf(const std::vector<geeps_rows>& runs, uint64_t num_rows) {
  std::vector<uint64_t> rows;
  for (const geeps_rows& run : runs) {
    const uint64_t end = run.count == GEEPS_TO_END ? num_rows : run.first + run.count;
    for (uint64_t row = run.first; row < end; ++row) rows.push_back(row);
  }
  return rows;
}

inline uint64_t DrawBits(uint64_t seed, const ValueKey& key, uint64_t row, uint64_t column) {
  Random random(seed * 1000003 + key.rank * 10007 + key.clock * 101 + key.op);
  return Random(random.Next() + row * 65537 + column).Next();
}

// Magnitudes differ by up to 2^16, so that the order of a sum shows in its bits.
inline double DrawValue(uint64_t seed, const ValueKey& key, uint64_t row, uint64_t column) {
  const uint64_t bits = DrawBits(seed, key, row, column);
  const double unit = static_cast<double>(bits >> 12) * 0x1p-52;
  const double value = std::ldexp(0.5 + unit, static_cast<int>(bits % 17) - 8);
  return (bits & 0x800) != 0 ? -value : value;
}

// What the columns after the lanes of a table that counts get: whole numbers whose sums are exact.
inline double DrawMark(uint64_t seed, const ValueKey& key, uint64_t row) {
  return static_cast<double>(DrawBits(seed, key, row, 0) % 1024);
}

// One row of an update, [row_values] of the table's dtype. An update handed out zeroed gets every second value only; in
// a table that counts its own lane and the marks.
inline void WriteContribution(const Scenario& scenario, const ValueKey& key, const OpSpec& op, uint64_t row,
                              uint8_t* out) {
  const TableSpec& table = scenario.tables[op.table];
  const uint64_t seed = scenario.options.seed;
  const bool zeroed = (op.flags & GEEPS_UPDATE_ZEROED) != 0;
  for (uint64_t column = 0; column < table.row_values; ++column) {
    double number = 0;
    if (scenario.modes[op.table].counts()) {
      number = column >= scenario.options.world ? DrawMark(seed, key, row) : column == key.rank ? 1 : 0;
    } else if (!zeroed || (row + column) % 2 == 0) {
      number = DrawValue(seed, key, row, column);
    }
    StoreNumber(table.dtype, number, out + column * table.value_bytes());
  }
}

// One row of a set, in the same shape; in a table that counts nothing is counted in it yet.
inline void WriteSetRow(const Scenario& scenario, const ValueKey& key, uint32_t t, uint64_t row, uint8_t* out) {
  const TableSpec& table = scenario.tables[t];
  const uint64_t seed = scenario.options.seed;
  for (uint64_t column = 0; column < table.row_values; ++column) {
    double number = DrawValue(seed, key, row, column);
    if (scenario.modes[t].counts()) number = column >= scenario.options.world ? DrawMark(seed, key, row) : 0;
    StoreNumber(table.dtype, number, out + column * table.value_bytes());
  }
}

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_SCENARIO_VALUES_H_
