// SPDX-License-Identifier: Apache-2.0
// RowIndex: which rows of one dense array are which rows of another, prebuilt at commit. RowUnion and SeenRows are the
// two steps that derive it: where each row of a union of sets lies, and which rows of an update are touched for the
// first time.
//
// Many scattered rows are counted in a bitmap (a set bit a row, and the number of rows before each word), so that the
// place of a row takes two loads; few runs, or rows far apart, by sorted runs.
// Thread contract: RowIndex is a plain value; the others are used by one thread.
#ifndef GEEPS_RUNTIME_PLAN_ROW_INDEX_H_
#define GEEPS_RUNTIME_PLAN_ROW_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "runtime/table/row_set.h"

namespace geeps::plan {

// A prebuilt index between two dense row arrays. Runs first; single rows (runs shorter than 2) as 32-bit pairs. A
// single row at 2^32 or above stays a run.
struct RowIndex {
  struct Run {
    uint64_t to = 0;
    uint64_t from = 0;
    uint64_t count = 0;
  };
  struct Pair {
    uint32_t to = 0;
    uint32_t from = 0;
  };
  std::vector<Run> runs;
  std::vector<Pair> pairs;
  bool empty() const { return runs.empty() && pairs.empty(); }
  uint64_t NumRows() const;
};

// Collects pieces and splits them into runs and pairs, exactly sized. Used again and again to keep its memory.
class RowIndexBuilder {
 public:
  void Clear() { pieces_.clear(); }
  // Pieces that continue the last one are merged with it. REQUIRES: count > 0.
  void Add(uint64_t to, uint64_t from, uint64_t count);
  size_t num_pieces() const { return pieces_.size(); }
  absl::Span<const RowIndex::Run> pieces() const { return pieces_; }
  RowIndex Build() const;

 private:
  std::vector<RowIndex::Run> pieces_;
};

// Bits for rows 0 .. num_rows - 1.
class RowBits {
 public:
  // True when a bitmap costs less than what `num_runs` runs cost anyway, or little.
  static bool Worth(uint64_t num_rows, uint64_t num_runs);

  explicit RowBits(uint64_t num_rows) : words_((num_rows + 63) / 64) {}
  void Set(uint64_t first, uint64_t count);
  bool Get(uint64_t row) const { return (words_[row / 64] >> (row % 64) & 1) != 0; }
  // End of the rows after `row`, below `end`, whose bits are like its own.
  uint64_t EndOfRun(uint64_t row, uint64_t end) const;
  absl::Span<const uint64_t> words() const { return words_; }

 private:
  std::vector<uint64_t> words_;
};

// The union of some sets of rows, dense and ascending.
class RowUnion {
 public:
  // REQUIRES: all rows are below num_rows.
  RowUnion(uint64_t num_rows, absl::Span<const table::RowSet* const> sets);

  const table::RowSet& rows() const { return rows_; }
  // Place of the first row of a run that lies in the union.
  uint64_t PlaceOf(const table::RowRun& run) const;

 private:
  void BuildByBits(uint64_t num_rows, absl::Span<const table::RowSet* const> sets);
  void BuildBySorting(uint64_t num_rows, absl::Span<const table::RowSet* const> sets);

  table::RowSet rows_;
  std::vector<uint64_t> bits_;
  std::vector<uint32_t> before_;  // [bits_.size()] rows in earlier words; empty: places are searched in rows_
};

// Which rows have been seen before.
class SeenRows {
 public:
  SeenRows(uint64_t num_rows, uint64_t num_runs);
  // Calls fn(first, count, seen) for the parts of the run, ascending, and marks them.
  template <typename Fn>
  void Visit(const table::RowRun& run, Fn&& fn);

 private:
  bool by_bits_;
  RowBits bits_;
  std::map<uint64_t, uint64_t> runs_;  // first: end; disjoint, not touching after the run was visited
};

template <typename Fn>
void SeenRows::Visit(const table::RowRun& run, Fn&& fn) {
  if (by_bits_) {
    for (uint64_t row = run.first; row < run.end();) {
      const uint64_t end = bits_.EndOfRun(row, run.end());
      fn(row, end - row, bits_.Get(row));
      row = end;
    }
    bits_.Set(run.first, run.count);
    return;
  }
  auto it = runs_.upper_bound(run.first);
  if (it != runs_.begin() && std::prev(it)->second >= run.first) --it;
  uint64_t merged_first = run.first;
  uint64_t merged_end = run.end();
  uint64_t row = run.first;
  while (it != runs_.end() && it->first <= run.end()) {
    if (it->first > row) fn(row, it->first - row, false);
    const uint64_t seen_first = it->first > row ? it->first : row;
    const uint64_t seen_end = it->second < run.end() ? it->second : run.end();
    if (seen_end > seen_first) fn(seen_first, seen_end - seen_first, true);
    if (seen_end > row) row = seen_end;
    if (it->first < merged_first) merged_first = it->first;
    if (it->second > merged_end) merged_end = it->second;
    it = runs_.erase(it);
  }
  if (row < run.end()) fn(row, run.end() - row, false);
  runs_[merged_first] = merged_end;
}

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_ROW_INDEX_H_
