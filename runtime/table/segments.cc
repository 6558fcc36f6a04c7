// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/segments.h"

#include <algorithm>
#include <functional>

namespace geeps::table {

void SegmentSweep::Build(absl::Span<const SegmentSource> sources) {
  cursors_.clear();
  boundaries_.clear();
  active_.clear();
  segments_.clear();
  inputs_.clear();
  for (uint32_t i = 0; i < sources.size(); ++i) {
    const absl::Span<const RowRun> runs = sources[i].runs;
    cursors_.push_back({runs.data(), runs.data() + runs.size(), 0, false});
    if (!runs.empty()) Push(runs[0].first, i);
  }
  while (!boundaries_.empty()) {
    const uint64_t row = boundaries_.front().first;
    while (!boundaries_.empty() && boundaries_.front().first == row) PassBoundary();
    if (!active_.empty()) Emit(row, boundaries_.front().first);
  }
}

void SegmentSweep::Push(uint64_t row, uint32_t source) {
  boundaries_.push_back({row, source});
  std::push_heap(boundaries_.begin(), boundaries_.end(), std::greater<>());
}

void SegmentSweep::PassBoundary() {
  const uint32_t source = boundaries_.front().second;
  std::pop_heap(boundaries_.begin(), boundaries_.end(), std::greater<>());
  boundaries_.pop_back();
  Cursor& cursor = cursors_[source];
  const auto place = std::lower_bound(active_.begin(), active_.end(), source);
  if (!cursor.inside) {
    cursor.inside = true;
    active_.insert(place, source);
    Push(cursor.run->end(), source);
    return;
  }
  cursor.inside = false;
  active_.erase(place);
  cursor.rows_before += cursor.run->count;
  ++cursor.run;
  if (cursor.run != cursor.end) Push(cursor.run->first, source);
}

void SegmentSweep::Emit(uint64_t first_row, uint64_t end_row) {
  segments_.push_back({first_row, end_row - first_row, inputs_.size(), active_.size()});
  for (const uint32_t source : active_) {
    const Cursor& cursor = cursors_[source];
    inputs_.push_back({source, cursor.rows_before + (first_row - cursor.run->first)});
  }
}

}  // namespace geeps::table
