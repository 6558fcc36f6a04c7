// SPDX-License-Identifier: Apache-2.0
// PartitionMap: how tables are cut into partitions and who keeps each: a pure function of the schemas, in the order in
// which they were appended, and of the world size. No value of a table depends on it.
//
// A table is spread over k = clamp(bytes / 64 KiB, 1, N) consecutive keepers, the first of which follows the last
// keeper of the table before it; each keeper's share, an equal number of rows give or take one, is cut into partitions
// of at most partition_bytes (a row that is longer is a partition of its own).
// Thread contract: one writer at a time; const functions from any thread between appends.
#ifndef GEEPS_RUNTIME_TABLE_PARTITION_H_
#define GEEPS_RUNTIME_TABLE_PARTITION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/table/schema.h"

namespace geeps::table {

struct Partition {
  uint32_t table = 0;   // index in order of Append
  uint32_t keeper = 0;  // rank
  uint64_t first_row = 0;
  uint64_t num_rows = 0;
  uint64_t end_row() const { return first_row + num_rows; }
};

class PartitionMap {
 public:
  // Bytes below which a table is not spread over a further keeper.
  static constexpr uint64_t kSpreadBytes = 64 * 1024;
  static constexpr uint32_t kPartitionsMax = 1u << 22;

  // REQUIRES: world >= 1.
  explicit PartitionMap(uint32_t world) : world_(world) {}

  // Adds a table behind the others, whose partitions stay as they are, and returns its index.
  // Errors: Invalid when there would be more than kPartitionsMax partitions; the map is unchanged.
  absl::StatusOr<uint32_t> Append(const TableSchema& schema);

  uint32_t world() const { return world_; }
  uint32_t num_tables() const { return static_cast<uint32_t>(tables_.size()); }
  uint32_t num_partitions() const { return static_cast<uint32_t>(partitions_.size()); }
  // By global id: consecutive within a table, tables in order.
  absl::Span<const Partition> partitions() const { return partitions_; }
  const Partition& partition(uint32_t id) const { return partitions_[id]; }

  // Ids of a table's partitions: FirstPartition(t) .. FirstPartition(t) + NumPartitions(t) - 1, in the order of their
  // rows. REQUIRES: table < num_tables().
  uint32_t FirstPartition(uint32_t table) const { return tables_[table].first_partition; }
  uint32_t NumPartitions(uint32_t table) const { return tables_[table].num_partitions; }
  // The global id of the partition that has the row. A few operations, no search. REQUIRES: the row exists.
  uint32_t PartitionOf(uint32_t table, uint64_t row) const;
  // The first keeper of the table and the number of consecutive ones (mod world).
  uint32_t FirstKeeper(uint32_t table) const { return tables_[table].first_keeper; }
  uint32_t NumKeepers(uint32_t table) const { return tables_[table].num_keepers; }

 private:
  struct TableEntry {
    uint32_t first_partition;
    uint32_t num_partitions;
    uint32_t first_keeper;
    uint32_t num_keepers;
    uint64_t share_rows;         // rows of the larger shares
    uint64_t num_larger_shares;  // the first ones; the others have one row less
    uint64_t partition_rows;     // most rows of a partition
  };

  const uint32_t world_;
  uint32_t next_keeper_ = 0;
  std::vector<TableEntry> tables_;
  std::vector<Partition> partitions_;
};

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_PARTITION_H_
