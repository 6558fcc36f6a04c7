// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/ledger.h"

namespace geeps::sim {

using protocol::Clock;

void Ledger::Add(uint32_t rank, uint32_t table, Clock clock, uint64_t row, absl::Span<const double> values) {
  std::vector<Entry>& entries = entries_[{rank, table, row}];
  if (entries.empty() || entries.back().clock != clock) {
    entries.push_back({clock, entries.empty() ? std::vector<double>(values.size(), 0.0) : entries.back().sum});
  }
  for (size_t i = 0; i < values.size(); ++i) entries.back().sum[i] += values[i];
}

absl::Span<const Ledger::Entry> Ledger::EntriesOf(uint32_t rank, uint32_t table, uint64_t row) const {
  const auto found = entries_.find({rank, table, row});
  if (found == entries_.end()) return {};
  return found->second;
}

double Ledger::SumBelow(uint32_t rank, uint32_t table, uint64_t row, uint32_t index, Clock end) const {
  double sum = 0.0;
  for (const Entry& entry : EntriesOf(rank, table, row)) {
    if (entry.clock >= end) break;
    sum = entry.sum[index];
  }
  return sum;
}

}  // namespace geeps::sim
