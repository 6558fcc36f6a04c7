// SPDX-License-Identifier: Apache-2.0
// DeferredEngine: streams and events of the deferred back end. Work is put into FIFO queues and run later by one
// internal thread, in the order that the schedule chooses, so that a wait somebody forgot shows as wrong data on any
// machine:
//   lazy    nothing runs until somebody waits, and then only what the wait depends on;
//   eager   whatever may run runs as soon as possible, streams in turn;
//   seeded  any stream that may go on, chosen at random; between waits a few pieces of work run ahead, at random too.
// Thread contract: any thread; one thread at a time per stream and per event.
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
    std::vector<Notice> notices;
  };
  using TicketRef = std::shared_ptr<Ticket>;

  DeferredEngine(Schedule schedule, uint64_t seed);
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
  absl::Status Record(Stream* stream, TicketRef* ticket);
  // A null ticket is complete, here and below.
  absl::Status StreamWait(Stream* stream, const TicketRef& ticket);
  absl::Status IsDone(const TicketRef& ticket, bool* is_done);
  absl::Status Wait(const TicketRef& ticket);
  void Notify(const TicketRef& ticket, NoticeFn fn, void* ctx);

  // Called before memory is given back: work that still waits and uses it loses the device, for it would have read or
  // written memory of somebody else.
  void ForgetMemory(const void* memory, uint64_t bytes);

  absl::Status cause() const;

 private:
  // A step of a stream: exactly one of work, signal, wait.
  struct Step {
    std::function<void()> work;
    MemoryRanges ranges;
    TicketRef signal;
    TicketRef wait;
  };

  void Run();
  absl::Status Append(Stream* stream, Step step);
  // The stream whose first step runs next; nullptr: none may.
  Stream* Choose() GEEPS_REQUIRES(mutex_);
  Stream* ChooseWanted() GEEPS_REQUIRES(mutex_);
  Stream* ChooseInTurn() GEEPS_REQUIRES(mutex_);
  Stream* ChooseAtRandom() GEEPS_REQUIRES(mutex_);
  static bool MayGoOn(const Stream& stream);
  // Runs the first step of the stream; the mutex is released meanwhile.
  void RunStep(Stream* stream) GEEPS_REQUIRES(mutex_);
  // Gives the notices of a ticket that is done; the mutex is released meanwhile.
  void Complete(const TicketRef& ticket, geeps_status status) GEEPS_REQUIRES(mutex_);
  void Lose(const absl::Status& cause) GEEPS_REQUIRES(mutex_);
  // Drops all steps. What they would have signalled ends with `status`.
  void DropAll(geeps_status status) GEEPS_REQUIRES(mutex_);
  void RemoveIfEnded(Stream* stream) GEEPS_REQUIRES(mutex_);
  uint64_t NextRandom() GEEPS_REQUIRES(mutex_);

  const Schedule schedule_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ GEEPS_GUARDED_BY(mutex_) = false;
  bool is_running_step_ GEEPS_GUARDED_BY(mutex_) = false;
  absl::Status cause_ GEEPS_GUARDED_BY(mutex_);
  uint64_t random_ GEEPS_GUARDED_BY(mutex_);
  uint64_t steps_ahead_ GEEPS_GUARDED_BY(mutex_) = 0;  // seeded: steps that may run though nobody waits
  uint64_t turn_ GEEPS_GUARDED_BY(mutex_) = 0;         // eager: native handle of the stream that ran last
  uint64_t last_native_ GEEPS_GUARDED_BY(mutex_) = 0;
  // By native handle, ascending; the first is the one with handle 0, which is always there.
  std::vector<std::unique_ptr<Stream>> streams_ GEEPS_GUARDED_BY(mutex_);
  // Tickets that somebody waits for, oldest first.
  std::deque<TicketRef> wanted_ GEEPS_GUARDED_BY(mutex_);
  Thread thread_;
};

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_DEFERRED_ENGINE_H_
