// SPDX-License-Identifier: Apache-2.0
// MoverStream: one stream of the movers, and what a turn of theirs wants put into it. Moves and applies that do not
// depend on one another are collected and go to the device in one call each, and one notice tells the ends of all of
// them; whatever depends on something that is collected sends that off first. Nothing is kept beyond a turn. A
// synchronous device is given each piece at once.
// Thread contract: the mover thread.
#ifndef GEEPS_RUNTIME_MOVERS_MOVER_STREAM_H_
#define GEEPS_RUNTIME_MOVERS_MOVER_STREAM_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/device/device.h"
#include "runtime/movers/completions.h"

namespace geeps::movers {

class MoverStream {
 public:
  // What a piece of work does with a thing that several pieces may use: whatever the number `key` stands for in this
  // stream. Pieces that only read it, or only write parts of it that belong to one of them each, may go together.
  enum class Use : uint8_t { kReads, kWritesOwnPart, kWrites };

  // Streams that share completions are of one device, or synchronous.
  absl::Status Create(const device::Device& device, Completions* completions);

  // Behind all that uses the same. Nothing that is collected depends on it.
  absl::Status Copy(void* dst, const void* src, uint64_t bytes, uint32_t key, Use use);
  // The same for memory that nothing collected uses.
  absl::Status Copy(void* dst, const void* src, uint64_t bytes) { return stream_.Copy(dst, src, bytes); }
  absl::Status Fill(void* dst, uint8_t value, uint64_t bytes) { return stream_.Fill(dst, value, bytes); }
  // Collects. bytes: that are written. The moves of one call do not depend on one another.
  absl::Status MoveRows(absl::Span<const geeps_row_move> moves, uint64_t bytes, uint32_t key, Use use);
  // Collects; segments and inputs are copied.
  absl::Status Apply(const geeps_apply& apply, uint64_t bytes, uint32_t key, Use use);
  // Collects, behind the moves and applies that are collected now.
  absl::Status CopyBehind(void* dst, const void* src, uint64_t bytes, uint32_t key, Use use);

  // `end` is told when all work so far is over: by a notice, asked for when that work is sent off. `site` names the
  // wait for the test switch. Sends off what has become large.
  absl::Status Await(device::WaitSite site, const Done& end);
  // Sends off what is collected.
  absl::Status Flush();
  // `event` captures all work so far.
  absl::Status Record(const device::Event& event);

  bool is_synchronous() const { return stream_.device().is_synchronous(); }
  // For work outside the movers' turns.
  const device::Stream& stream() const { return stream_; }

 private:
  struct Touched {
    uint64_t batch = 0;
    Use use = Use::kReads;
  };
  struct BehindCopy {
    void* dst = nullptr;
    const void* src = nullptr;
    uint64_t bytes = 0;
  };
  struct Ends {
    device::WaitSite site = nullptr;
    Completions::Notice* notice = nullptr;
  };

  absl::Status GoBehind(uint32_t key, Use use);
  absl::Status Collect(uint32_t key, Use use);
  absl::Status SendWork();
  absl::Status AskFor(const Ends& ends);

  device::Stream stream_;
  Completions* completions_ = nullptr;
  uint64_t batch_ = 1;
  uint64_t bytes_ = 0;            // that what is collected writes
  std::vector<Touched> touched_;  // by key
  std::vector<geeps_row_move> moves_;
  std::vector<geeps_apply> applies_;  // without their segments and inputs
  std::vector<geeps_apply_segment> segments_;
  std::vector<geeps_apply_input> inputs_;
  std::vector<BehindCopy> copies_;
  std::vector<Ends> ends_;  // by site
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_MOVER_STREAM_H_
