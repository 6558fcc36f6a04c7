// SPDX-License-Identifier: Apache-2.0
#include "runtime/cache/local_data.h"

#include <cstddef>

#include "runtime/base/status.h"

namespace geeps::cache {

absl::Status LocalData::Prepare(const device::Device& device, device::MemoryKind kind) {
  next_ = device::Memory();
  if (memory_ && memory_.kind() == kind) return absl::OkStatus();
  GEEPS_ASSIGN_OR_RETURN(next_, device.Allocate(kind, bytes_));
  return absl::OkStatus();
}

absl::Status LocalData::Adopt(const device::Device& device) {
  if (!next_) return absl::OkStatus();
  if (memory_) {
    GEEPS_RETURN_IF_ERROR(last_use_.Begin(nullptr));
    GEEPS_ASSIGN_OR_RETURN(const device::Stream stream, device.CreateStream());
    GEEPS_ASSIGN_OR_RETURN(const device::Event event, device.CreateEvent());
    GEEPS_RETURN_IF_ERROR(stream.Copy(next_.data(), memory_.data(), bytes_));
    GEEPS_RETURN_IF_ERROR(stream.Record(event));
    GEEPS_RETURN_IF_ERROR(event.Wait("local_data.adopt"));
  }
  memory_ = std::move(next_);
  next_ = device::Memory();
  return absl::OkStatus();
}

void LocalData::Resegment(const plan::LocalLayout& layout) {
  table::RowSet kept_rows = kept_elsewhere_;
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (kept_[i]) {
      kept_rows = table::RowSet::Union(kept_rows, table::RowSet::Range(segments_[i].first, segments_[i].count));
    }
  }
  segments_.clear();
  kept_.clear();
  kept_elsewhere_ = kept_rows;
  for (size_t i = 0; i < layout.segment_first.size(); ++i) {
    const table::RowRun run{layout.segment_first[i], layout.segment_rows[i]};
    const table::RowSet rows = table::RowSet::Range(run.first, run.count);
    segments_.push_back(run);
    kept_.push_back(kept_rows.Contains(rows));
    if (kept_.back()) kept_elsewhere_ = table::RowSet::Difference(kept_elsewhere_, rows);
  }
}

bool LocalData::IsKept(absl::Span<const uint32_t> segments) const {
  for (uint32_t segment : segments) {
    if (!kept_[segment]) return false;
  }
  return true;
}

void LocalData::SetKept(absl::Span<const uint32_t> segments, bool kept) {
  for (uint32_t segment : segments) {
    kept_[segment] = kept;
    const table::RowRun& run = segments_[segment];
    if (kept_elsewhere_.IsEmpty() || !kept_elsewhere_.Intersects(run.first, run.count)) continue;
    kept_elsewhere_ = table::RowSet::Difference(kept_elsewhere_, table::RowSet::Range(run.first, run.count));
  }
}

}  // namespace geeps::cache
