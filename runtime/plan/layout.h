// SPDX-License-Identifier: Apache-2.0
// WorkerLayout: what the plans committed together mean for one worker: which rows its parameter cache holds and where,
// the shape of the log entries, which accesses need no copy, the prebuilt indexes of the others, and what each keeper
// must be told. Everything is derived here once, at commit; the movers only execute it.
// Pure.
//
// Memory shapes
//   cache of table T   [cache_rows(T), row_values]: the rows of R(w,T) dense and ascending; with `mapped` all rows of
//                      the table, at their own row numbers (the keepers' version buffers). A publish of partition p is
//                      one block of it.
//   log entry of T     under plan q: [U(w,T,q), row_values], dense and ascending: a contribution to partition p is one
//                      block of it.
//   access buffers     one arena; every copied operation has a fixed offset in it.
#ifndef GEEPS_RUNTIME_PLAN_LAYOUT_H_
#define GEEPS_RUNTIME_PLAN_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/plan/recorded_plan.h"
#include "runtime/plan/row_index.h"
#include "runtime/table/partition.h"
#include "runtime/table/row_set.h"
#include "runtime/table/schema.h"

namespace geeps::plan {

// A block of rows of one partition inside the worker's dense arrays.
struct Block {
  uint64_t first = 0;  // row in the dense array
  uint64_t rows = 0;
};

// Read-my-writes: the rows of one update that lie in one partition and that the worker reads.
struct OwnPart {
  uint32_t subscription = 0;
  RowIndex again;  // those that it is the first of its pass to update: to = row of the cache, from = row of the log entry
};

struct PlannedOp {
  OpKind kind = OpKind::kRead;
  uint32_t table = 0;  // index into WorkerLayout::tables; local: index of the local data
  uint32_t slack = 0;
  uint32_t flags = 0;
  uint64_t num_rows = 0;
  bool in_place = false;       // read: the cache itself; update: the log itself. Local: always
  uint64_t place_row = 0;      // in place: first row in the cache, in the log entry, or in the local data
  uint64_t buffer_offset = 0;  // copied: bytes into the access-buffer arena
  uint64_t buffer_bytes = 0;
  RowIndex gather;  // copied read: to = row of the buffer, from = row of the cache
  RowIndex
      store;     // copied update, rows whose first update of the pass this is: to = row of the log entry, from = buffer
  RowIndex add;  // the other rows
  // Indexes into TableLayout::subscriptions, ascending: of a read, all that it touches; of an update with
  // read-my-writes, those of own_parts.
  std::vector<uint32_t> subscriptions;
  bool any_version = false;  // read of an async table, or of an observer: filled again until it is handed out
  // Read-my-writes. Reads: the updates of the same plan that end before this read begins and share a row with it.
  std::vector<uint32_t> own_updates;
  RowIndex own_add;  // updates: to = row of the cache, from = row of the buffer (in place: of the log entry)
  std::vector<OwnPart> own_parts;
  bool holds_until_post =
      false;  // R1: in place: the post ends the hold; else the fill, or the hand-out when it is filled again
};

struct PlannedTable {                // one table under one plan
  uint64_t log_rows = 0;             // |U(w,T,q)|
  std::vector<Block> contributions;  // by index of TableLayout::subscriptions; rows 0: EMPTY there
  uint32_t num_updates = 0;
  uint32_t num_holds = 0;         // what must happen before the fire: updates, fills, hand-outs and posts (R1)
  uint32_t last_update_step = 0;  // for the explanation
  uint32_t fire_step = 0;         // step after which the table can be fired; steps.size(): at the clock
};

struct PlannedPass {
  std::string name;
  bool no_clock = false;
  std::vector<Step> steps;
  std::vector<PlannedOp> ops;
  std::vector<PlannedTable> tables;  // by table index
};

struct Subscription {                  // a partition in which the worker takes part
  uint32_t partition = 0;              // global id
  Block block;                         // R(w,p) in the cache, mapped: the whole partition; rows 0: HEADER_ONLY
  table::RowSet reads;                 // R(w,p), table rows
  std::vector<table::RowSet> updates;  // U(w,p,q), by plan
};

struct TableLayout {
  uint32_t slack_max = 0;  // largest slack of this worker's reads (async: kAsyncSlack); the agreed maximum comes with GO
  bool observer = false;
  uint64_t cache_rows = 0;
  uint64_t log_rows_max = 0;                // rows of the largest log entry over the plans
  std::vector<Subscription> subscriptions;  // ascending partitions
};

struct LocalLayout {
  uint64_t object = 0;
  uint64_t num_rows = 0;
  uint64_t row_bytes = 0;
  std::vector<uint64_t> segment_first;  // atomic runs of rows: no operation cuts one; for the kept flags
  std::vector<uint64_t> segment_rows;
};

struct WorkerLayout {
  std::vector<PlannedPass> plans;  // ascending names; index = set id
  std::vector<TableLayout> tables;
  std::vector<LocalLayout> locals;
  std::vector<std::vector<std::vector<uint32_t>>> local_segments;  // [plan][op]: segments of a local access
  uint64_t arena_bytes = 0;                                        // all access buffers
};

struct LayoutInput {
  struct Table {
    uint64_t object = 0;
    table::TableSchema schema;
    uint32_t first_partition = 0;
    uint32_t num_partitions = 0;
    bool mapped = false;    // REQUIRES: neither async, nor with read-my-writes, nor observed by anybody
    bool observer = false;  // this worker reads and takes no part. REQUIRES: no own plan updates the table
    table::ShardPlace shard = table::ShardPlace::kAuto;
  };
  struct Local {
    uint64_t object = 0;
    std::string name;
    uint64_t num_rows = 0;
    uint64_t row_bytes = 0;
  };
  std::vector<Table> tables;  // ascending names: the same order on all workers
  std::vector<Local> locals;
  absl::Span<const table::Partition> partitions;  // by global id
  std::vector<const RecordedPlan*> plans;         // ascending names
  // Agreed slack maxima by table (from GO); empty before the agreement: the worker's own are used.
  std::vector<uint32_t> slack_max;
};

// R9: a read is in place when its rows are contiguous in the cache, the operation is not READ_COPY, the table is neither
// async nor with read-my-writes, this worker is no observer, and the table's slack_max is 0, or the table is mapped and
// the read touches one partition. An update is in place when its rows are
// contiguous in the log entry and it is the first update (in the order of the `update` calls) of all of them.
// Every copied operation has its own part of the arena: the operations of the next pass are prepared while this one
// runs, each as soon as its own buffer is handed back, whatever the others hold.
// Errors: Invalid when an operation names a table, local data or rows that are not there, two plans of one name, slack
// maxima that do not fit; NoMemory for sizes that no memory has.
absl::StatusOr<WorkerLayout> BuildLayout(const LayoutInput& input);

// What keeper `keeper` must be told about this worker's row sets, as bytes for the exchange, and back. Every count is
// checked against the partition map before anything is allocated.
struct PartitionSets {
  uint32_t partition = 0;
  bool observer = false;               // then no updates
  table::RowSet reads;                 // R(w,p), table rows
  std::vector<table::RowSet> updates;  // U(w,p,q), by plan
};
std::string EncodeSets(const WorkerLayout& layout, absl::Span<const table::Partition> partitions, uint32_t keeper);
absl::StatusOr<std::vector<PartitionSets>> DecodeSets(absl::string_view bytes,
                                                      absl::Span<const table::Partition> partitions, uint32_t keeper,
                                                      uint32_t num_plans);

// Text of geeps_plan_explain, format "text" or "json": operations, bytes (cache, log, buffers, moved per pass), which
// accesses are in place and why the others are not, tables fired later than their last update and the operation that
// holds them. Works on a plan alone, before any commit.
// Errors: Invalid for another format, NotFound for a plan that is not in the layout.
absl::StatusOr<std::string> Explain(const WorkerLayout& layout, const RecordedPlan& plan, const LayoutInput& input,
                                    absl::string_view format);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_LAYOUT_H_
