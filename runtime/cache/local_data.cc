// SPDX-License-Identifier: Apache-2.0
#include "runtime/cache/local_data.h"

#include <cstddef>

#include "runtime/base/status.h"

namespace geeps::cache {
namespace {

constexpr const char* kWaitForLastUse = "local_data.last_use";

}  // namespace

LocalData::~LocalData() {
  if (used_in_ != nullptr) last_use_.Wait(kWaitForLastUse).IgnoreError();
}

absl::Status LocalData::BeginUse(const device::Stream* in) {
  if (used_in_ == nullptr || used_in_ == in) return absl::OkStatus();
  if (in != nullptr) return in->WaitFor(kWaitForLastUse, last_use_);
  GEEPS_RETURN_IF_ERROR(last_use_.Wait(kWaitForLastUse));
  used_in_ = nullptr;
  return absl::OkStatus();
}

// Several operations may be open: the event captures the end of each of them.
absl::Status LocalData::EndUse(const device::Stream* in) {
  if (in == nullptr) return absl::OkStatus();
  GEEPS_RETURN_IF_ERROR(BeginUse(in));
  GEEPS_RETURN_IF_ERROR(in->Record(last_use_));
  used_in_ = in;
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
