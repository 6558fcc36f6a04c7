// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/output_queue.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace geeps::tool {

void OutputQueue::WriteSome() {
  while (!empty() && !broken_) {
    pollfd ready = {fd_, POLLOUT, 0};
    if (poll(&ready, 1, 0) <= 0) break;
    // A pipe that is writable takes PIPE_BUF bytes at once.
    const ssize_t written = write(fd_, bytes_.data() + begin_, std::min<size_t>(bytes_.size() - begin_, PIPE_BUF));
    if (written >= 0) {
      begin_ += static_cast<size_t>(written);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  if (broken_) begin_ = bytes_.size();
  if (begin_ == bytes_.size() || begin_ > kWaitingBytesMax) {
    bytes_.erase(0, begin_);
    begin_ = 0;
  }
}

}  // namespace geeps::tool
