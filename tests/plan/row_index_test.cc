// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/row_index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "runtime/table/digest.h"
#include "tests/plan/builder.h"

namespace geeps::plan {
namespace {

// Rows chosen at random, each with a chance of one in `sparse`; fixed by the seed.
table::RowSet RandomRows(uint64_t seed, uint64_t num_rows, uint64_t sparse) {
  std::vector<uint64_t> rows;
  for (uint64_t row = 0; row < num_rows; ++row) {
    if (table::MixBits(seed * 1000003 + row + 1) % sparse == 0) rows.push_back(row);
  }
  return RowList(rows);
}

void CheckUnion(uint64_t num_rows, const std::vector<table::RowSet>& sets) {
  std::vector<const table::RowSet*> pointers;
  std::set<uint64_t> naive;
  for (const table::RowSet& set : sets) {
    pointers.push_back(&set);
    set.ForEachRow([&](uint64_t row) { naive.insert(row); });
  }
  const RowUnion rows(num_rows, pointers);
  std::vector<uint64_t> sorted(naive.begin(), naive.end());
  CHECK(rows.rows() == RowList(sorted));
  for (const table::RowSet& set : sets) {
    for (const table::RowRun& run : set.runs()) {
      const uint64_t place =
          static_cast<uint64_t>(std::lower_bound(sorted.begin(), sorted.end(), run.first) - sorted.begin());
      REQUIRE(rows.PlaceOf(run) == place);
    }
  }
}

}  // namespace

TEST_CASE("RowIndexBuilder: pieces that continue each other are one run, single rows are pairs") {
  RowIndexBuilder builder;
  builder.Add(0, 10, 1);
  builder.Add(1, 11, 2);
  builder.Add(3, 20, 1);
  builder.Add(4, 19, 1);
  const RowIndex index = builder.Build();
  REQUIRE(index.runs.size() == 1);
  CHECK(index.runs[0].to == 0);
  CHECK(index.runs[0].from == 10);
  CHECK(index.runs[0].count == 3);
  REQUIRE(index.pairs.size() == 2);
  CHECK(index.pairs[1].to == 4);
  CHECK(index.pairs[1].from == 19);
  CHECK(index.NumRows() == 5);
}

TEST_CASE("RowIndexBuilder: a single row at 2^32 or above stays a run") {
  RowIndexBuilder builder;
  builder.Add(0, (uint64_t{1} << 32) - 1, 1);
  builder.Add(1, uint64_t{1} << 33, 1);
  builder.Add(uint64_t{1} << 32, 5, 1);
  const RowIndex index = builder.Build();
  CHECK(index.pairs.size() == 1);
  REQUIRE(index.runs.size() == 2);
  CHECK(index.runs[0].from == uint64_t{1} << 33);
  CHECK(index.runs[1].to == uint64_t{1} << 32);
}

TEST_CASE("RowIndex: a pair takes 8 bytes and an index is allocated exactly") {
  CHECK(sizeof(RowIndex::Pair) == 8);
  RowIndexBuilder builder;
  for (uint64_t i = 0; i < 1000; ++i) builder.Add(i, 2 * i, 1);
  const RowIndex index = builder.Build();
  CHECK(index.pairs.capacity() == 1000);
  CHECK(index.runs.capacity() == 0);
}

TEST_CASE("RowBits: a run of bits ends where the bits change or at the limit") {
  RowBits bits(300);
  bits.Set(3, 1);
  bits.Set(60, 140);
  CHECK(bits.EndOfRun(0, 300) == 3);
  CHECK(bits.EndOfRun(3, 300) == 4);
  CHECK(bits.EndOfRun(4, 300) == 60);
  CHECK(bits.EndOfRun(60, 300) == 200);
  CHECK(bits.EndOfRun(130, 150) == 150);
  CHECK(bits.EndOfRun(200, 300) == 300);
}

TEST_CASE("RowUnion: union and places are those of a naive set, by sorting and by bits") {
  // Fewer than 256 runs are sorted, more are counted in bits.
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CheckUnion(200, {RandomRows(seed, 200, 3), RandomRows(seed + 100, 200, 5), Rows(seed * 7, 9)});
    CheckUnion(5000, {RandomRows(seed, 5000, 3), RandomRows(seed + 100, 5000, 7), Rows(seed * 64, 128)});
  }
  CHECK_FALSE(RowBits::Worth(200, 100));
  CHECK(RowBits::Worth(5000, 1000));
  CHECK_FALSE(RowBits::Worth(uint64_t{1} << 40, 1000));
  CheckUnion(10, {});
  CheckUnion(10, {Rows(0, 10)});
}

TEST_CASE("SeenRows: parts of a run are new or seen as a naive set says, by runs and by bits") {
  for (const bool by_bits : {false, true}) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      CAPTURE(by_bits);
      CAPTURE(seed);
      SeenRows seen(2000, by_bits ? 100000 : 1);
      std::set<uint64_t> naive;
      for (uint64_t i = 0; i < 60; ++i) {
        const uint64_t first = table::MixBits(seed * 131 + i) % 1900;
        const table::RowRun run = {first, 1 + table::MixBits(seed * 977 + i) % 100};
        uint64_t next = run.first;
        seen.Visit(run, [&](uint64_t part, uint64_t count, bool was_seen) {
          REQUIRE(part == next);
          REQUIRE(count > 0);
          for (uint64_t row = part; row < part + count; ++row) REQUIRE((naive.count(row) == 1) == was_seen);
          next = part + count;
        });
        REQUIRE(next == run.end());
        for (uint64_t row = run.first; row < run.end(); ++row) naive.insert(row);
      }
    }
  }
}

}  // namespace geeps::plan
