// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/program_wait.h"

#include <chrono>

#include "runtime/base/status.h"

namespace geeps::movers {

void ProgramWait::Notify() {
  if (num_waiting_.load(std::memory_order_seq_cst) == 0) return;
  MutexLock lock(&mutex_);
  cond_.NotifyAll();
  if (waker_.fd() >= 0 && IsOver()) waker_.Wake();
}

void ProgramWait::NotifyFailure() {
  MutexLock lock(&mutex_);
  cond_.NotifyAll();
  if (waker_.fd() >= 0) waker_.Wake();
}

// The waiter says that it waits, then looks again: whoever changes what it waits for does so before looking whether it
// waits.
bool ProgramWait::Until(uint64_t limit_ns, absl::FunctionRef<bool()> done) {
  const bool unlimited = limit_ns >= uint64_t{1} << 62;
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(unlimited ? 0 : limit_ns);
  MutexLock lock(&mutex_);
  num_waiting_.fetch_add(1, std::memory_order_seq_cst);
  bool in_time = true;
  while (!done() && in_time) {
    if (unlimited) {
      cond_.Wait(&mutex_);
    } else {
      in_time = cond_.WaitUntil(&mutex_, end);
    }
  }
  num_waiting_.fetch_sub(1, std::memory_order_relaxed);
  return in_time || done();
}

void ProgramWait::Arm(const std::atomic<uint64_t>* word, uint64_t value) {
  MutexLock lock(&mutex_);
  if (word_ == nullptr) num_waiting_.fetch_add(1, std::memory_order_seq_cst);
  word_ = word;
  value_ = value;
  if (waker_.fd() < 0) return;
  waker_.Drain();
  if (IsOver()) waker_.Wake();
}

void ProgramWait::Disarm() {
  MutexLock lock(&mutex_);
  if (word_ == nullptr) return;
  word_ = nullptr;
  num_waiting_.fetch_sub(1, std::memory_order_relaxed);
}

absl::StatusOr<int> ProgramWait::EventFd() {
  MutexLock lock(&mutex_);
  if (waker_.fd() >= 0) return waker_.fd();
  GEEPS_RETURN_IF_ERROR(waker_.Open());
  if (IsOver()) waker_.Wake();
  return waker_.fd();
}

bool ProgramWait::IsOver() const {
  return failed_->load(std::memory_order_seq_cst) ||
         (word_ != nullptr && word_->load(std::memory_order_seq_cst) == value_);
}

}  // namespace geeps::movers
