// SPDX-License-Identifier: Apache-2.0
// Bytes on their way to a descriptor that others share: standard output or standard error of this process.
//
// The descriptor keeps its mode, since O_NONBLOCK would also change it for the shell. Instead each write is small enough for
// what poll promises, so that a reader that stands still never stops the event loop. Not thread-safe.
#ifndef GEEPS_TOOLS_GEEPS_OUTPUT_QUEUE_H_
#define GEEPS_TOOLS_GEEPS_OUTPUT_QUEUE_H_

#include <cstddef>
#include <string>

namespace geeps::tool {

class OutputQueue {
 public:
  // Above this many waiting bytes the workers' output is left in their pipes, which slows them down.
  static constexpr size_t kWaitingBytesMax = 1 << 20;

  explicit OutputQueue(int fd) : fd_(fd) {}

  int fd() const { return fd_; }
  bool empty() const { return begin_ == bytes_.size(); }
  bool has_room() const { return bytes_.size() - begin_ < kWaitingBytesMax; }
  bool broken() const { return broken_; }  // nobody reads any more; what is added is dropped

  // The end of the queue, to append to.
  std::string* end() { return &bytes_; }

  // Writes what the descriptor takes without waiting.
  void WriteSome();

 private:
  const int fd_;
  std::string bytes_;
  size_t begin_ = 0;  // bytes_[0, begin_) are written
  bool broken_ = false;
};

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_OUTPUT_QUEUE_H_
