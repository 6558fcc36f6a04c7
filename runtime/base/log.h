// SPDX-License-Identifier: Apache-2.0
// Log: one runtime's log. Lines go to the embedder's callback, or wait in a bounded ring until geeps_log_take fetches them.
// Thread contract: any thread.
#ifndef GEEPS_RUNTIME_BASE_LOG_H_
#define GEEPS_RUNTIME_BASE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"
#include "runtime/base/mutex.h"

namespace geeps {

enum class LogLevel : int32_t { kError = 1, kWarning = 2, kInfo = 3, kDebug = 4 };

class Log {
 public:
  using Callback = void (*)(void* user, int32_t level, const char* component, const char* text, uint64_t len);

  // Lines above `level` are dropped. callback may be nullptr: lines are kept for Take.
  Log(LogLevel level, Callback callback, void* user) : level_(level), callback_(callback), user_(user) {}

  bool Wants(LogLevel level) const { return level <= level_; }
  void Write(LogLevel level, const char* component, absl::string_view text);

  // Looks at the oldest kept line: false when there is none. The line stays until DropOldest.
  bool PeekOldest(LogLevel* level, std::string* line);
  void DropOldest();
  uint64_t num_lost() const;

 private:
  struct Line {
    LogLevel level;
    std::string text;
  };
  // A line is a few hundred bytes: the ring stays below half a megabyte.
  static constexpr size_t kLinesMax = 1024;

  const LogLevel level_;
  const Callback callback_;
  void* const user_;
  mutable Mutex mutex_;
  std::deque<Line> lines_ GEEPS_GUARDED_BY(mutex_);
  uint64_t num_lost_ GEEPS_GUARDED_BY(mutex_) = 0;
};

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_LOG_H_
