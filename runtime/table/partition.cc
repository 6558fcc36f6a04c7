// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/partition.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace geeps::table {
namespace {

uint64_t DivideUp(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

}  // namespace

absl::StatusOr<uint32_t> PartitionMap::Append(const TableSchema& schema) {
  // A keeper without a row would be none, hence the third bound.
  const uint64_t num_keepers =
      std::min({std::max<uint64_t>(schema.bytes() / kSpreadBytes, 1), uint64_t{world_}, schema.num_rows});
  TableEntry entry;
  entry.first_partition = num_partitions();
  entry.first_keeper = next_keeper_;
  entry.num_keepers = static_cast<uint32_t>(num_keepers);
  entry.share_rows = DivideUp(schema.num_rows, num_keepers);
  entry.num_larger_shares = schema.num_rows - (entry.share_rows - 1) * num_keepers;
  entry.partition_rows = std::max<uint64_t>(schema.partition_bytes / schema.row_bytes(), 1);
  const uint64_t num_new =
      entry.num_larger_shares * DivideUp(entry.share_rows, entry.partition_rows) +
      (num_keepers - entry.num_larger_shares) * DivideUp(entry.share_rows - 1, entry.partition_rows);
  if (num_new > kPartitionsMax - num_partitions()) {
    return Invalid("table ", schema.name, " would have ", num_new, " partitions of at most ", schema.partition_bytes,
                   " bytes; with the ", num_partitions(), " there are, at most ", kPartitionsMax, " are possible");
  }
  entry.num_partitions = static_cast<uint32_t>(num_new);

  const uint32_t table = num_tables();
  uint64_t row = 0;
  for (uint64_t share = 0; share < num_keepers; ++share) {
    const uint64_t end = row + entry.share_rows - (share < entry.num_larger_shares ? 0 : 1);
    const uint32_t keeper = static_cast<uint32_t>((entry.first_keeper + share) % world_);
    while (row < end) {
      const uint64_t num_rows = std::min(entry.partition_rows, end - row);
      partitions_.push_back({table, keeper, row, num_rows});
      row += num_rows;
    }
  }
  next_keeper_ = static_cast<uint32_t>((entry.first_keeper + num_keepers) % world_);
  tables_.push_back(entry);
  return table;
}

uint32_t PartitionMap::PartitionOf(uint32_t table, uint64_t row) const {
  const TableEntry& entry = tables_[table];
  const uint64_t share_partitions = DivideUp(entry.share_rows, entry.partition_rows);
  const uint64_t larger_rows = entry.num_larger_shares * entry.share_rows;
  uint64_t position;
  if (row < larger_rows) {
    position = row / entry.share_rows * share_partitions + row % entry.share_rows / entry.partition_rows;
  } else {
    const uint64_t smaller_share = entry.share_rows - 1;
    const uint64_t rest = row - larger_rows;
    position = entry.num_larger_shares * share_partitions +
               rest / smaller_share * DivideUp(smaller_share, entry.partition_rows) +
               rest % smaller_share / entry.partition_rows;
  }
  return entry.first_partition + static_cast<uint32_t>(position);
}

}  // namespace geeps::table
