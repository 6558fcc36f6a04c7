// SPDX-License-Identifier: Apache-2.0
// Request: a long call under way: start, commit, fence, get, shutdown. It ends once; its result is then there for ever.
// Thread contract: Complete by the mover thread; Drop serial with the program's calls; the rest from any thread.
#ifndef GEEPS_RUNTIME_SESSION_REQUEST_H_
#define GEEPS_RUNTIME_SESSION_REQUEST_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/base/waker.h"

namespace geeps::session {

class Request {
 public:
  // Errors: IoError when no descriptor is left.
  absl::Status Open() { return waker_.Open(); }

  void Complete(const absl::Status& status) noexcept {
    MutexLock lock(&mutex_);
    if (done_) return;
    status_ = Detached(status);
    done_ = true;
    done_cond_.NotifyAll();
    if (waker_.fd() >= 0) waker_.Wake();
  }

  // False: not done within the limit (~0: none).
  bool Wait(uint64_t limit_ns) {
    const bool unlimited = limit_ns >= uint64_t{1} << 62;
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(unlimited ? 0 : limit_ns);
    MutexLock lock(&mutex_);
    while (!done_) {
      if (unlimited) {
        done_cond_.Wait(&mutex_);
      } else if (!done_cond_.WaitUntil(&mutex_, end)) {
        return done_;
      }
    }
    return true;
  }
  bool done() const {
    MutexLock lock(&mutex_);
    return done_;
  }
  // REQUIRES: done().
  absl::Status status() const {
    MutexLock lock(&mutex_);
    return Detached(status_);
  }
  // Nobody wants the result any more. Of a get: afterwards the caller's memory is not touched.
  void Drop() {
    if (on_drop_) on_drop_();
  }
  // REQUIRES: before the request is shared.
  void SetOnDrop(std::function<void()> on_drop) { on_drop_ = std::move(on_drop); }
  int event_fd() const { return waker_.fd(); }

 private:
  std::function<void()> on_drop_;
  Waker waker_;  // readable from the end on
  mutable Mutex mutex_;
  CondVar done_cond_;
  bool done_ GEEPS_GUARDED_BY(mutex_) = false;
  absl::Status status_ GEEPS_GUARDED_BY(mutex_);
};

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_REQUEST_H_
