// SPDX-License-Identifier: Apache-2.0
// ShardPartition: the values, the rule state and the step counts of one partition in its keeper's memory. It outlives
// commits: a new commit takes it over, or copies its values when they move into memory that peers map. Thread contract:
// the mover thread; shared ownership between the epoch in force and the one being built.
#ifndef GEEPS_RUNTIME_CACHE_SHARD_H_
#define GEEPS_RUNTIME_CACHE_SHARD_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/cache/home.h"
#include "runtime/device/device.h"
#include "runtime/table/partition.h"
#include "runtime/table/schema.h"

namespace geeps::cache {

struct ShardPartition {
  const Home* home = nullptr;               // where all of it lies and is worked on
  uint8_t* values = nullptr;                // [num_rows, row_values], table dtype: the newest version
  device::Memory memory;                    // owns `values`; empty when a segment does
  std::shared_ptr<void> segment;            // owns `values` when peers map them
  std::shared_ptr<device::Memory> masters;  // [num_rows, row_values], accumulate dtype where that is not the table's
  std::shared_ptr<device::Memory> states[table::kMaxRuleStates];  // [num_rows, row_values] each, accumulate dtype
  std::shared_ptr<device::Memory> steps;                          // [num_rows] uint64, of a rule that counts them
};

// A partition of a table that is new: initial values, rule state and step counts zero. `mapped`: where the values must
// lie, or nullptr for own memory. The home outlives the partition.
absl::StatusOr<std::shared_ptr<ShardPartition>> NewShardPartition(const Home& home, const table::TableSchema& schema,
                                                                  const table::Partition& partition, uint8_t* mapped,
                                                                  std::shared_ptr<void> segment);

// The same partition with its values at another place (`mapped`, or own memory when nullptr); rule state and
// step counts are shared with `old`.
absl::StatusOr<std::shared_ptr<ShardPartition>> MovedShardPartition(const ShardPartition& old, uint64_t bytes,
                                                                    uint8_t* mapped, std::shared_ptr<void> segment);

// Puts rows first_row .. first_row + num_rows - 1 of the partition in place of the old ones; their state and step
// counts become zero unless keep_state. values: [num_rows, row_values], table dtype. Returns when it is done, as
// ReadValues does. REQUIRES: no work of the device on the shard is under way.
absl::Status WriteRows(const table::TableSchema& schema, uint64_t first_row, uint64_t num_rows, const void* values,
                       bool keep_state, ShardPartition* shard);

// What lies at `values` of a partition at home here, after the work of its stream so far, goes to `out`. Where the host
// cannot reach it the calling thread sleeps until it has been copied: for what is no part of a clock.
absl::Status ReadValues(const Home& home, const uint8_t* values, uint64_t bytes, void* out);

// By object id of the table and first row.
using ShardMap = std::map<std::pair<uint64_t, uint64_t>, std::shared_ptr<ShardPartition>>;

}  // namespace geeps::cache

#endif  // GEEPS_RUNTIME_CACHE_SHARD_H_
