// SPDX-License-Identifier: Apache-2.0
// RowSet: a set of rows as ascending, disjoint runs that do not touch each other, so that equal sets have equal runs.
// In memory the rows of a set lie dense, in ascending order; RankOf gives a row's place there.
// Thread contract: immutable after construction; const functions from any thread.
#ifndef GEEPS_RUNTIME_TABLE_ROW_SET_H_
#define GEEPS_RUNTIME_TABLE_ROW_SET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace geeps::table {

// Rows first .. first + count - 1.
struct RowRun {
  uint64_t first = 0;
  uint64_t count = 0;
  uint64_t end() const { return first + count; }
  friend bool operator==(const RowRun& a, const RowRun& b) { return a.first == b.first && a.count == b.count; }
};

class RowSet {
 public:
  // As RowRun::count: up to the last row.
  static constexpr uint64_t kToEnd = 0xffffffffffffffffull;

  RowSet() = default;

  // The set of `runs`, as the program gives them: strictly ascending, disjoint, not empty, inside 0 .. num_rows - 1;
  // the last one's count may be kToEnd. Runs that touch each other are merged. Errors: Invalid, naming the position of
  // the offending run and its numbers.
  static absl::StatusOr<RowSet> FromRuns(absl::Span<const RowRun> runs, uint64_t num_rows);
  static RowSet Range(uint64_t first, uint64_t count);
  // REQUIRES: strictly ascending.
  static RowSet FromSortedRows(absl::Span<const uint64_t> rows);

  static RowSet Union(const RowSet& a, const RowSet& b);
  static RowSet Intersection(const RowSet& a, const RowSet& b);
  static RowSet Difference(const RowSet& a, const RowSet& b);

  absl::Span<const RowRun> runs() const { return runs_; }
  size_t num_runs() const { return runs_.size(); }
  uint64_t NumRows() const { return runs_.empty() ? 0 : before_.back() + runs_.back().count; }
  bool IsEmpty() const { return runs_.empty(); }
  // At most one run.
  bool IsContiguous() const { return runs_.size() <= 1; }

  bool ContainsRow(uint64_t row) const;
  bool Contains(const RowSet& other) const;
  bool Intersects(uint64_t first, uint64_t count) const;
  RowSet IntersectRange(uint64_t first, uint64_t count) const;
  // The same set with `offset` taken from every row. REQUIRES: no row is smaller.
  RowSet Shifted(uint64_t offset) const;

  // Position of `row` among the rows of the set: the number of smaller ones, also when `row` is not in it. Logarithmic.
  uint64_t RankOf(uint64_t row) const;
  // Index of the first run that ends after `row`; num_runs() when there is none. Logarithmic.
  size_t FirstRunEndingAfter(uint64_t row) const;
  // Number of rows in the runs before run `run_index`. REQUIRES: run_index < num_runs().
  uint64_t RankOfRun(size_t run_index) const { return before_[run_index]; }

  // Calls fn(row) for every row, ascending.
  template <typename Fn>
  void ForEachRow(Fn&& fn) const {
    for (const RowRun& run : runs_) {
      for (uint64_t row = run.first; row < run.end(); ++row) fn(row);
    }
  }

  friend bool operator==(const RowSet& a, const RowSet& b) { return a.runs_ == b.runs_; }

  // A function of the rows alone, equal on every machine and in every release of one protocol version.
  uint64_t Digest() const;
  // "0-9, 12, 20-29 (21 rows)"; long sets are cut.
  std::string ToString() const;

 private:
  // Appends a run behind the others, merged with the last one when they touch. REQUIRES: first >= end of the last run,
  // count >= 1.
  void Append(uint64_t first, uint64_t count);

  std::vector<RowRun> runs_;
  std::vector<uint64_t> before_;  // [num_runs] rows in earlier runs
};

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_ROW_SET_H_
