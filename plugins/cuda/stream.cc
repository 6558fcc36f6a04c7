// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/stream.h"

#include <algorithm>
#include <cstring>

namespace geeps::cuda {
namespace {

// Pieces in which ordinary memory is filled.
constexpr uint64_t kFillBytes = 1 << 20;

DevicePointer AddressOf(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

}  // namespace

Stream::~Stream() {
  const Driver& driver = device_.driver();
  if (end_ != nullptr) driver.EventDestroy(end_);
  if (is_own_ && native_ != nullptr) driver.StreamDestroy(native_);
}

Status Stream::Open(const uint64_t* native) {
  const Driver& driver = device_.driver();
  Loss& loss = device_.loss();
  if (Status status =
          loss.Check(driver.EventCreate(&end_, kEventBlockingSync | kEventDisableTiming), "cuEventCreate for a stream");
      !status.ok()) {
    return status;
  }
  if (native == nullptr) {
    is_own_ = true;
    return loss.Check(driver.StreamCreate(&native_, kStreamNonBlocking), "cuStreamCreate");
  }
  native_ = reinterpret_cast<NativeStream>(static_cast<uintptr_t>(*native));
  const Result result = driver.StreamQuery(native_);
  if (result == kSuccess || result == kNotReady) return Status();
  // Says nothing about the device: the handle is the embedder's.
  if (result == kInvalidContext || result == kContextIsDestroyed) {
    return Status(GEEPS_E_INVALID,
                  Text("stream handle ", *native, " is of no living context: ", ResultText(driver, result)), result);
  }
  return loss.Check(result, "cuStreamQuery of the stream handle ", *native);
}

Status Stream::WaitFor(const Event& event) {
  if (event.record == 0) return Status();
  return device_.loss().Check(device_.driver().StreamWaitEvent(native_, event.native, 0), "cuStreamWaitEvent");
}

Status Stream::Record(Event* event) {
  Status status = device_.loss().Check(device_.driver().EventRecord(event->native, native_), "cuEventRecord");
  if (!status.ok()) return status;
  event->source = id_;
  event->record = ++num_records_;
  return status;
}

Status Stream::Copy(void* dst, const void* src, uint64_t bytes) {
  if (bytes == 0) return Status();
  if (dst == nullptr || src == nullptr) return Invalid("copy of ", bytes, " bytes: ", dst ? "src" : "dst", " is NULL");
  has_work_ = true;
  return device_.loss().Check(device_.driver().MemcpyAsync(AddressOf(dst), AddressOf(src), bytes, native_),
                              "cuMemcpyAsync of ", bytes, " bytes from ", src, " to ", dst);
}

Status Stream::Fill(void* dst, uint8_t value, uint64_t bytes) {
  if (bytes == 0) return Status();
  if (dst == nullptr) return Invalid("fill of ", bytes, " bytes: dst is NULL");
  has_work_ = true;
  if (device_.memory().IsPageable(dst)) return FillPageable(dst, value, bytes);
  return device_.loss().Check(device_.driver().MemsetD8Async(AddressOf(dst), value, bytes, native_),
                              "cuMemsetD8Async of ", bytes, " bytes at ", dst);
}

// The device cannot write this memory, but copies can.
Status Stream::FillPageable(void* dst, uint8_t value, uint64_t bytes) {
  Loss& loss = device_.loss();
  NeedWorkspace();
  const uint64_t piece_bytes = std::min(bytes, kFillBytes);
  DevicePointer piece = 0;
  if (Status status = workspace_->GetScratch(piece_bytes, &piece); !status.ok()) return status;
  Status status = loss.Check(device_.driver().MemsetD8Async(piece, value, piece_bytes, native_), "cuMemsetD8Async of ",
                             piece_bytes, " bytes of scratch");
  for (uint64_t done = 0; done < bytes && status.ok(); done += piece_bytes) {
    const uint64_t now = std::min(piece_bytes, bytes - done);
    const Result result = device_.driver().MemcpyAsync(AddressOf(dst) + done, piece, now, native_);
    status = done == 0 ? loss.Check(result, "cuMemcpyAsync of ", now, " bytes to ordinary memory")
                       : loss.CheckOrLose(result, "cuMemcpyAsync of ", now, " bytes to ordinary memory");
  }
  return status;
}

Status Stream::MoveRows(const geeps_row_move* moves, uint64_t num_moves) {
  moves_.clear();
  Status status =
      ForEachStruct(moves, num_moves, "geeps_row_move", [this](const geeps_row_move& move) { moves_.push_back(move); });
  if (!status.ok()) return status;
  launches_.Clear();
  geeps_status code = GEEPS_E_INVALID;
  std::string error = PlanMoves(moves_, &launches_, &code);
  if (!error.empty()) return Status(code, std::move(error));
  return Submit("move_rows");
}

Status Stream::Apply(const geeps_apply* applies, uint64_t num_applies) {
  applies_.clear();
  Status status = ForEachStruct(applies, num_applies, "geeps_apply",
                                [this](const geeps_apply& apply) { applies_.push_back(apply); });
  if (!status.ok()) return status;
  launches_.Clear();
  geeps_status code = GEEPS_E_INVALID;
  std::string error = PlanApplies(applies_, &launches_, &code);
  if (!error.empty()) return Status(code, std::move(error));
  return Submit("apply");
}

void Stream::NeedWorkspace() {
  if (workspace_ == nullptr) workspace_ = device_.TakeWorkspace();
}

Status Stream::Submit(const char* what) {
  if (launches_.launches.empty()) return Status();
  for (const Launch& launch : launches_.launches) {
    if (device_.functions().Find(launch.kernel) == nullptr) {
      return Status(GEEPS_E_INTERNAL, Text(what, ": there is no kernel ", launch.kernel));
    }
  }
  has_work_ = true;
  const bool is_inline = launches_.table.size() <= kInlineTableBytes;
  DevicePointer table = 0, scratch = 0;
  if (launches_.scratch_bytes > 0 || !is_inline) {
    NeedWorkspace();
    if (Status status = workspace_->GetScratch(launches_.scratch_bytes, &scratch); !status.ok()) return status;
  }
  InlineTable inline_table;
  if (is_inline) {
    std::copy(launches_.table.begin(), launches_.table.end(), inline_table.bytes);
    std::fill(inline_table.bytes + launches_.table.size(), inline_table.bytes + kInlineTableBytes, uint8_t{0});
  } else if (Status status = workspace_->CopyTable(launches_.table, native_, &table); !status.ok()) {
    return status;
  }
  void* parameters[] = {is_inline ? static_cast<void*>(&inline_table) : &table, &scratch};
  bool is_first = true;
  for (const Launch& launch : launches_.launches) {
    if (Status status = Run(launch, parameters, is_inline, is_first, what); !status.ok()) return status;
    is_first = false;
  }
  return Status();
}

// A first launch that is refused has changed nothing; behind it, half of the work is there.
Status Stream::Run(const Launch& launch, void** parameters, bool is_inline, bool is_first, const char* what) {
  const Functions::Pair& pair = *device_.functions().Find(launch.kernel);
  const Result result =
      device_.driver().LaunchKernel(is_inline ? pair.with_table_inline : pair.with_table_address, launch.num_blocks, 1,
                                    1, launch.num_threads, 1, 1, launch.shared_bytes, native_, parameters, nullptr);
  if (result == kSuccess) return Status();
  const std::string call = Text(what, ": cuLaunchKernel of ", launch.num_blocks, " blocks of ", launch.num_threads,
                                " threads of ", launch.kernel);
  return is_first ? device_.loss().Check(result, call) : device_.loss().CheckOrLose(result, call);
}

void Stream::Finish() const {
  if (has_work_) device_.driver().StreamSynchronize(native_);
}

void Stream::MarkEnd() {
  if (!has_work_) return;
  // Without the mark, wait here: this is not the per-clock path, and the workspace must not be used too early. Where
  // the context is broken both come back at once; a loss for another reason does not stop what runs.
  if (device_.driver().EventRecord(end_, native_) != kSuccess) device_.driver().StreamSynchronize(native_);
}

bool Stream::IsDone(bool waits) {
  if (!has_work_) return true;
  Result result = device_.driver().EventQuery(end_);
  if (result == kNotReady && waits) result = device_.driver().EventSynchronize(end_);
  return result != kNotReady;  // nothing runs in a broken context
}

}  // namespace geeps::cuda
