// SPDX-License-Identifier: Apache-2.0
// Waker: an event descriptor that wakes a thread which sleeps in poll or epoll on it.
// Thread contract: Wake from any thread; Drain by the sleeper.
#ifndef GEEPS_RUNTIME_BASE_WAKER_H_
#define GEEPS_RUNTIME_BASE_WAKER_H_

#include "absl/status/status.h"

namespace geeps {

class Waker {
 public:
  Waker() = default;
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  // Errors: IoError when no descriptor is left.
  absl::Status Open();
  // The descriptor becomes readable and stays so until Drain.
  void Wake();
  void Drain();
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_WAKER_H_
