// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/segments.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/table/random.h"

namespace geeps::table {
namespace {

using test::Random;

std::vector<SegmentSource> SourcesOf(const std::vector<RowSet>& sets) {
  std::vector<SegmentSource> sources;
  for (const RowSet& set : sets) sources.push_back({set.runs()});
  return sources;
}

TEST_CASE("SegmentSweep: equal sets make one segment with all contributors") {
  SegmentSweep sweep;
  sweep.Build(SourcesOf({RowSet::Range(4, 10), RowSet::Range(4, 10), RowSet::Range(4, 10)}));
  REQUIRE(sweep.segments().size() == 1);
  CHECK(sweep.segments()[0].first_row == 4);
  CHECK(sweep.segments()[0].num_rows == 10);
  REQUIRE(sweep.InputsOf(sweep.segments()[0]).size() == 3);
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK(sweep.inputs()[i].source == i);
    CHECK(sweep.inputs()[i].row_offset == 0);
  }
}

TEST_CASE("SegmentSweep: overlapping sets are cut where contributors change") {
  SegmentSweep sweep;
  sweep.Build(SourcesOf({RowSet::Range(0, 6), RowSet::Range(4, 6)}));
  REQUIRE(sweep.segments().size() == 3);
  CHECK(sweep.segments()[1].first_row == 4);
  CHECK(sweep.segments()[1].num_rows == 2);
  CHECK(sweep.InputsOf(sweep.segments()[1])[0].row_offset == 4);
  CHECK(sweep.InputsOf(sweep.segments()[1])[1].row_offset == 0);
  CHECK(sweep.InputsOf(sweep.segments()[2])[0].source == 1);
  CHECK(sweep.InputsOf(sweep.segments()[2])[0].row_offset == 2);
}

TEST_CASE("SegmentSweep: no sources and empty sources make no segments") {
  SegmentSweep sweep;
  sweep.Build({});
  CHECK(sweep.segments().empty());
  sweep.Build(SourcesOf({RowSet(), RowSet()}));
  CHECK(sweep.segments().empty());
}

TEST_CASE("SegmentSweep: segments of random sets name each row's contributors and places") {
  SegmentSweep sweep;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const uint64_t num_rows = 1 + random.Below(120);
    std::vector<RowSet> sets;
    for (uint64_t i = random.Below(12); i > 0; --i) sets.push_back(random.Rows(num_rows));
    sweep.Build(SourcesOf(sets));
    uint64_t row = 0;
    for (const Segment& segment : sweep.segments()) {
      REQUIRE(segment.num_rows > 0);
      REQUIRE(segment.num_inputs > 0);
      for (; row < segment.first_row; ++row) {
        for (const RowSet& set : sets) REQUIRE(!set.ContainsRow(row));
      }
      for (; row < segment.first_row + segment.num_rows; ++row) {
        size_t place = 0;
        for (uint32_t i = 0; i < sets.size(); ++i) {
          if (!sets[i].ContainsRow(row)) continue;
          REQUIRE(place < segment.num_inputs);
          const SegmentInput& input = sweep.InputsOf(segment)[place++];
          REQUIRE(input.source == i);
          REQUIRE(input.row_offset + (row - segment.first_row) == sets[i].RankOf(row));
        }
        REQUIRE(place == segment.num_inputs);
      }
    }
    for (; row < num_rows; ++row) {
      for (const RowSet& set : sets) REQUIRE(!set.ContainsRow(row));
    }
  }
}

TEST_CASE("SegmentSweep: a second build of the same size allocates nothing") {
  Random random(1);
  const std::vector<RowSet> sets = {random.Rows(500), random.Rows(500), random.Rows(500)};
  const std::vector<SegmentSource> sources = SourcesOf(sets);
  SegmentSweep sweep;
  sweep.Build(sources);
  const Segment* segments = sweep.segments().data();
  const SegmentInput* inputs = sweep.inputs().data();
  sweep.Build(sources);
  CHECK(sweep.segments().data() == segments);
  CHECK(sweep.inputs().data() == inputs);
}

}  // namespace
}  // namespace geeps::table
