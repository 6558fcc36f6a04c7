// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/row_set.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/table/digest.h"

namespace geeps::table {
namespace {

// Gives back what a generous reservation left over; sets live as long as their plan.
template <typename T>
void TrimCapacity(std::vector<T>* values) {
  if (values->capacity() > values->size() + values->size() / 4 + 8) values->shrink_to_fit();
}

}  // namespace

absl::StatusOr<RowSet> RowSet::FromRuns(absl::Span<const RowRun> runs, uint64_t num_rows) {
  RowSet set;
  set.runs_.reserve(runs.size());
  set.before_.reserve(runs.size());
  uint64_t end = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const RowRun& run = runs[i];
    if (run.first >= num_rows) {
      return Invalid("run ", i, " begins at row ", run.first, ", but there are ", num_rows, " rows");
    }
    const uint64_t count = run.count == kToEnd ? num_rows - run.first : run.count;
    if (count == 0) return Invalid("run ", i, " at row ", run.first, " has no rows");
    if (count > num_rows - run.first) {
      return Invalid("run ", i, " has ", count, " rows from row ", run.first, " on, but there are ", num_rows, " rows");
    }
    if (i > 0 && run.first < end) {
      return Invalid("run ", i, " begins at row ", run.first, ", inside or before run ", i - 1, ", which ends at row ",
                     end - 1, ": runs are ascending and disjoint");
    }
    set.Append(run.first, count);
    end = run.first + count;
  }
  TrimCapacity(&set.runs_);
  TrimCapacity(&set.before_);
  return set;
}

RowSet RowSet::Range(uint64_t first, uint64_t count) {
  RowSet set;
  if (count > 0) set.Append(first, count);
  return set;
}

RowSet RowSet::FromSortedRows(absl::Span<const uint64_t> rows) {
  RowSet set;
  for (const uint64_t row : rows) set.Append(row, 1);
  return set;
}

void RowSet::Append(uint64_t first, uint64_t count) {
  if (!runs_.empty() && runs_.back().end() == first) {
    runs_.back().count += count;
    return;
  }
  before_.push_back(runs_.empty() ? 0 : before_.back() + runs_.back().count);
  runs_.push_back({first, count});
}

RowSet RowSet::Union(const RowSet& a, const RowSet& b) {
  if (a.IsEmpty()) return b;
  if (b.IsEmpty()) return a;
  RowSet set;
  set.runs_.reserve(a.num_runs() + b.num_runs());
  set.before_.reserve(a.num_runs() + b.num_runs());
  size_t i = 0;
  size_t j = 0;
  uint64_t end = 0;  // rows below it are in the set already
  while (i < a.num_runs() || j < b.num_runs()) {
    const bool from_a = j == b.num_runs() || (i < a.num_runs() && a.runs_[i].first < b.runs_[j].first);
    const RowRun& run = from_a ? a.runs_[i++] : b.runs_[j++];
    const uint64_t first = std::max(run.first, end);
    if (first >= run.end()) continue;
    set.Append(first, run.end() - first);
    end = run.end();
  }
  TrimCapacity(&set.runs_);
  TrimCapacity(&set.before_);
  return set;
}

RowSet RowSet::Intersection(const RowSet& a, const RowSet& b) {
  RowSet set;
  size_t i = 0;
  size_t j = 0;
  while (i < a.num_runs() && j < b.num_runs()) {
    const RowRun& x = a.runs_[i];
    const RowRun& y = b.runs_[j];
    const uint64_t first = std::max(x.first, y.first);
    const uint64_t end = std::min(x.end(), y.end());
    if (first < end) set.Append(first, end - first);
    if (x.end() < y.end()) {
      ++i;
    } else {
      ++j;
    }
  }
  return set;
}

RowSet RowSet::Difference(const RowSet& a, const RowSet& b) {
  RowSet set;
  size_t j = 0;
  for (const RowRun& run : a.runs_) {
    uint64_t first = run.first;
    while (j < b.num_runs() && b.runs_[j].end() <= first) ++j;
    size_t k = j;
    for (; k < b.num_runs() && b.runs_[k].first < run.end(); ++k) {
      if (b.runs_[k].first > first) set.Append(first, b.runs_[k].first - first);
      first = b.runs_[k].end();
    }
    if (first < run.end()) set.Append(first, run.end() - first);
    // The last run looked at may reach into the next run of a.
    j = k > j ? k - 1 : j;
  }
  return set;
}

size_t RowSet::FirstRunEndingAfter(uint64_t row) const {
  return std::partition_point(runs_.begin(), runs_.end(), [row](const RowRun& run) { return run.end() <= row; }) -
         runs_.begin();
}

bool RowSet::ContainsRow(uint64_t row) const {
  const size_t i = FirstRunEndingAfter(row);
  return i < runs_.size() && runs_[i].first <= row;
}

bool RowSet::Contains(const RowSet& other) const {
  size_t i = other.IsEmpty() ? 0 : FirstRunEndingAfter(other.runs_[0].first);
  for (const RowRun& run : other.runs_) {
    while (i < runs_.size() && runs_[i].end() <= run.first) ++i;
    // Runs never touch, so a run of `other` lies in one run of this set or not in it at all.
    if (i == runs_.size() || runs_[i].first > run.first || runs_[i].end() < run.end()) return false;
  }
  return true;
}

bool RowSet::Intersects(uint64_t first, uint64_t count) const {
  if (count == 0) return false;
  const size_t i = FirstRunEndingAfter(first);
  return i < runs_.size() && runs_[i].first < first + count;
}

RowSet RowSet::IntersectRange(uint64_t first, uint64_t count) const {
  RowSet set;
  const uint64_t range_end = first + count;
  for (size_t i = FirstRunEndingAfter(first); i < runs_.size() && runs_[i].first < range_end; ++i) {
    const uint64_t begin = std::max(first, runs_[i].first);
    const uint64_t end = std::min(range_end, runs_[i].end());
    if (begin < end) set.Append(begin, end - begin);
  }
  return set;
}

RowSet RowSet::Shifted(uint64_t offset) const {
  RowSet set = *this;
  for (RowRun& run : set.runs_) run.first -= offset;
  return set;
}

uint64_t RowSet::RankOf(uint64_t row) const {
  const size_t i = FirstRunEndingAfter(row);
  if (i == runs_.size()) return NumRows();
  return before_[i] + (row > runs_[i].first ? row - runs_[i].first : 0);
}

uint64_t RowSet::Digest() const {
  Digester digester;
  digester.Add(static_cast<uint64_t>(runs_.size()));
  for (const RowRun& run : runs_) {
    digester.Add(run.first);
    digester.Add(run.count);
  }
  return digester.value();
}

std::string RowSet::ToString() const {
  if (IsEmpty()) return "no rows";
  constexpr size_t kRunsShown = 8;
  std::string text;
  for (size_t i = 0; i < std::min(runs_.size(), kRunsShown); ++i) {
    if (i > 0) text += ", ";
    absl::StrAppend(&text, runs_[i].first);
    if (runs_[i].count > 1) absl::StrAppend(&text, "-", runs_[i].end() - 1);
  }
  if (runs_.size() > kRunsShown) text += ", ...";
  absl::StrAppend(&text, NumRows() == 1 ? " (1 row)" : absl::StrCat(" (", NumRows(), " rows)"));
  return text;
}

}  // namespace geeps::table
