// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/row_set.h"

#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "runtime/base/status.h"
#include "tests/table/random.h"

namespace geeps::table {
namespace {

using test::Random;
using Rows = std::set<uint64_t>;

Rows ToStdSet(const RowSet& set) {
  Rows rows;
  set.ForEachRow([&](uint64_t row) { rows.insert(row); });
  return rows;
}

std::string FromRunsError(std::vector<RowRun> runs, uint64_t num_rows) {
  const auto set = RowSet::FromRuns(runs, num_rows);
  if (set.ok()) return "";
  CHECK(DetailOf(set.status()).code == Code::kInvalid);
  return std::string(set.status().message());
}

TEST_CASE("RowSet: runs that touch are merged, and TO_END reaches the last row") {
  const RowSet set = RowSet::FromRuns(std::vector<RowRun>{{0, 2}, {2, 3}, {7, RowSet::kToEnd}}, 10).value();
  CHECK(set.num_runs() == 2);
  CHECK(set.runs()[0] == RowRun{0, 5});
  CHECK(set.runs()[1] == RowRun{7, 3});
  CHECK(set.NumRows() == 8);
  CHECK(!set.IsContiguous());
  CHECK(RowSet::FromRuns(std::vector<RowRun>{{0, RowSet::kToEnd}}, 10).value() == RowSet::Range(0, 10));
  CHECK(RowSet::FromRuns({}, 10).value().IsEmpty());
}

TEST_CASE("RowSet: bad runs are refused with their numbers") {
  CHECK(FromRunsError({{3, 2}, {4, 1}}, 10) ==
        "run 1 begins at row 4, inside or before run 0, which ends at row 4: runs are ascending and disjoint");
  CHECK(FromRunsError({{5, 1}, {2, 1}}, 10).find("run 1 begins at row 2") == 0);
  CHECK(FromRunsError({{5, 1}, {5, 1}}, 10).find("run 1 begins at row 5") == 0);
  CHECK(FromRunsError({{3, 0}}, 10) == "run 0 at row 3 has no rows");
  CHECK(FromRunsError({{8, 3}}, 10) == "run 0 has 3 rows from row 8 on, but there are 10 rows");
  CHECK(FromRunsError({{10, 1}}, 10) == "run 0 begins at row 10, but there are 10 rows");
  CHECK(FromRunsError({{2, RowSet::kToEnd}, {4, 1}}, 10).find("run 1") == 0);
  // Sums that would wrap around.
  CHECK(FromRunsError({{8, RowSet::kToEnd - 4}}, 10).find("run 0 has") == 0);
}

TEST_CASE("RowSet: every operation agrees with std::set") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const uint64_t num_rows = 1 + random.Below(200);
    const RowSet a = random.Rows(num_rows);
    const RowSet b = random.Rows(num_rows);
    const Rows rows_a = ToStdSet(a);
    const Rows rows_b = ToStdSet(b);
    Rows both, either = rows_a, only_a;
    either.insert(rows_b.begin(), rows_b.end());
    for (const uint64_t row : rows_a) (rows_b.count(row) ? both : only_a).insert(row);

    CHECK(a.NumRows() == rows_a.size());
    CHECK(ToStdSet(RowSet::Union(a, b)) == either);
    CHECK(ToStdSet(RowSet::Intersection(a, b)) == both);
    CHECK(ToStdSet(RowSet::Difference(a, b)) == only_a);
    CHECK(RowSet::Union(RowSet::Difference(a, b), RowSet::Intersection(a, b)) == a);
    CHECK(a.Contains(b) == (both.size() == rows_b.size()));
    CHECK(RowSet::Union(a, b).Contains(a));
    CHECK((a == b) == (rows_a == rows_b));
    CHECK((a.Digest() == b.Digest()) == (rows_a == rows_b));

    uint64_t rank = 0;
    for (uint64_t row = 0; row < num_rows; ++row) {
      REQUIRE(a.ContainsRow(row) == (rows_a.count(row) > 0));
      REQUIRE(a.RankOf(row) == rank);
      rank += rows_a.count(row);
    }
    CHECK(a.RankOf(num_rows + 7) == rank);

    const uint64_t first = random.Below(num_rows);
    const uint64_t count = random.Below(num_rows - first + 1);
    const Rows part(rows_a.lower_bound(first), rows_a.lower_bound(first + count));
    CHECK(ToStdSet(a.IntersectRange(first, count)) == part);
    CHECK(a.Intersects(first, count) == !part.empty());
    const RowSet shifted = a.IntersectRange(first, count).Shifted(first);
    for (const uint64_t row : part) REQUIRE(shifted.ContainsRow(row - first));
    CHECK(shifted.NumRows() == part.size());
  }
}

TEST_CASE("RowSet: runs are never empty, ascend and do not touch, whatever made the set") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const RowSet a = random.Rows(100);
    const RowSet b = random.Rows(100);
    for (const RowSet& set : {RowSet::Union(a, b), RowSet::Intersection(a, b), RowSet::Difference(a, b), a}) {
      uint64_t before = 0;
      for (size_t i = 0; i < set.num_runs(); ++i) {
        REQUIRE(set.runs()[i].count > 0);
        if (i > 0) REQUIRE(set.runs()[i].first > set.runs()[i - 1].end());
        REQUIRE(set.RankOfRun(i) == before);
        before += set.runs()[i].count;
      }
    }
  }
}

TEST_CASE("RowSet: the digest is the same in every build") {
  CHECK(RowSet().Digest() == 17229521901564499580ull);
  CHECK(RowSet::Range(3, 4).Digest() == 10144377945689949958ull);
}

TEST_CASE("RowSet: text names the runs and the number of rows") {
  CHECK(RowSet().ToString() == "no rows");
  CHECK(RowSet::FromSortedRows({0, 1, 2, 7}).ToString() == "0-2, 7 (4 rows)");
  CHECK(RowSet::Range(5, 1).ToString() == "5 (1 row)");
  std::vector<uint64_t> rows;
  for (uint64_t row = 0; row < 40; row += 2) rows.push_back(row);
  CHECK(RowSet::FromSortedRows(rows).ToString() == "0, 2, 4, 6, 8, 10, 12, 14, ... (20 rows)");
}

TEST_CASE("RowSet: millions of single rows take linear time: anything worse would not end") {
  constexpr uint64_t kRuns = 2'000'000;
  std::vector<RowRun> runs(kRuns);
  for (uint64_t i = 0; i < kRuns; ++i) runs[i] = {2 * i, 1};
  const RowSet set = RowSet::FromRuns(runs, 2 * kRuns).value();
  CHECK(set.num_runs() == kRuns);
  CHECK(set.RankOf(2 * kRuns - 2) == kRuns - 1);
  CHECK(RowSet::Union(set, set) == set);
  CHECK(RowSet::Union(set, RowSet::Range(0, 2 * kRuns)).num_runs() == 1);
  CHECK(RowSet::Difference(set, RowSet::Range(0, kRuns)).num_runs() == kRuns / 2);
  CHECK(set.Contains(set.IntersectRange(kRuns, kRuns)));
}

}  // namespace
}  // namespace geeps::table
