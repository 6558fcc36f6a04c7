// SPDX-License-Identifier: Apache-2.0
// BuildIndex: the checks of a row index, and its image for the kernel of move_rows.
#include <algorithm>
#include <cstring>
#include <limits>

#include "plugins/cuda/kernels/move_table.h"
#include "plugins/cuda/launch.h"
#include "plugins/cuda/status.h"

namespace geeps::cuda {
namespace {

// A run of fewer rows becomes pairs: an entry of a run takes three times the room and a search.
constexpr uint64_t kRunRowsLeast = 4;

std::string CheckRanges(const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs, uint64_t num_pairs,
                        uint64_t dst_rows, uint64_t src_rows) {
  for (uint64_t i = 0; i < num_runs; ++i) {
    const geeps_row_run& run = runs[i];
    if (run.num_rows == 0 || run.num_rows > dst_rows || run.dst_row > dst_rows - run.num_rows ||
        run.num_rows > src_rows || run.src_row > src_rows - run.num_rows) {
      return Text("run ", i, " of a row index moves ", run.num_rows, " rows from row ", run.src_row, " of ", src_rows,
                  " to row ", run.dst_row, " of ", dst_rows);
    }
  }
  for (uint64_t i = 0; i < num_pairs; ++i) {
    if (pairs[i].dst_row >= dst_rows || pairs[i].src_row >= src_rows) {
      return Text("pair ", i, " of a row index moves row ", pairs[i].src_row, " of ", src_rows, " to row ",
                  pairs[i].dst_row, " of ", dst_rows);
    }
  }
  return "";
}

// Every row of dst at most once. Runs and pairs in ascending order, the usual case, need no sorting.
std::string CheckDisjoint(const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs,
                          uint64_t num_pairs) {
  struct Interval {
    uint64_t first;
    uint64_t end;
  };
  const auto by_first = [](const Interval& a, const Interval& b) { return a.first < b.first; };
  std::vector<Interval> intervals;
  intervals.reserve(num_runs + num_pairs);
  for (uint64_t i = 0; i < num_runs; ++i) intervals.push_back({runs[i].dst_row, runs[i].dst_row + runs[i].num_rows});
  for (uint64_t i = 0; i < num_pairs; ++i) intervals.push_back({pairs[i].dst_row, uint64_t{pairs[i].dst_row} + 1});
  const auto begin = intervals.begin();
  const auto middle = begin + static_cast<std::ptrdiff_t>(num_runs);
  if (!std::is_sorted(begin, middle, by_first)) std::sort(begin, middle, by_first);
  if (!std::is_sorted(middle, intervals.end(), by_first)) std::sort(middle, intervals.end(), by_first);
  std::inplace_merge(begin, middle, intervals.end(), by_first);
  for (size_t i = 1; i < intervals.size(); ++i) {
    if (intervals[i].first < intervals[i - 1].end) {
      return Text("row ", intervals[i].first, " of the destination occurs twice in a row index");
    }
  }
  return "";
}

bool BecomesPairs(const geeps_row_run& run) {
  return run.num_rows < kRunRowsLeast &&
         std::max(run.dst_row, run.src_row) <= std::numeric_limits<uint32_t>::max() - kRunRowsLeast;
}

template <typename Entry>
void Put(const Entry& entry, uint8_t** to) {
  std::memcpy(*to, &entry, sizeof entry);
  *to += sizeof entry;
}

}  // namespace

std::string BuildIndex(const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs, uint64_t num_pairs,
                       uint64_t dst_rows, uint64_t src_rows, IndexImage* out) {
  std::string error = CheckRanges(runs, num_runs, pairs, num_pairs, dst_rows, src_rows);
  if (error.empty()) error = CheckDisjoint(runs, num_runs, pairs, num_pairs);
  if (!error.empty()) return error;
  IndexImage index;
  index.dst_rows = dst_rows;
  index.src_rows = src_rows;
  index.num_pairs = num_pairs;
  for (uint64_t i = 0; i < num_runs; ++i) {
    if (BecomesPairs(runs[i])) {
      index.num_pairs += runs[i].num_rows;
    } else {
      ++index.num_runs;
      index.run_rows += runs[i].num_rows;
    }
  }
  if (index.num_runs + index.num_pairs > 0) {
    index.image.resize(PairsOffset(index) + index.num_pairs * sizeof(IndexPair));
    uint8_t* next_run = index.image.data();
    uint8_t* next_pair = index.image.data() + PairsOffset(index);
    uint64_t first = 0;
    for (uint64_t i = 0; i < num_pairs; ++i) Put(IndexPair{pairs[i].dst_row, pairs[i].src_row}, &next_pair);
    for (uint64_t i = 0; i < num_runs; ++i) {
      const geeps_row_run& run = runs[i];
      if (!BecomesPairs(run)) {
        Put(IndexRun{first, run.dst_row, run.src_row}, &next_run);
        first += run.num_rows;
        continue;
      }
      for (uint64_t row = 0; row < run.num_rows; ++row) {
        Put(IndexPair{static_cast<uint32_t>(run.dst_row + row), static_cast<uint32_t>(run.src_row + row)}, &next_pair);
      }
    }
    Put(IndexRun{first, 0, 0}, &next_run);
  }
  *out = std::move(index);
  return "";
}

uint64_t PairsOffset(const IndexImage& index) { return (index.num_runs + 1) * sizeof(IndexRun); }

}  // namespace geeps::cuda
