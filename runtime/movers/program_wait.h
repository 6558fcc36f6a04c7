// SPDX-License-Identifier: Apache-2.0
// ProgramWait: where the program sleeps until an operation is ready or the runtime is lost.
// Thread contract: Notify from any thread; one sleeper at a time.
#ifndef GEEPS_RUNTIME_MOVERS_PROGRAM_WAIT_H_
#define GEEPS_RUNTIME_MOVERS_PROGRAM_WAIT_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "runtime/base/mutex.h"

namespace geeps::movers {

class ProgramWait {
 public:
  // [any-thread] Wakes the sleeper, if there is one.
  void Notify();
  // Sleeps until done() is true; false when `limit_ns` has passed (kNoLimit: none). done is called with no lock that
  // others need.
  bool Until(uint64_t limit_ns, const std::function<bool()>& done);
  static constexpr uint64_t kNoLimit = ~uint64_t{0};

 private:
  std::atomic<bool> waiting_{false};
  Mutex mutex_;
  CondVar cond_;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_PROGRAM_WAIT_H_
