// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/program_wait.h"

#include <chrono>

namespace geeps::movers {

void ProgramWait::Notify() {
  if (!waiting_.load(std::memory_order_seq_cst)) return;
  MutexLock lock(&mutex_);
  cond_.NotifyAll();
}

// The waiter says that it waits, then looks again: whoever changes what it waits for does so before looking whether it
// waits.
bool ProgramWait::Until(uint64_t limit_ns, const std::function<bool()>& done) {
  const bool unlimited = limit_ns >= uint64_t{1} << 62;
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(unlimited ? 0 : limit_ns);
  MutexLock lock(&mutex_);
  waiting_.store(true, std::memory_order_seq_cst);
  bool in_time = true;
  while (!done() && in_time) {
    if (unlimited) {
      cond_.Wait(&mutex_);
    } else {
      in_time = cond_.WaitUntil(&mutex_, end);
    }
  }
  waiting_.store(false, std::memory_order_relaxed);
  return in_time || done();
}

}  // namespace geeps::movers
