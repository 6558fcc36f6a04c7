// SPDX-License-Identifier: Apache-2.0
// WorldInput: what a simulated world consists of: tables, partitions, recorded plans and the passes that each worker
// makes. WorldSpec: what follows from it and never changes: the layouts, by the shipped plan::BuildLayout and the
// exchange of row sets, the options of every machine, and where each buffer lies. Shared by all copies of a world.
#ifndef GEEPS_TESTS_SIM_SPEC_H_
#define GEEPS_TESTS_SIM_SPEC_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/recorded_plan.h"
#include "runtime/protocol/contributor.h"
#include "runtime/protocol/keeper.h"
#include "runtime/protocol/sequencer.h"
#include "runtime/protocol/subscriber.h"
#include "runtime/table/partition.h"
#include "runtime/table/row_set.h"
#include "runtime/table/schema.h"
#include "tests/sim/checker.h"
#include "tests/sim/memory.h"

namespace geeps::sim {

inline constexpr uint32_t kNone = ~uint32_t{0};

// One pass of a worker's program.
struct Pass {
  uint32_t set_id = 0;
  uint32_t expected = 0;         // what the program says the next pass will be; may be wrong
  uint32_t end_step = kNone;     // plans without clock: steps of the pass that are made, kNone: all
  std::vector<uint8_t> skipped;  // by operation: 0 no, 1 at the first call, 2 at the second call
  bool fence = false;            // a plain fence comes before it, the same at every worker
};

// A get of a worker's program, beside its passes.
struct Get {
  protocol::Clock at = 0;  // when it may begin
  protocol::Age age = 0;   // what it asks for, at most `at`
  uint32_t table = 0;
  uint64_t first_row = 0;
  uint64_t num_rows = 1;
};

struct WorldInput {
  struct Table {
    table::TableSchema schema;
    std::vector<bool> mapped;  // by worker
    bool async = false;        // never mapped
    // Rule add, every read recorded as copied, never mapped.
    bool read_my_writes = false;
    std::vector<bool> observer;  // by worker, empty: nobody. Every read recorded as copied, no update, not mapped
    bool IsObserver(uint32_t w) const { return w < observer.size() && observer[w]; }
  };
  struct Worker {
    std::vector<plan::RecordedPlan> plans;  // the same names on every worker, ascending
    std::vector<Pass> passes;
    std::vector<Get> gets;    // one after another
    bool gets_go_on = false;  // those of the stage before may
  };
  struct Local {
    std::string name;
    uint64_t num_rows = 0;
    uint64_t row_bytes = 0;
  };
  uint64_t seed = 0;  // of the values
  protocol::Clock first_clock = 0;
  std::vector<Table> tables;
  std::vector<Local> locals;
  std::vector<table::Partition> partitions;
  std::vector<Worker> workers;
  bool params_differ = false;  // a rule's parameters change from clock to clock
};

// Ids of tables and local data in recorded plans.
inline uint64_t TableObject(uint32_t table) { return 100 + table; }
inline uint64_t LocalObject(uint32_t local) { return 500 + local; }

struct ParticipantSpec {
  uint32_t rank = 0;
  bool observer = false;
  bool mapped = false;
  uint32_t subscription = 0;           // index in the worker's table
  std::vector<table::RowSet> updates;  // by set id, rows relative to the partition
  std::vector<uint32_t> read_rows;     // relative to the partition
  std::vector<uint32_t> landing;       // offsets of the W landing slots; none when mapped
  uint32_t landing_values = 0;
};

struct PartitionSpec {
  table::Partition where;
  bool any_mapped = false;
  std::vector<ParticipantSpec> participants;
  protocol::KeeperOptions options;
  std::vector<uint32_t> versions;  // offsets
  std::vector<uint32_t> states;    // offsets, by state array of the rule
  uint32_t num_values = 0;
};

struct SubscriptionSpec {
  uint32_t partition = 0;
  uint32_t participant = 0;            // index there
  uint32_t contributor_index = kNone;  // kNone: the partition is frozen
  uint32_t landing = kNone;            // offset; kNone: mapped, lands in the cache, or no rows
  uint32_t cache = 0;                  // offset of its block of the cache; unused when mapped
  uint32_t num_values = 0;             // of that block
};

struct WorkerTableSpec {
  bool mapped = false;
  uint32_t cache = 0;         // offset; unused when mapped
  std::vector<uint32_t> log;  // offsets of the L entries
  std::vector<SubscriptionSpec> subscriptions;
  std::vector<uint32_t> subscription_of_partition;  // by partition - first partition of the table
  std::vector<uint32_t> contributions;              // by contributor index: subscription
  std::vector<uint32_t> keepers;                    // ranks, by keeper index of the contributor
  protocol::ContributorOptions contributor;
};

// Read-my-writes: a row of an update that the worker reads, too.
struct OwnRow {
  uint32_t view_row = 0;   // of the operation
  uint32_t log_row = 0;    // of the entry
  uint32_t cache_row = 0;  // of the worker's cache
  uint32_t subscription = 0;
  bool first = false;  // no earlier update of the pass has this row
};

struct WorkerSpec {
  plan::WorkerLayout layout;
  protocol::SequencerOptions sequencer;
  std::vector<WorkerTableSpec> tables;
  uint32_t arena = 0;                                      // offset
  std::vector<uint32_t> answers;                           // offsets by partition, where gets land; none without gets
  std::vector<std::vector<std::vector<OwnRow>>> own_rows;  // [plan][op]: updates of tables with read-my-writes
};

struct WorldSpec {
  WorldInput input;
  uint32_t world = 1;
  std::vector<uint32_t> slack_max;                      // by table
  std::vector<uint32_t> first_partition;                // by table
  std::vector<std::vector<uint32_t>> partition_of_row;  // [table][row]
  std::vector<PartitionSpec> partitions;
  std::vector<WorkerSpec> workers;
  CheckedWorld checked;
  MemoryMap map;

  uint32_t lanes(uint32_t table) const { return static_cast<uint32_t>(input.tables[table].schema.row_values); }
};

// Calls fn(to, from) for each row of an index.
template <typename Fn>
void ForEachRow(const plan::RowIndex& index, Fn&& fn) {
  for (const plan::RowIndex::Run& run : index.runs) {
    for (uint64_t i = 0; i < run.count; ++i) fn(run.to + i, run.from + i);
  }
  for (const plan::RowIndex::Pair& pair : index.pairs) fn(uint64_t{pair.to}, uint64_t{pair.from});
}

// Rule parameters of a table at a clock, the first one changing if the seed says so: as many as any rule has.
std::vector<double> ParamsAt(uint64_t seed, uint32_t table, protocol::Clock clock);

// What worker `rank` puts into lane `lane` of `row` in operation `op` at `clock`: a vector clock with a checksum, or
// any number.
double UpdateValue(const WorldSpec& spec, uint32_t rank, protocol::Clock clock, uint64_t op, uint32_t table,
                   uint64_t row, uint32_t lane);

// Errors: those of the layout; none is expected of a well-formed input.
absl::StatusOr<std::shared_ptr<const WorldSpec>> BuildSpec(WorldInput input);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_SPEC_H_
