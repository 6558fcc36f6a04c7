// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/layout.h"

#include <doctest/doctest.h>

#include "runtime/base/status.h"
#include "runtime/table/digest.h"
#include "tests/plan/builder.h"

namespace geeps::plan {
namespace {

// What an index does to arrays of row numbers.
void Apply(const RowIndex& index, const std::vector<uint64_t>& from, bool add, std::vector<uint64_t>* to) {
  const auto put = [&](uint64_t t, uint64_t f) { (*to)[t] = add ? (*to)[t] + from[f] : from[f]; };
  for (const RowIndex::Run& run : index.runs) {
    for (uint64_t i = 0; i < run.count; ++i) put(run.to + i, run.from + i);
  }
  for (const RowIndex::Pair& pair : index.pairs) put(pair.to, pair.from);
}

std::vector<uint64_t> ListOf(const table::RowSet& set) {
  std::vector<uint64_t> rows;
  set.ForEachRow([&](uint64_t row) { rows.push_back(row); });
  return rows;
}

table::RowSet SomeRows(uint64_t seed, uint64_t num_rows, uint64_t sparse) {
  std::vector<uint64_t> rows;
  for (uint64_t row = 0; row < num_rows; ++row) {
    if (table::MixBits(seed * 7919 + row + 1) % sparse == 0) rows.push_back(row);
  }
  return RowList(rows);
}

}  // namespace

TEST_CASE(
    "Layout: the cache has the rows that any plan reads, dense, and a publish of a partition is one block of it") {
  Recording a("a"), b("b");
  a.ReadAll(0, Rows(1000, 100));
  a.End();
  b.ReadAll(0, Rows(2040, 20));
  b.End();
  Job job;
  job.Table(4096);  // 4 partitions of 1024 rows
  const WorkerLayout layout = job.Build({a.plan(), b.plan()});
  const TableLayout& table = layout.tables[0];
  CHECK(table.cache_rows == 120);
  CHECK(table.log_rows_max == 0);
  REQUIRE(table.subscriptions.size() == 3);
  CHECK(table.subscriptions[0].partition == 0);
  CHECK(table.subscriptions[0].block.first == 0);
  CHECK(table.subscriptions[0].block.rows == 24);
  CHECK(table.subscriptions[1].block.first == 24);
  CHECK(table.subscriptions[1].block.rows == 84);
  CHECK(table.subscriptions[1].reads == Runs({{1024, 76}, {2040, 8}}));
  CHECK(table.subscriptions[2].block.first == 108);
  CHECK(table.subscriptions[2].block.rows == 12);
  CHECK(layout.plans[0].ops[0].subscriptions == std::vector<uint32_t>{0, 1});
  CHECK(layout.plans[1].ops[0].subscriptions == std::vector<uint32_t>{1, 2});
  CHECK(layout.plans[1].ops[0].in_place);
  CHECK(layout.plans[1].ops[0].place_row == 100);
  CHECK(layout.arena_bytes == 0);
}

TEST_CASE("Layout: a worker takes part where it reads or updates, and contributes one block of its log entry") {
  Recording a("a");
  a.ReadAll(0, Rows(0, 10));
  a.UpdateAll(0, Rows(1000, 100));
  a.End();
  Job job;
  job.Table(4096);
  const WorkerLayout layout = job.Build({a.plan()});
  const TableLayout& table = layout.tables[0];
  REQUIRE(table.subscriptions.size() == 2);
  CHECK(table.subscriptions[0].block.rows == 10);
  CHECK(table.subscriptions[1].block.rows == 0);  // HEADER_ONLY
  CHECK(table.subscriptions[0].updates[0] == Rows(1000, 24));
  CHECK(table.subscriptions[1].updates[0] == Rows(1024, 76));
  const PlannedTable& planned = layout.plans[0].tables[0];
  CHECK(planned.log_rows == 100);
  REQUIRE(planned.contributions.size() == 2);
  CHECK(planned.contributions[1].first == 24);
  CHECK(planned.contributions[1].rows == 76);
  CHECK(layout.plans[0].ops[1].in_place);
}

TEST_CASE("Layout: rows contiguous in the cache are read in place though they are not contiguous in the table") {
  Recording a("a");
  a.ReadAll(0, RowList({0, 2, 4}));
  a.ReadAll(0, RowList({2, 4}));
  a.ReadAll(0, RowList({0, 4}));
  a.End();
  Job job;
  job.Table(100);
  const WorkerLayout layout = job.Build({a.plan()});
  CHECK(layout.plans[0].ops[0].in_place);
  CHECK(layout.plans[0].ops[1].in_place);
  CHECK(layout.plans[0].ops[1].place_row == 1);
  CHECK_FALSE(layout.plans[0].ops[2].in_place);
  CHECK(layout.plans[0].ops[2].gather.pairs.size() == 2);
}

TEST_CASE("Layout: a read is copied when COPY is asked for, or slack is used on a table that is not mapped") {
  Recording a("a");
  a.ReadAll(0, Rows(0, 5), 0, kReadCopy);
  a.ReadAll(0, Rows(0, 5));
  a.ReadAll(1, Rows(0, 5));
  a.ReadAll(1, Rows(0, 5), 2);
  a.End();
  Job job;
  job.Table(100).Table(100);
  const WorkerLayout layout = job.Build({a.plan()});
  CHECK_FALSE(layout.plans[0].ops[0].in_place);
  CHECK(layout.plans[0].ops[1].in_place);
  CHECK_FALSE(layout.plans[0].ops[2].in_place);
  CHECK_FALSE(layout.plans[0].ops[3].in_place);
  CHECK(layout.tables[0].slack_max == 0);
  CHECK(layout.tables[1].slack_max == 2);
  // What others use counts as well.
  job.input.slack_max = {1, 2};
  CHECK_FALSE(job.Build({a.plan()}).plans[0].ops[1].in_place);
}

TEST_CASE("Layout: mapped, the cache is the table, and with slack only a read of one partition is in place") {
  Recording a("a");
  a.ReadAll(0, Rows(1030, 5), 1);
  a.ReadAll(0, Rows(1020, 10));
  a.ReadAll(0, RowList({0, 2}));
  a.End();
  Job job;
  job.Table(4096, 1, true);
  const WorkerLayout layout = job.Build({a.plan()});
  CHECK(layout.tables[0].cache_rows == 4096);
  CHECK(layout.plans[0].ops[0].in_place);
  CHECK(layout.plans[0].ops[0].place_row == 1030);
  CHECK_FALSE(layout.plans[0].ops[1].in_place);
  REQUIRE(layout.plans[0].ops[1].gather.runs.size() == 1);
  CHECK(layout.plans[0].ops[1].gather.runs[0].from == 1020);
  CHECK_FALSE(layout.plans[0].ops[2].in_place);
  CHECK(layout.tables[0].subscriptions[1].block.first == 1024);
  CHECK(layout.tables[0].subscriptions[1].block.rows == 1024);
}

TEST_CASE("Layout: the first update of a row stores, later ones add, by the order of the update calls") {
  Recording a("a");
  const uint32_t early = a.Update(0, Rows(0, 10));
  const uint32_t late = a.Update(0, Rows(5, 10));
  a.Finish(late);  // handed back first
  a.Finish(early);
  a.End();
  Job job;
  job.Table(100);
  const WorkerLayout layout = job.Build({a.plan()});
  const PlannedOp& first = layout.plans[0].ops[late];
  const PlannedOp& second = layout.plans[0].ops[early];
  CHECK(first.in_place);
  CHECK(first.place_row == 5);
  CHECK_FALSE(second.in_place);
  REQUIRE(second.store.runs.size() == 1);
  CHECK(second.store.runs[0].to == 0);
  CHECK(second.store.runs[0].count == 5);
  REQUIRE(second.add.runs.size() == 1);
  CHECK(second.add.runs[0].to == 5);
  CHECK(second.add.runs[0].from == 5);
  CHECK(second.add.runs[0].count == 5);
  CHECK(layout.plans[0].tables[0].log_rows == 15);
}

TEST_CASE("Layout: gathered rows and summed updates are those of a naive walk, for random sets") {
  for (const uint64_t num_rows : {90u, 3000u}) {  // few runs, and many
    for (uint64_t seed = 1; seed <= 12; ++seed) {
      CAPTURE(num_rows);
      CAPTURE(seed);
      Recording a("a");
      for (uint64_t i = 0; i < 5; ++i)
        a.ReadAll(0, SomeRows(seed * 10 + i, num_rows, 2 + i), 0, i % 2 == 0 ? kReadCopy : 0);
      for (uint64_t i = 5; i < 10; ++i) a.UpdateAll(0, SomeRows(seed * 10 + i, num_rows, i - 3));
      a.End();
      Job job;
      job.Table(num_rows);
      const WorkerLayout layout = job.Build({a.plan()});
      table::RowSet reads, updates;
      for (const Operation& op : a.plan()->ops) {
        table::RowSet& all = op.kind == OpKind::kRead ? reads : updates;
        all = table::RowSet::Union(all, op.rows);
      }
      const std::vector<uint64_t> cache = ListOf(reads);
      CHECK(layout.tables[0].cache_rows == cache.size());
      std::vector<uint64_t> log(updates.NumRows(), 999);  // garbage that a store must overwrite
      std::vector<uint64_t> sums(num_rows, 0);
      for (size_t i = 0; i < a.plan()->ops.size(); ++i) {
        const Operation& op = a.plan()->ops[i];
        const PlannedOp& planned = layout.plans[0].ops[i];
        const std::vector<uint64_t> rows = ListOf(op.rows);
        if (op.kind == OpKind::kRead) {
          std::vector<uint64_t> buffer(rows.size(), 999);
          if (planned.in_place) {
            for (size_t r = 0; r < rows.size(); ++r) buffer[r] = cache[planned.place_row + r];
          } else {
            Apply(planned.gather, cache, false, &buffer);
          }
          CHECK(buffer == rows);
          continue;
        }
        for (uint64_t row : rows) sums[row] += row + 1;
        std::vector<uint64_t> buffer;
        for (uint64_t row : rows) buffer.push_back(row + 1);
        if (planned.in_place) {
          for (size_t r = 0; r < rows.size(); ++r) log[planned.place_row + r] = buffer[r];
        } else {
          Apply(planned.store, buffer, false, &log);
          Apply(planned.add, buffer, true, &log);
        }
      }
      const std::vector<uint64_t> updated = ListOf(updates);
      for (size_t r = 0; r < updated.size(); ++r) REQUIRE(log[r] == sums[updated[r]]);
    }
  }
}

TEST_CASE("Layout: every copied operation has its own buffer, aligned to 256 bytes") {
  Recording a("a"), b("b");
  a.ReadAll(0, Rows(0, 65), 0, kReadCopy);
  a.ReadAll(0, Rows(0, 1), 0, kReadCopy);
  a.End();
  b.ReadAll(0, Rows(0, 3), 0, kReadCopy);
  b.End();
  Job job;
  job.Table(100);
  const WorkerLayout layout = job.Build({a.plan(), b.plan()});
  CHECK(layout.plans[0].ops[0].buffer_offset == 0);
  CHECK(layout.plans[0].ops[0].buffer_bytes == 260);
  CHECK(layout.plans[0].ops[1].buffer_offset == 512);
  CHECK(layout.plans[1].ops[0].buffer_offset == 768);
  CHECK(layout.arena_bytes == 1024);
}

TEST_CASE("Layout: holds and fire points follow R1") {
  Recording a("a");
  const uint32_t held = a.Read(0, Rows(0, 10));       // step 0, in place
  const uint32_t copied = a.Read(1, Rows(0, 10), 1);  // step 1, slack
  a.Finish(a.Update(0, Rows(0, 10)));                 // steps 2, 3
  a.Finish(a.Update(1, Rows(0, 10)));                 // steps 4, 5
  a.Finish(copied);                                   // step 6
  a.Finish(held);                                     // step 7
  a.End();
  Job job;
  job.Table(100).Table(100).Table(100);
  const WorkerLayout layout = job.Build({a.plan()});
  const std::vector<PlannedTable>& tables = layout.plans[0].tables;
  CHECK(tables[0].num_holds == 2);
  CHECK(tables[0].num_updates == 1);
  CHECK(tables[0].last_update_step == 3);
  CHECK(tables[0].fire_step == 7);  // the post-read of the read in place
  CHECK(tables[1].num_holds == 2);
  CHECK(tables[1].fire_step == 5);  // the copied read was handed out at step 1
  CHECK(tables[2].num_holds == 0);
  CHECK(tables[2].fire_step == 8);  // at the clock
}

TEST_CASE("Layout: local data are cut where an access begins or ends") {
  Recording a("a"), b("b");
  a.Finish(a.Local(0, Rows(0, 10)));
  a.Finish(a.Local(0, Rows(5, 20)));
  a.End();
  b.Finish(b.Local(0, Rows(30, 5)));
  b.End();
  Job job;
  job.Local(40, 8);
  const WorkerLayout layout = job.Build({a.plan(), b.plan()});
  CHECK(layout.locals[0].segment_first == std::vector<uint64_t>{0, 5, 10, 30});
  CHECK(layout.locals[0].segment_rows == std::vector<uint64_t>{5, 5, 15, 5});
  CHECK(layout.local_segments[0][0] == std::vector<uint32_t>{0, 1});
  CHECK(layout.local_segments[0][1] == std::vector<uint32_t>{1, 2});
  CHECK(layout.local_segments[1][0] == std::vector<uint32_t>{3});
  CHECK(layout.plans[0].ops[1].in_place);
  CHECK(layout.plans[0].ops[1].place_row == 5);
}

TEST_CASE("Layout: operations without rows are in place and touch nothing") {
  Recording a("a");
  a.ReadAll(0, table::RowSet());
  a.UpdateAll(0, table::RowSet());
  a.Finish(a.Local(0, table::RowSet()));
  a.End();
  Job job;
  job.Table(100).Local(4, 4);
  const WorkerLayout layout = job.Build({a.plan()});
  for (const PlannedOp& op : layout.plans[0].ops) CHECK(op.in_place);
  CHECK(layout.tables[0].subscriptions.empty());
  CHECK(layout.plans[0].tables[0].num_holds == 2);
}

TEST_CASE("Layout: unknown objects, rows that are not there, and plans of one name are refused") {
  Job job;
  job.Table(100);
  const auto code = [&](std::vector<const RecordedPlan*> plans) {
    job.input.plans = std::move(plans);
    return DetailOf(BuildLayout(job.input).status()).code;
  };
  Recording unknown("a"), local("a"), rows("a"), fine("a"), after("b");
  unknown.ReadAll(7, Rows(0, 1));
  local.Finish(local.Local(0, Rows(0, 1)));
  rows.ReadAll(0, Rows(99, 2));
  fine.ReadAll(0, Rows(99, 1));
  CHECK(code({unknown.plan()}) == Code::kInvalid);
  CHECK(code({local.plan()}) == Code::kInvalid);
  CHECK(code({rows.plan()}) == Code::kInvalid);
  CHECK(code({fine.plan(), fine.plan()}) == Code::kInvalid);
  CHECK(code({after.plan(), fine.plan()}) == Code::kInvalid);
  CHECK(code({fine.plan(), after.plan()}) == Code::kOk);
}

TEST_CASE("Layout: agreed slack maxima must fit") {
  Recording a("a");
  a.ReadAll(0, Rows(0, 1), 3);
  a.End();
  Job job;
  job.Table(100);
  job.input.plans = {a.plan()};
  const auto code = [&](std::vector<uint32_t> slack_max) {
    job.input.slack_max = std::move(slack_max);
    return DetailOf(BuildLayout(job.input).status()).code;
  };
  CHECK(code({3}) == Code::kOk);
  CHECK(code({2}) == Code::kInvalid);
  CHECK(code({65}) == Code::kInvalid);
  CHECK(code({3, 3}) == Code::kInvalid);
}

TEST_CASE("Layout: sizes that no memory has are refused, not wrapped") {
  Job job;
  job.Local(uint64_t{1} << 40, uint64_t{1} << 40);
  Recording a("a");
  a.End();
  job.input.plans = {a.plan()};
  CHECK(DetailOf(BuildLayout(job.input).status()).code == Code::kNoMemory);
}

}  // namespace geeps::plan
