// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/on_fake/program.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "tests/cuda/harness.h"

namespace geeps::test {
namespace {

using device::Device;
using device::Event;
using device::Memory;
using device::MemoryKind;
using device::RowIndex;
using device::Stream;

constexpr uint64_t kRows = 200;  // a table of so many moves does not fit a launch's parameters
constexpr uint64_t kRowValues = 8;
constexpr uint64_t kRowBytes = kRowValues * sizeof(float);
constexpr uint64_t kBytes = kRows * kRowBytes;
constexpr int kRounds = 3;

struct Notice {
  std::atomic<int> count{0};
  std::atomic<geeps_status> last{GEEPS_AGAIN};
  static void Call(void* ctx, geeps_status status) {
    Notice* const notice = static_cast<Notice*>(ctx);
    notice->last = status;
    notice->count.fetch_add(1);
  }
};

class Program {
 public:
  Program(const Device& device, std::deque<Notice>* notices) : device_(device), notices_(notices) {}

  absl::Status Run() {
    GEEPS_RETURN_IF_ERROR(Allocate());
    GEEPS_RETURN_IF_ERROR(Create());
    for (int round = 0; round < kRounds; ++round) GEEPS_RETURN_IF_ERROR(RunRound(round));
    return absl::OkStatus();
  }

  bool is_right() const { return is_right_; }
  // Whatever has failed: memory may be given back only when no work uses it.
  void Finish() {
    for (const Stream* stream : {&copier_, &mover_}) {
      for (int attempt = 0; attempt < 2 && *stream; ++attempt) {
        auto event = device_.CreateEvent();
        if (event.ok() && stream->Record(*event).ok() && event->Wait("test.end").ok()) break;
      }
    }
  }

 private:
  absl::Status Allocate() {
    GEEPS_ASSIGN_OR_RETURN(pinned_, device_.Allocate(MemoryKind::kPinned, kBytes));
    GEEPS_ASSIGN_OR_RETURN(from_, device_.Allocate(MemoryKind::kDevice, kBytes));
    GEEPS_ASSIGN_OR_RETURN(to_, device_.Allocate(MemoryKind::kDevice, kBytes));
    return absl::OkStatus();
  }

  absl::Status Create() {
    GEEPS_ASSIGN_OR_RETURN(copier_, device_.CreateStream());
    GEEPS_ASSIGN_OR_RETURN(mover_, device_.CreateStream());
    GEEPS_ASSIGN_OR_RETURN(copied_, device_.CreateEvent());
    GEEPS_ASSIGN_OR_RETURN(moved_, device_.CreateEvent());
    std::vector<geeps_row_pair> pairs;
    for (uint32_t r = 0; r < kRows; ++r) pairs.push_back({r, static_cast<uint32_t>(kRows) - 1 - r});
    GEEPS_ASSIGN_OR_RETURN(reverse_, device_.CreateIndex({}, pairs, kRows, kRows));
    const geeps_row_pair one = {0, 0};
    GEEPS_ASSIGN_OR_RETURN(one_row_, device_.CreateIndex({}, {&one, 1}, 1, 1));
    return absl::OkStatus();
  }

  // to = the rows of a pattern, reversed; later rounds put row 0 over every row then, each a move of one call.
  absl::Status RunRound(int round) {
    std::memset(pinned_.data(), 0x10 + round, kBytes);
    std::memset(pinned_.data(), 0x20 + round, kRowBytes);  // row 0
    GEEPS_RETURN_IF_ERROR(copier_.WaitFor("test.moved", moved_));
    GEEPS_RETURN_IF_ERROR(copier_.Copy(from_.data(), pinned_.data(), kBytes));
    GEEPS_RETURN_IF_ERROR(copier_.Record(copied_));
    GEEPS_RETURN_IF_ERROR(mover_.Fill(to_.data(), 0, kBytes));
    GEEPS_RETURN_IF_ERROR(mover_.WaitFor("test.copied", copied_));
    const geeps_row_move reversed =
        device::MakeRowMove(GEEPS_MOVE_COPY, GEEPS_F32, kRowValues, to_.data(), from_.data(), reverse_);
    GEEPS_RETURN_IF_ERROR(mover_.MoveRows({&reversed, 1}));
    std::vector<geeps_row_move> many;
    for (uint64_t r = 0; r < kRows && round > 0; ++r) {
      many.push_back(device::MakeRowMove(GEEPS_MOVE_COPY, GEEPS_F32, kRowValues, to_.bytes() + r * kRowBytes,
                                         from_.data(), one_row_));
    }
    GEEPS_RETURN_IF_ERROR(mover_.MoveRows(many));
    GEEPS_RETURN_IF_ERROR(mover_.Record(moved_));
    GEEPS_RETURN_IF_ERROR(moved_.Notify("test.notice", Notice::Call, &notices_->emplace_back()));
    GEEPS_RETURN_IF_ERROR(moved_.Wait("test.wait"));
    GEEPS_RETURN_IF_ERROR(mover_.Copy(pinned_.data(), to_.data(), kBytes));
    GEEPS_RETURN_IF_ERROR(mover_.Record(moved_));
    GEEPS_RETURN_IF_ERROR(moved_.Wait("test.wait"));
    GEEPS_ASSIGN_OR_RETURN(const bool is_complete, moved_.IsComplete());
    is_right_ = is_right_ && is_complete && HasResult(round);
    return WaitForNotice(notices_->back());
  }

  bool HasResult(int round) const {
    for (uint64_t r = 0; r < kRows; ++r) {
      const bool is_row_0 = round > 0 || r == kRows - 1;
      const uint8_t expected = static_cast<uint8_t>((is_row_0 ? 0x20 : 0x10) + round);
      for (uint64_t i = 0; i < kRowBytes; ++i) {
        if (pinned_.bytes()[r * kRowBytes + i] != expected) return false;
      }
    }
    return true;
  }

  static absl::Status WaitForNotice(const Notice& notice) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (notice.count == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    if (notice.count == 1 && notice.last == GEEPS_OK) return absl::OkStatus();
    return Internal(notice.count.load(), " notices came, the last one with ", notice.last.load());
  }

  const Device& device_;
  std::deque<Notice>* const notices_;
  bool is_right_ = true;
  Memory pinned_, from_, to_;
  Event copied_, moved_;
  RowIndex reverse_, one_row_;
  Stream copier_, mover_;  // end first
};

}  // namespace

Seen RunProgram(int device_id) {
  Seen seen;
  std::deque<Notice> notices;
  {
    auto device = OpenCuda(device_id);
    seen.status = device.status();
    if (!device.ok()) return seen;
    Program program(**device, &notices);
    seen.status = program.Run();
    if (!program.is_right()) seen.wrong.push_back("the result is wrong");
    program.Finish();
  }
  for (const Notice& notice : notices) {
    // Not asked for when the call failed.
    const int num_asked = &notice == &notices.back() && !seen.status.ok() ? 0 : 1;
    if (notice.count < num_asked || notice.count > 1) {
      seen.wrong.push_back(absl::StrCat(notice.count.load(), " notices instead of one"));
    }
  }
  return seen;
}

}  // namespace geeps::test
