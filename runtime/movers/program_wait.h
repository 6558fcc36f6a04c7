// SPDX-License-Identifier: Apache-2.0
// ProgramWait: where the program sleeps until an operation is ready or the runtime is lost: inside a call, or outside
// on an event descriptor, which a call that was not ready has armed.
// Thread contract: Notify, NotifyFailure and EventFd from any thread; the rest one call at a time (the program's).
#ifndef GEEPS_RUNTIME_MOVERS_PROGRAM_WAIT_H_
#define GEEPS_RUNTIME_MOVERS_PROGRAM_WAIT_H_

#include <atomic>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "runtime/base/waker.h"

namespace geeps::movers {

class ProgramWait {
 public:
  // failed: set before NotifyFailure; outlives this.
  explicit ProgramWait(const std::atomic<bool>* failed) : failed_(failed) {}

  // [any-thread] Something became ready: wakes the sleeper, if what it waits for is there.
  void Notify();
  // [any-thread] failed was set: wakes the sleeper; from now on the descriptor is readable.
  void NotifyFailure();
  // Sleeps until done() is true; false when `limit_ns` has passed (kNoLimit: none). done is called with no lock that
  // others need.
  bool Until(uint64_t limit_ns, absl::FunctionRef<bool()> done);
  static constexpr uint64_t kNoLimit = ~uint64_t{0};

  // The descriptor is not readable from now on until *word is `value`, or the runtime has failed. word stays valid until
  // Disarm or the next Arm.
  void Arm(const std::atomic<uint64_t>* word, uint64_t value);
  void Disarm();
  // [any-thread] The same one each time. Errors: IoError when no descriptor is left.
  absl::StatusOr<int> EventFd();

 private:
  // The descriptor must be readable.
  bool IsOver() const GEEPS_REQUIRES(mutex_);

  const std::atomic<bool>* const failed_;
  std::atomic<uint32_t> num_waiting_{0};  // a sleeper, an armed word
  Mutex mutex_;
  CondVar cond_;
  Waker waker_ GEEPS_GUARDED_BY(mutex_);  // opened when it is asked for
  const std::atomic<uint64_t>* word_ GEEPS_GUARDED_BY(mutex_) = nullptr;  // armed
  uint64_t value_ GEEPS_GUARDED_BY(mutex_) = 0;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_PROGRAM_WAIT_H_
