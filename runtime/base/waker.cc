// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/waker.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "runtime/base/status.h"

namespace geeps {

Waker::~Waker() {
  if (fd_ >= 0) close(fd_);
}

absl::Status Waker::Open() {
  fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd_ < 0) return IoError(errno, "cannot open an event descriptor");
  return absl::OkStatus();
}

void Waker::Wake() {
  const uint64_t one = 1;
  // EAGAIN means that the counter is full: the descriptor is readable already.
  while (write(fd_, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

void Waker::Drain() {
  uint64_t count;
  while (read(fd_, &count, sizeof(count)) < 0 && errno == EINTR) {
  }
}

}  // namespace geeps
