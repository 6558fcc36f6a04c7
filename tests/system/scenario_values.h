// SPDX-License-Identifier: Apache-2.0
// What a scenario's updates hold: functions of (seed, rank, clock, operation, row, column), so that the reference and
// the worker that writes the buffer agree without talking to each other. Thread contract: pure functions.
#ifndef GEEPS_TESTS_SYSTEM_SCENARIO_VALUES_H_
#define GEEPS_TESTS_SYSTEM_SCENARIO_VALUES_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/system/scenario.h"

namespace geeps::system_test {

struct ContributionKey {
  uint64_t seed;
  uint32_t rank;
  uint64_t clock;
  uint32_t op;
};

// The rows of a set, one by one.
inline std::vector<uint64_t> RowsOf(const std::vector<geeps_rows>& runs, uint64_t num_rows) {
  std::vector<uint64_t> rows;
  for (const geeps_rows& run : runs) {
    const uint64_t end = run.count == GEEPS_TO_END ? num_rows : run.first + run.count;
    for (uint64_t row = run.first; row < end; ++row) rows.push_back(row);
  }
  return rows;
}

// Magnitudes differ by up to 2^16, so that the order of a sum shows in its bits.
inline double DrawValue(const ContributionKey& key, uint64_t row, uint64_t column) {
  Random random(key.seed * 1000003 + key.rank * 10007 + key.clock * 101 + key.op);
  Random cell(random.Next() + row * 65537 + column);
  const uint64_t bits = cell.Next();
  const double unit = static_cast<double>(bits >> 12) * 0x1p-52;
  const double value = std::ldexp(0.5 + unit, static_cast<int>(bits % 17) - 8);
  return (bits & 0x800) != 0 ? -value : value;
}

// One row of an update, [row_values] of the table's dtype. An update handed out zeroed gets every second value only.
inline void WriteContribution(const ContributionKey& key, const OpSpec& op, const TableSpec& table, uint64_t row,
                              uint8_t* out) {
  const bool zeroed = (op.flags & GEEPS_UPDATE_ZEROED) != 0;
  for (uint64_t column = 0; column < table.row_values; ++column) {
    const bool left_out = zeroed && (row + column) % 2 == 1;
    StoreNumber(table.dtype, left_out ? 0 : DrawValue(key, row, column), out + column * table.value_bytes());
  }
}

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_SCENARIO_VALUES_H_
