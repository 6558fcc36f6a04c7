// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/mover_stream.h"

#include "runtime/base/status.h"

namespace geeps::movers {
namespace {

// What is collected goes off when it writes this much: a large table's work does not hold back what small ones lead to.
// A device writes so many bytes in about the time that it takes to start a kernel.
constexpr uint64_t kBatchBytes = uint64_t{4} << 20;

}  // namespace

absl::Status MoverStream::Create(const device::Device& device, Completions* completions) {
  GEEPS_ASSIGN_OR_RETURN(stream_, device.CreateStream());
  completions_ = completions;
  return absl::OkStatus();
}

absl::Status MoverStream::GoBehind(uint32_t key, Use use) {
  if (key >= touched_.size()) touched_.resize(key + 1);
  const Touched& touched = touched_[key];
  const bool together = touched.batch != batch_ || (touched.use == use && use != Use::kWrites);
  return together ? absl::OkStatus() : Flush();
}

absl::Status MoverStream::Collect(uint32_t key, Use use) {
  GEEPS_RETURN_IF_ERROR(GoBehind(key, use));
  touched_[key] = {batch_, use};
  return absl::OkStatus();
}

absl::Status MoverStream::Copy(void* dst, const void* src, uint64_t bytes, uint32_t key, Use use) {
  GEEPS_RETURN_IF_ERROR(GoBehind(key, use));
  return stream_.Copy(dst, src, bytes);
}

absl::Status MoverStream::MoveRows(absl::Span<const geeps_row_move> moves, uint64_t bytes, uint32_t key, Use use) {
  if (is_synchronous()) return stream_.MoveRows(moves);
  GEEPS_RETURN_IF_ERROR(Collect(key, use));
  moves_.insert(moves_.end(), moves.begin(), moves.end());
  bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status MoverStream::Apply(const geeps_apply& apply, uint64_t bytes, uint32_t key, Use use) {
  if (is_synchronous()) return stream_.Apply(absl::MakeConstSpan(&apply, 1));
  GEEPS_RETURN_IF_ERROR(Collect(key, use));
  inputs_.insert(inputs_.end(), apply.inputs, apply.inputs + apply.num_inputs);
  segments_.insert(segments_.end(), apply.segments, apply.segments + apply.num_segments);
  applies_.push_back(apply);
  bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status MoverStream::CopyBehind(void* dst, const void* src, uint64_t bytes, uint32_t key, Use use) {
  if (is_synchronous()) return stream_.Copy(dst, src, bytes);
  GEEPS_RETURN_IF_ERROR(Collect(key, use));
  copies_.push_back({dst, src, bytes});
  bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status MoverStream::Await(device::WaitSite site, const Done& end) {
  Completions::Notice* notice = nullptr;
  for (const Ends& ends : ends_) {
    if (ends.site == site) notice = ends.notice;
  }
  if (notice == nullptr) {
    ends_.reserve(ends_.size() + 1);
    notice = completions_->New();
    ends_.push_back({site, notice});
  }
  notice->ends.push_back(end);
  return bytes_ < kBatchBytes ? absl::OkStatus() : Flush();
}

// Notices are asked for even if work was refused: what was put into the stream before may be under way.
absl::Status MoverStream::Flush() {
  if (ends_.empty() && moves_.empty() && applies_.empty() && copies_.empty()) return absl::OkStatus();
  ++batch_;
  bytes_ = 0;
  absl::Status status = SendWork();
  moves_.clear();
  applies_.clear();
  segments_.clear();
  inputs_.clear();
  copies_.clear();
  for (const Ends& ends : ends_) {
    const absl::Status asked = AskFor(ends);
    if (status.ok()) status = asked;
  }
  ends_.clear();
  return status;
}

absl::Status MoverStream::SendWork() {
  if (!moves_.empty()) GEEPS_RETURN_IF_ERROR(stream_.MoveRows(moves_));
  const geeps_apply_segment* segments = segments_.data();
  const geeps_apply_input* inputs = inputs_.data();
  for (geeps_apply& apply : applies_) {
    apply.segments = segments;
    apply.inputs = inputs;
    segments += apply.num_segments;
    inputs += apply.num_inputs;
  }
  if (!applies_.empty()) GEEPS_RETURN_IF_ERROR(stream_.Apply(applies_));
  for (const BehindCopy& copy : copies_) GEEPS_RETURN_IF_ERROR(stream_.Copy(copy.dst, copy.src, copy.bytes));
  return absl::OkStatus();
}

absl::Status MoverStream::AskFor(const Ends& ends) {
  device::Event* const event = &ends.notice->event;
  absl::Status recorded = CatchOutOfMemory([&]() -> absl::Status {
    if (!*event) {
      GEEPS_ASSIGN_OR_RETURN(*event, stream_.device().CreateEvent());
    }
    return stream_.Record(*event);
  });
  if (!recorded.ok()) {
    completions_->Drop(ends.notice);
    return recorded;
  }
  return completions_->AskFor(ends.site, *event, ends.notice);
}

absl::Status MoverStream::Record(const device::Event& event) {
  GEEPS_RETURN_IF_ERROR(Flush());
  return stream_.Record(event);
}

}  // namespace geeps::movers
