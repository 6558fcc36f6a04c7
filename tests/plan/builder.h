// SPDX-License-Identifier: Apache-2.0
// Plans and layouts in few words, for the tests of runtime/plan.
#ifndef GEEPS_TESTS_PLAN_BUILDER_H_
#define GEEPS_TESTS_PLAN_BUILDER_H_

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/plan/layout.h"
#include "runtime/plan/recorded_plan.h"

namespace geeps::plan {

inline table::RowSet Rows(uint64_t first, uint64_t count) { return table::RowSet::Range(first, count); }
inline table::RowSet RowList(std::vector<uint64_t> rows) { return table::RowSet::FromSortedRows(rows); }
inline table::RowSet Runs(std::vector<table::RowRun> runs) {
  absl::StatusOr<table::RowSet> set = table::RowSet::FromRuns(runs, uint64_t{1} << 60);
  REQUIRE(set.ok());
  return *set;
}

// Tables have the ids 100, 101, ... and local data 200, 201, ...
struct Recording {
  explicit Recording(absl::string_view name) : recorder(name) {}
  uint32_t Begin(OpKind kind, uint64_t object, table::RowSet rows, uint32_t slack = 0, uint32_t flags = 0) {
    const absl::StatusOr<uint32_t> op = recorder.Begin(
        kind, object, absl::StrCat(kind == OpKind::kLocal ? "l" : "t", object % 100), std::move(rows), slack, flags);
    REQUIRE_MESSAGE(op.ok(), op.status().ToString());
    return *op;
  }
  void Finish(uint32_t op) { REQUIRE(recorder.Finish(recorder.plan().ops[op].kind, op).ok()); }
  uint32_t Read(uint32_t table, table::RowSet rows, uint32_t slack = 0, uint32_t flags = 0) {
    return Begin(OpKind::kRead, 100 + table, std::move(rows), slack, flags);
  }
  uint32_t Update(uint32_t table, table::RowSet rows, uint32_t flags = 0) {
    return Begin(OpKind::kUpdate, 100 + table, std::move(rows), 0, flags);
  }
  uint32_t Local(uint32_t local, table::RowSet rows, uint32_t flags = 0) {
    return Begin(OpKind::kLocal, 200 + local, std::move(rows), 0, flags);
  }
  // First and second call at once.
  uint32_t ReadAll(uint32_t table, table::RowSet rows, uint32_t slack = 0, uint32_t flags = 0) {
    const uint32_t op = Read(table, std::move(rows), slack, flags);
    Finish(op);
    return op;
  }
  uint32_t UpdateAll(uint32_t table, table::RowSet rows, uint32_t flags = 0) {
    const uint32_t op = Update(table, std::move(rows), flags);
    Finish(op);
    return op;
  }
  void End(bool no_clock = false) { REQUIRE(recorder.End(no_clock).ok()); }
  const RecordedPlan* plan() const { return &recorder.plan(); }

  PlanRecorder recorder;
};

// The schemas, the partition map and the input of a layout.
struct Job {
  explicit Job(uint32_t world = 1) : map(world) {}
  // Values are f32.
  Job& Table(uint64_t num_rows, uint64_t row_values = 1, bool mapped = false, uint64_t partition_bytes = 4096,
             bool rows_same = false, const std::vector<std::pair<absl::string_view, absl::string_view>>& more = {}) {
    const size_t index = input.tables.size();
    const std::string bytes = std::to_string(partition_bytes);
    std::vector<std::pair<absl::string_view, absl::string_view>> options = {{"partition_bytes", bytes}};
    if (rows_same) options.push_back({"rows", "same"});
    options.insert(options.end(), more.begin(), more.end());
    const absl::StatusOr<table::TableOptions> parsed =
        table::ParseTableOptions(absl::StrCat("t", index), num_rows, row_values, table::DType::kF32, options);
    REQUIRE_MESSAGE(parsed.ok(), parsed.status().ToString());
    const absl::StatusOr<uint32_t> appended = map.Append(parsed->schema);
    REQUIRE(appended.ok());
    LayoutInput::Table table;
    table.object = 100 + index;
    table.schema = parsed->schema;
    table.observer = parsed->observer;
    table.first_partition = map.FirstPartition(*appended);
    table.num_partitions = map.NumPartitions(*appended);
    table.mapped = mapped;
    input.tables.push_back(table);
    input.partitions = map.partitions();
    return *this;
  }
  Job& Local(uint64_t num_rows, uint64_t row_bytes) {
    const size_t index = input.locals.size();
    input.locals.push_back({200 + index, absl::StrCat("l", index), num_rows, row_bytes});
    return *this;
  }
  WorkerLayout Build(std::vector<const RecordedPlan*> plans) {
    input.plans = std::move(plans);
    absl::StatusOr<WorkerLayout> layout = BuildLayout(input);
    REQUIRE_MESSAGE(layout.ok(), layout.status().ToString());
    return *std::move(layout);
  }

  table::PartitionMap map;
  LayoutInput input;
};

}  // namespace geeps::plan

#endif  // GEEPS_TESTS_PLAN_BUILDER_H_
