// SPDX-License-Identifier: Apache-2.0
// SegmentSweep: cuts the rows of one partition into segments with the same contributors, so that each segment is summed
// as plain arrays. Rows that nobody contributes to are in no segment: their value, state and step count stay as they
// are.
// Thread contract: one thread at a time; memory is reused from build to build.
#ifndef GEEPS_RUNTIME_TABLE_SEGMENTS_H_
#define GEEPS_RUNTIME_TABLE_SEGMENTS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "runtime/table/row_set.h"

namespace geeps::table {

// One contributor's rows of the partition. Its values lie dense over these rows.
struct SegmentSource {
  absl::Span<const RowRun> runs;  // relative to the partition, ascending, disjoint
};

// A contributor of a segment.
struct SegmentInput {
  uint32_t source = 0;      // index into the sources given to Build
  uint64_t row_offset = 0;  // position of the segment's first row among the source's rows
};

struct Segment {
  uint64_t first_row = 0;  // relative to the partition
  uint64_t num_rows = 0;
  size_t first_input = 0;  // into inputs()
  size_t num_inputs = 0;   // >= 1
};

class SegmentSweep {
 public:
  // Sweeps over the run boundaries of the sources: O(boundaries * (log sources + contributors)). Inputs of a segment
  // are in the order of the sources, so give these in rank order. The former result is gone.
  void Build(absl::Span<const SegmentSource> sources);

  absl::Span<const Segment> segments() const { return segments_; }
  absl::Span<const SegmentInput> inputs() const { return inputs_; }
  absl::Span<const SegmentInput> InputsOf(const Segment& segment) const {
    return absl::MakeConstSpan(inputs_).subspan(segment.first_input, segment.num_inputs);
  }

 private:
  // Where a source stands in the sweep.
  struct Cursor {
    const RowRun* run = nullptr;  // the current or next run
    const RowRun* end = nullptr;
    uint64_t rows_before = 0;  // rows of the source in runs already passed
    bool inside = false;       // the sweep is in *run
  };
  // A row at which a source's run begins or ends.
  using Boundary = std::pair<uint64_t, uint32_t>;  // row, source

  void Push(uint64_t row, uint32_t source);
  // Moves the source of the earliest boundary past it.
  void PassBoundary();
  void Emit(uint64_t first_row, uint64_t end_row);

  std::vector<Cursor> cursors_;
  std::vector<Boundary> boundaries_;  // heap, earliest first: the next one of each source
  std::vector<uint32_t> active_;      // sources whose run the sweep is in, ascending
  std::vector<Segment> segments_;
  std::vector<SegmentInput> inputs_;
};

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_SEGMENTS_H_
