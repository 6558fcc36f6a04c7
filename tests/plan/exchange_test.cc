// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "runtime/base/status.h"
#include "tests/plan/builder.h"

namespace geeps::plan {
namespace {

// Two tables over two keepers; two plans with sets of every shape.
struct World {
  World() : a("a"), b("b"), job(2) {
    a.ReadAll(0, Runs({{0, 3}, {1000, 200}, {40000, 1}}));
    a.UpdateAll(0, RowList({5, 7, 300, 32767, 32768}));
    a.End();
    b.ReadAll(1, Rows(0, 50));
    b.UpdateAll(0, Rows(100, 4000));
    b.End();
    job.Table(65536, 1, false, 65536).Table(100);
    layout = job.Build({a.plan(), b.plan()});
  }
  std::string Encode(uint32_t keeper) const { return EncodeSets(layout, job.input.partitions, keeper); }
  absl::StatusOr<std::vector<PartitionSets>> Decode(absl::string_view bytes, uint32_t keeper,
                                                    uint32_t num_plans = 2) const {
    return DecodeSets(bytes, job.input.partitions, keeper, num_plans);
  }
  Recording a, b;
  Job job;
  WorkerLayout layout;
};

// The layout that would have sent these sets.
std::string EncodeAgain(const std::vector<PartitionSets>& sets, const Job& job, uint32_t keeper) {
  WorkerLayout layout;
  layout.plans.resize(2);
  for (const PartitionSets& set : sets) {
    Subscription subscription;
    subscription.partition = set.partition;
    subscription.reads = set.reads;
    subscription.updates = set.updates;
    layout.tables.emplace_back();  // each in a table of its own: the mark of an observer is the table's
    layout.tables.back().observer = set.observer;
    layout.tables.back().subscriptions.push_back(subscription);
  }
  return EncodeSets(layout, job.input.partitions, keeper);
}

}  // namespace

TEST_CASE("Exchange: each keeper gets the sets of its own partitions, as they were") {
  World w;
  size_t total = 0;
  for (uint32_t keeper = 0; keeper < 2; ++keeper) {
    const auto sets = w.Decode(w.Encode(keeper), keeper);
    REQUIRE_MESSAGE(sets.ok(), sets.status().ToString());
    total += sets->size();
    for (const PartitionSets& got : *sets) {
      CHECK(w.job.input.partitions[got.partition].keeper == keeper);
      bool found = false;
      for (const TableLayout& table : w.layout.tables) {
        for (const Subscription& subscription : table.subscriptions) {
          if (subscription.partition != got.partition) continue;
          found = true;
          CHECK(subscription.reads == got.reads);
          CHECK(subscription.updates == got.updates);
        }
      }
      CHECK(found);
    }
  }
  CHECK(total == w.layout.tables[0].subscriptions.size() + w.layout.tables[1].subscriptions.size());
}

TEST_CASE("Exchange: an observer is known as one, and updates nothing") {
  Recording a("a");
  a.ReadAll(0, Rows(0, 10));
  a.End();
  Job job;
  job.Table(100, 1, false, 4096, false, {{"observer", "1"}});
  const std::string bytes = EncodeSets(job.Build({a.plan()}), job.input.partitions, 0);
  const auto sets = DecodeSets(bytes, job.input.partitions, 0, 1);
  REQUIRE(sets.ok());
  CHECK(sets->at(0).observer);
  // Version, plans, partitions, partition 0, the mark, one run of ten rows, then the updates: one row.
  const std::string updates("\2\1\1\0\1\1\0\12\1\0\1", 11);
  CHECK(bytes == updates.substr(0, 8) + std::string(1, '\0'));
  CHECK(!DecodeSets(updates, job.input.partitions, 0, 1).ok());
  std::string mark = bytes;
  mark[4] = 2;
  CHECK(!DecodeSets(mark, job.input.partitions, 0, 1).ok());
}

TEST_CASE("Exchange: a worker that takes no part anywhere sends three bytes") {
  Recording a("a");
  a.End();
  Job job;
  job.Table(100);
  const WorkerLayout layout = job.Build({a.plan()});
  const std::string bytes = EncodeSets(layout, job.input.partitions, 0);
  CHECK(bytes.size() == 3);
  const auto sets = DecodeSets(bytes, job.input.partitions, 0, 1);
  REQUIRE(sets.ok());
  CHECK(sets->empty());
}

TEST_CASE("Exchange: bytes that are cut short anywhere, or too long, are refused") {
  World w;
  const std::string bytes = w.Encode(0);
  for (size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(DetailOf(w.Decode(bytes.substr(0, size), 0).status()).code == Code::kData);
  }
  CHECK(DetailOf(w.Decode(bytes + '\0', 0).status()).code == Code::kData);
}

TEST_CASE("Exchange: whatever single byte is changed, what is accepted is legal and says what the bytes say") {
  World w;
  size_t refused = 0;
  for (uint32_t keeper = 0; keeper < 2; ++keeper) {
    const std::string bytes = w.Encode(keeper);
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (uint32_t value = 0; value < 256; ++value) {
        std::string mutated = bytes;
        mutated[i] = static_cast<char>(value);
        const auto sets = w.Decode(mutated, keeper);
        if (!sets.ok()) {
          CHECK(DetailOf(sets.status()).code == Code::kData);
          ++refused;
          continue;
        }
        for (const PartitionSets& got : *sets) {
          const table::Partition& partition = w.job.input.partitions[got.partition];
          REQUIRE(partition.keeper == keeper);
          const table::RowSet all = Rows(partition.first_row, partition.num_rows);
          REQUIRE(all.Contains(got.reads));
          for (const table::RowSet& rows : got.updates) REQUIRE(all.Contains(rows));
        }
        REQUIRE(EncodeAgain(*sets, w.job, keeper) == mutated);
      }
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("Exchange: counts that cannot be are refused before anything is allocated") {
  World w;
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
  const std::string two = "\x02";
  CHECK_FALSE(w.Decode("\x01" + two + huge, 0).ok());                                     // partitions
  CHECK_FALSE(w.Decode(std::string("\x01\x02\x01\x00", 4) + huge + "\x01\x01", 0).ok());  // runs
  CHECK_FALSE(w.Decode("\x01" + huge, 0).ok());                                           // plans
  CHECK_FALSE(w.Decode("\x07" + two, 0).ok());                                            // version
}

TEST_CASE("Exchange: another number of plans, and another keeper's partitions, are refused") {
  World w;
  const std::string bytes = w.Encode(0);
  CHECK(DetailOf(w.Decode(bytes, 0, 3).status()).code == Code::kData);
  CHECK(DetailOf(w.Decode(bytes, 1).status()).code == Code::kData);
}

}  // namespace geeps::plan
