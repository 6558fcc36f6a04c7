// SPDX-License-Identifier: Apache-2.0
// DeferredEngine: streams and events of the deferred back end. Work is put into FIFO queues and run later by one
// internal thread, in the order that the schedule chooses, so that a wait somebody forgot shows as wrong data on any
// machine:
//   lazy    nothing runs until somebody waits, and then only what the wait depends on;
//   eager   whatever may run runs as soon as possible, streams in turn;
//   seeded  any stream that may go on, chosen at random; between waits a few pieces of work run ahead, at random too.
// With a modelled link there is one more thread for each of its directions: copies between host and device take the
// time that the link needs, and go on while the device works. Thread contract: any thread; one thread at a time per
// stream and per event.
#ifndef GEEPS_RUNTIME_DEVICE_DEFERRED_ENGINE_H_
#define GEEPS_RUNTIME_DEVICE_DEFERRED_ENGINE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "geeps_device.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "runtime/device/modelled_link.h"

namespace geeps::device {

enum class Schedule { kLazy, kEager, kSeeded };

// Memory that a piece of work reads or writes.
struct MemoryRange {
  const void* begin = nullptr;
  uint64_t bytes = 0;
};
using MemoryRanges = absl::InlinedVector<MemoryRange, 4>;

using NoticeFn = void (*)(void* ctx, geeps_status status);
using Notice = std::pair<NoticeFn, void*>;

class DeferredEngine {
 public:
  struct Stream;

  // What one record has captured.
  struct Ticket {
    Stream* stream;  // where it lies, while it is not done
    bool is_done = false;
    uint64_t done_ns = 0;  // when it was, or should have been
    std::vector<Notice> notices;
  };
  using TicketRef = std::shared_ptr<Ticket>;

  // A link goes with the schedule kEager.
  DeferredEngine(Schedule schedule, uint64_t seed, const ModelledLink& link);
  // Drops what waits; notices not yet given are given with GEEPS_E_CANCELLED.
  ~DeferredEngine();

  // Starts the thread. Errors: NoMemory.
  absl::Status Start();

  // A new stream, or the one known by *native. Errors: Invalid when there is none; the cause when the device is lost.
  absl::Status OpenStream(const uint64_t* native, Stream** out);
  // Ends the use of it that OpenStream began; its work still runs.
  void CloseStream(Stream* stream);
  static uint64_t NativeOf(const Stream* stream);

  // All return the cause when the device is lost.
  absl::Status Enqueue(Stream* stream, std::function<void()> work, MemoryRanges ranges);
  // A copy by that lane; without a modelled link all are the device's.
  absl::Status EnqueueCopy(Stream* stream, Lane lane, void* dst, const void* src, uint64_t bytes);
  absl::Status Record(Stream* stream, TicketRef* ticket);
  // A null ticket is complete, here and below.
  absl::Status StreamWait(Stream* stream, const TicketRef& ticket);
  absl::Status IsDone(const TicketRef& ticket, bool* is_done);
  absl::Status Wait(const TicketRef& ticket);
  void Notify(const TicketRef& ticket, NoticeFn fn, void* ctx);

  // Called before memory is given back: work that uses it and still waits, or is on the link, loses the device, for it
  // would have read or written memory of somebody else. Nothing uses it any more when this returns.
  void ForgetMemory(const void* memory, uint64_t bytes);

  absl::Status cause() const;

 private:
  struct LinkCopy {
    uint8_t* dst = nullptr;
    const uint8_t* src = nullptr;
    uint64_t bytes = 0;
  };
  // A step of a stream: exactly one of work, copy over the link, signal, wait.
  struct Step {
    std::function<void()> work;
    MemoryRanges ranges;
    TicketRef signal;
    TicketRef wait;
    Lane lane = Lane::kDevice;
    LinkCopy copy;
    uint64_t since_ns = 0;  // when it was put there
  };
  struct LaneState {
    const Stream* user = nullptr;  // whose step runs, which uses `ranges`
    MemoryRanges ranges;
    uint64_t free_ns = 0;  // of the link: when its last copy was over, or should have been
  };

  void Run(Lane lane);
  absl::Status Append(Stream* stream, Step step);
  // The stream whose first step runs next; nullptr: none may.
  Stream* Choose(Lane lane) GEEPS_REQUIRES(mutex_);
  Stream* ChooseWanted() GEEPS_REQUIRES(mutex_);
  Stream* ChooseInTurn(Lane lane) GEEPS_REQUIRES(mutex_);
  Stream* ChooseAtRandom() GEEPS_REQUIRES(mutex_);
  static bool MayGoOn(const Stream& stream);
  // Runs the first step of the stream; the mutex is released meanwhile.
  void RunStep(Stream* stream, LaneState* lane) GEEPS_REQUIRES(mutex_);
  // The bytes arrive as the link brings them. The mutex is released meanwhile.
  void RunCopy(Lane lane, const LinkCopy& copy, uint64_t begin_ns) GEEPS_REQUIRES(mutex_);
  // Gives the notices of a ticket that is done; the mutex is released meanwhile.
  void Complete(const TicketRef& ticket, geeps_status status) GEEPS_REQUIRES(mutex_);
  // nullptr: no work that waits, or is on the link, uses it.
  const Stream* FindUser(const MemoryRange& range) const GEEPS_REQUIRES(mutex_);
  void Lose(const absl::Status& cause) GEEPS_REQUIRES(mutex_);
  // Drops all steps. What they would have signalled ends with `status`.
  void DropAll(geeps_status status) GEEPS_REQUIRES(mutex_);
  void RemoveIfEnded(Stream* stream) GEEPS_REQUIRES(mutex_);
  uint64_t NextRandom() GEEPS_REQUIRES(mutex_);

  const Schedule schedule_;
  const ModelledLink link_;
  mutable Mutex mutex_;
  CondVar changed_;
  CondVar ended_;  // nothing is worth waiting for any more
  bool stopping_ GEEPS_GUARDED_BY(mutex_) = false;
  LaneState lanes_[kNumLanes] GEEPS_GUARDED_BY(mutex_);
  absl::Status cause_ GEEPS_GUARDED_BY(mutex_);
  uint64_t random_ GEEPS_GUARDED_BY(mutex_);
  uint64_t steps_ahead_ GEEPS_GUARDED_BY(mutex_) = 0;  // seeded: steps that may run though nobody waits
  uint64_t turn_ GEEPS_GUARDED_BY(mutex_) = 0;         // eager: native handle of the stream that ran last
  uint64_t last_native_ GEEPS_GUARDED_BY(mutex_) = 0;
  // By native handle, ascending; the first is the one with handle 0, which is always there.
  std::vector<std::unique_ptr<Stream>> streams_ GEEPS_GUARDED_BY(mutex_);
  // Tickets that somebody waits for, oldest first.
  std::deque<TicketRef> wanted_ GEEPS_GUARDED_BY(mutex_);
  Thread threads_[kNumLanes];
};

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_DEFERRED_ENGINE_H_
