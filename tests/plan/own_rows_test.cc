// SPDX-License-Identifier: Apache-2.0
// Where own updates lie in the cache (read-my-writes), against counting row by row.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

#include "runtime/protocol/types.h"
#include "tests/plan/builder.h"

namespace geeps::plan {
namespace {

using RowMap = std::map<uint64_t, uint64_t>;  // cache row: other row

RowMap RowsOf(const RowIndex& index) {
  RowMap rows;
  for (const RowIndex::Run& run : index.runs) {
    for (uint64_t i = 0; i < run.count; ++i) REQUIRE(rows.emplace(run.to + i, run.from + i).second);
  }
  for (const RowIndex::Pair& pair : index.pairs) REQUIRE(rows.emplace(pair.to, pair.from).second);
  return rows;
}

uint64_t RankIn(const std::set<uint64_t>& rows, uint64_t row) {
  return static_cast<uint64_t>(std::distance(rows.begin(), rows.find(row)));
}

table::RowSet Draw(std::mt19937_64* random, uint64_t num_rows) {
  std::vector<uint64_t> rows;
  const uint64_t sparse = 1 + (*random)() % 6;
  for (uint64_t row = 0; row < num_rows; ++row) {
    if ((*random)() % sparse == 0) rows.push_back(row);
  }
  return RowList(rows);
}

void Insert(const table::RowSet& rows, std::set<uint64_t>* into) {
  rows.ForEachRow([&](uint64_t row) { into->insert(row); });
}

// One plan of one table: every index says what counting says.
void Check(const Job& job, const RecordedPlan& plan, const WorkerLayout& layout) {
  std::set<uint64_t> cached, logged, seen;
  for (const Operation& op : plan.ops) Insert(op.rows, op.kind == OpKind::kRead ? &cached : &logged);
  std::vector<uint32_t> ended;
  for (const Step& step : plan.steps) {
    const Operation& op = plan.ops[step.op];
    const PlannedOp& planned = layout.plans[0].ops[step.op];
    if (op.kind == OpKind::kRead && !step.end) {
      std::vector<uint32_t> before;
      for (uint32_t update : ended) {
        if (!table::RowSet::Intersection(plan.ops[update].rows, op.rows).IsEmpty()) before.push_back(update);
      }
      CHECK(planned.own_updates == before);
      CHECK(!planned.in_place);
    }
    if (op.kind != OpKind::kUpdate || !step.end) continue;
    ended.push_back(step.op);
    RowMap add;
    std::map<uint32_t, RowMap> again;  // by partition
    uint64_t in_buffer = 0;
    op.rows.ForEachRow([&](uint64_t row) {
      const uint64_t buffer_row = in_buffer++;
      if (cached.count(row) == 0) return;
      uint32_t partition = 0;
      while (job.input.partitions[partition].end_row() <= row) ++partition;
      const uint64_t log_row = RankIn(logged, row);
      add[RankIn(cached, row)] = planned.in_place ? log_row : buffer_row;
      RowMap& rows = again[partition];
      if (seen.insert(row).second) rows[RankIn(cached, row)] = log_row;
    });
    CHECK(RowsOf(planned.own_add) == add);
    std::map<uint32_t, RowMap> told;
    for (const OwnPart& part : planned.own_parts)
      told[layout.tables[0].subscriptions[part.subscription].partition] = RowsOf(part.again);
    CHECK(told == again);
    REQUIRE(planned.subscriptions.size() == planned.own_parts.size());
    for (size_t i = 0; i < planned.own_parts.size(); ++i)
      CHECK(planned.subscriptions[i] == planned.own_parts[i].subscription);
  }
}

}  // namespace

TEST_CASE("Read-my-writes: own updates lie in the cache where counting row by row finds them") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    const uint64_t num_rows = 1 + random() % 400;
    // 32 to 128 rows in a partition.
    Job job;
    job.Table(num_rows, 8u << random() % 3, false, 4096, false, {{"read_my_writes", "1"}});
    Recording recording("train");
    for (uint64_t i = 0, num = 1 + random() % 7; i < num; ++i) {
      const table::RowSet rows = random() % 4 == 0   ? Rows(random() % num_rows, 1)
                                 : random() % 4 == 0 ? Rows(0, num_rows)
                                                     : Draw(&random, num_rows);
      if (rows.IsEmpty()) continue;
      if (random() % 2 == 0) {
        recording.ReadAll(0, rows);
      } else {
        recording.UpdateAll(0, rows);
      }
    }
    recording.End();
    Check(job, *recording.plan(), job.Build({recording.plan()}));
  }
}

TEST_CASE("Read-my-writes: an update of rows that nobody here reads adds nothing to the cache") {
  Job job;
  job.Table(100, 1, false, 4096, false, {{"read_my_writes", "1"}});
  Recording recording("train");
  recording.ReadAll(0, Rows(0, 10));
  const uint32_t update = recording.UpdateAll(0, Rows(10, 20));
  recording.End();
  const WorkerLayout layout = job.Build({recording.plan()});
  CHECK(layout.plans[0].ops[update].own_add.empty());
  CHECK(layout.plans[0].ops[update].own_parts.empty());
}

TEST_CASE("Modes: reads of async tables and of observers are copied, and any version serves them") {
  for (const char* option : {"mode", "observer"}) {
    Job job;
    job.Table(100, 1, false, 4096, false, {{option, std::string(option) == "mode" ? "async" : "1"}});
    Recording recording("train");
    const uint32_t read = recording.ReadAll(0, Rows(0, 100));
    recording.End();
    const WorkerLayout layout = job.Build({recording.plan()});
    CHECK(!layout.plans[0].ops[read].in_place);
    CHECK(layout.plans[0].ops[read].any_version);
    CHECK(layout.tables[0].slack_max == (std::string(option) == "mode" ? protocol::kAsyncSlack : 0));
  }
}

}  // namespace geeps::plan
