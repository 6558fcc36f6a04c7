// SPDX-License-Identifier: Apache-2.0
// Thread: a named, joinable thread in the default floating-point environment. Threads that inherit flush-to-zero from the
// embedder's thread would change the bits of sums, hence the reset. All signals are blocked in it: they belong to the embedder.
#ifndef GEEPS_RUNTIME_BASE_THREAD_H_
#define GEEPS_RUNTIME_BASE_THREAD_H_

#include <functional>
#include <thread>

#include "absl/status/status.h"

namespace geeps {

class Thread {
 public:
  Thread() = default;
  ~Thread() { Join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // name: at most 15 characters. Errors: NoMemory when the system has no thread left. REQUIRES: not running.
  absl::Status Start(const char* name, std::function<void()> body);
  // Waits for the end of `body`; nothing when it was never started.
  void Join();
  // Leaves the thread to itself: for one that waits for something that cannot be cancelled. REQUIRES: `body` owns all it uses.
  void Detach();
  bool running() const { return thread_.joinable(); }

 private:
  std::thread thread_;
};

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_THREAD_H_
