// SPDX-License-Identifier: Apache-2.0
// Ledger: what each worker has added to each row, as sums up to each of its clocks. With it the checker tells which
// clocks of whom a vector-clock row contains, where no version says so. One thread at a time.
#ifndef GEEPS_TESTS_SIM_LEDGER_H_
#define GEEPS_TESTS_SIM_LEDGER_H_

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "absl/types/span.h"
#include "runtime/protocol/types.h"

namespace geeps::sim {

class Ledger {
 public:
  struct Entry {
    protocol::Clock clock = 0;
    std::vector<double> sum;  // of all values up to this clock, it included
  };

  // Clocks of a worker ascend.
  void Add(uint32_t rank, uint32_t table, protocol::Clock clock, uint64_t row, absl::Span<const double> values);
  // The clocks in which `rank` has added something to `row`, ascending.
  absl::Span<const Entry> EntriesOf(uint32_t rank, uint32_t table, uint64_t row) const;
  // Value `index` of what `rank` has added to `row` in clocks below `end`.
  double SumBelow(uint32_t rank, uint32_t table, uint64_t row, uint32_t index, protocol::Clock end) const;

 private:
  std::map<std::tuple<uint32_t, uint32_t, uint64_t>, std::vector<Entry>> entries_;  // by rank, table, row
};

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_LEDGER_H_
