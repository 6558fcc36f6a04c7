// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/partition.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/table/random.h"

namespace geeps::table {
namespace {

using test::Random;

TableSchema Schema(uint64_t num_rows, uint64_t row_values, DType dtype = DType::kF32,
                   uint64_t partition_bytes = kPartitionBytesMax) {
  const std::string bytes = std::to_string(partition_bytes);
  return ParseTableOptions("t", num_rows, row_values, dtype, {{"partition_bytes", bytes}}).value().schema;
}

TEST_CASE("PartitionMap: a table below 128 KiB has one keeper, the one after the former table's last") {
  PartitionMap map(3);
  for (uint32_t table = 0; table < 5; ++table) {
    CHECK(map.Append(Schema(100, 10)).value() == table);
    CHECK(map.NumPartitions(table) == 1);
    CHECK(map.FirstPartition(table) == table);
    CHECK(map.partition(table).keeper == table % 3);
    CHECK(map.partition(table).num_rows == 100);
  }
}

TEST_CASE("PartitionMap: a table is spread over bytes / 64 KiB keepers, at most all") {
  // 256 f32 are 1 KiB a row, so 64 rows are 64 KiB.
  const struct {
    uint64_t num_rows;
    uint32_t num_keepers;
  } cases[] = {{1, 1}, {127, 1}, {128, 2}, {191, 2}, {192, 3}, {64 * 7, 7}, {64 * 8, 8}, {64 * 100, 8}};
  for (const auto& c : cases) {
    CAPTURE(c.num_rows);
    PartitionMap map(8);
    CHECK(map.Append(Schema(1, 1)).value() == 0);
    CHECK(map.Append(Schema(c.num_rows, 256)).value() == 1);
    CHECK(map.FirstKeeper(1) == 1);
    CHECK(map.NumKeepers(1) == c.num_keepers);
    CHECK(map.Append(Schema(1, 1)).value() == 2);
    CHECK(map.FirstKeeper(2) == (1 + c.num_keepers) % 8);
  }
}

TEST_CASE("PartitionMap: shares differ by at most one row, partitions hold at most partition_bytes") {
  PartitionMap map(4);
  // 4 KiB a row; 10 rows are 40 KiB: one keeper. 1002 rows: four keepers with 251, 251, 250, 250 rows.
  CHECK(map.Append(Schema(1002, 1024, DType::kF32, 65536)).value() == 0);
  uint64_t rows_of_keeper[4] = {};
  for (const Partition& partition : map.partitions()) {
    rows_of_keeper[partition.keeper] += partition.num_rows;
    CHECK(partition.num_rows <= 16);
  }
  CHECK(rows_of_keeper[0] == 251);
  CHECK(rows_of_keeper[1] == 251);
  CHECK(rows_of_keeper[2] == 250);
  CHECK(rows_of_keeper[3] == 250);
  CHECK(map.NumPartitions(0) == 4 * 16);
}

TEST_CASE("PartitionMap: a row that is longer than a partition is one by itself") {
  PartitionMap map(2);
  CHECK(map.Append(Schema(5, 4096, DType::kF64, 4096)).value() == 0);
  CHECK(map.NumPartitions(0) == 5);
  CHECK(map.NumKeepers(0) == 2);
  for (uint32_t i = 0; i < 5; ++i) CHECK(map.partition(i).first_row == i);
  CHECK(map.partition(2).keeper == 0);
  CHECK(map.partition(3).keeper == 1);
}

TEST_CASE("PartitionMap: a table of few long rows has no more keepers than rows") {
  PartitionMap map(8);
  CHECK(map.Append(Schema(3, 262144)).value() == 0);
  CHECK(map.NumKeepers(0) == 3);
  CHECK(map.NumPartitions(0) == 3);
  CHECK(map.Append(Schema(1, 1)).value() == 1);
  CHECK(map.FirstKeeper(1) == 3);
}

TEST_CASE("PartitionMap: partitions cover each table once, in order, and PartitionOf finds each row") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const uint32_t world = 1 + static_cast<uint32_t>(random.Below(9));
    PartitionMap map(world);
    uint32_t next_keeper = 0;
    for (uint32_t table = 0; table < 6; ++table) {
      const TableSchema schema = Schema(1 + random.Below(3000), 1 + random.Below(300),
                                        random.OneIn(2) ? DType::kF32 : DType::kF64, 4096 + random.Below(100000));
      const auto before = std::vector<Partition>(map.partitions().begin(), map.partitions().end());
      REQUIRE(map.Append(schema).value() == table);
      // What was there stays as it is.
      for (size_t i = 0; i < before.size(); ++i) REQUIRE(map.partition(i).first_row == before[i].first_row);
      REQUIRE(map.FirstPartition(table) == before.size());

      const uint64_t num_keepers =
          std::min({std::max<uint64_t>(schema.bytes() / 65536, 1), uint64_t{world}, schema.num_rows});
      REQUIRE(map.FirstKeeper(table) == next_keeper);
      REQUIRE(map.NumKeepers(table) == num_keepers);
      uint64_t row = 0;
      for (uint32_t i = 0; i < map.NumPartitions(table); ++i) {
        const Partition& partition = map.partition(map.FirstPartition(table) + i);
        REQUIRE(partition.table == table);
        REQUIRE(partition.first_row == row);
        REQUIRE(partition.num_rows >= 1);
        if (partition.num_rows > 1) REQUIRE(partition.num_rows * schema.row_bytes() <= schema.partition_bytes);
        REQUIRE((partition.keeper + world - next_keeper) % world < num_keepers);
        for (uint64_t r = row; r < partition.end_row(); ++r) {
          REQUIRE(map.PartitionOf(table, r) == map.FirstPartition(table) + i);
        }
        row = partition.end_row();
      }
      REQUIRE(row == schema.num_rows);
      next_keeper = static_cast<uint32_t>((next_keeper + num_keepers) % world);
    }
  }
}

TEST_CASE("PartitionMap: too many partitions are refused, and the map stays as it was") {
  PartitionMap map(2);
  const auto table = map.Append(Schema(uint64_t{1} << 40, 1, DType::kF32, 4096));
  REQUIRE(!table.ok());
  CHECK(std::string(table.status().message()).find("would have 1073741824 partitions") != std::string::npos);
  CHECK(map.num_tables() == 0);
  CHECK(map.num_partitions() == 0);
  CHECK(map.Append(Schema(10, 1)).value() == 0);
}

}  // namespace
}  // namespace geeps::table
