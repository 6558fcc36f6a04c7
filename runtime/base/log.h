// SPDX-License-Identifier: Apache-2.0
// Log: one runtime's log. Lines go to the embedder's callback, or wait in a bounded ring until geeps_log_take fetches
// them; the library never writes to a descriptor of the program. Lines that repeat are limited (LogLimiter).
// Thread contract: any thread; the callback is called from the thread that writes, outside all locks of this class.
//
// Components: "runtime" what ended or ends the job, "control" coordinator and its connections, "links" data
// connections, "fence" start, commit, fence and shutdown, "movers" the thread that moves rows, "wait" long waits of the
// program, "trace" the file of the trace, "plugin" what is loaded; a plugin names itself.
//
// Levels: error     the runtime is lost, or a fault of geeps
//         warning   something is wrong and the job goes on: look at it
//         info      what an operator follows: which connection ended
//         debug     states, for whoever reads this code beside the log
#ifndef GEEPS_RUNTIME_BASE_LOG_H_
#define GEEPS_RUNTIME_BASE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/base/log_limiter.h"
#include "runtime/base/mutex.h"

namespace geeps {

enum class LogLevel : int32_t { kError = 1, kWarning = 2, kInfo = 3, kDebug = 4 };

class Log {
 public:
  using Callback = void (*)(void* user, int32_t level, const char* component, const char* text, uint64_t len);
  using Clock = uint64_t (*)();  // nanoseconds of any clock that does not go back

  // Lines that are alike and written in one period (LogLimiter). Debug lines are asked for by whoever wants many.
  static constexpr uint64_t kAlikeMax = 10;
  static constexpr uint64_t kAlikeDebugMax = 1000;

  // Lines above `level` are dropped. callback may be nullptr: lines are kept for PeekOldest.
  Log(LogLevel level, Callback callback, void* user, Clock clock = SteadyClock)
      : level_(level), callback_(callback), user_(user), clock_(clock) {}
  // Tells what was left out and not told yet.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool Wants(LogLevel level) const { return level <= level_; }
  // A line for which there is no memory is dropped.
  void Write(LogLevel level, const char* component, absl::string_view text) noexcept;
  // A debug line of these pieces; nothing is put together when nobody wants it.
  template <typename... Pieces>
  void Debug(const char* component, const Pieces&... pieces) noexcept {
    if (!Wants(LogLevel::kDebug)) return;
    try {
      Write(LogLevel::kDebug, component, absl::StrCat(pieces...));
    } catch (const std::exception&) {
      // As Write.
    }
  }

  // Looks at the oldest kept line: false when there is none. The line stays until DropOldest.
  bool PeekOldest(LogLevel* level, std::string* line);
  void DropOldest();
  // Lines that the ring had no room for.
  uint64_t num_lost() const;

 private:
  struct Line {
    LogLevel level;
    std::string text;
  };
  // A line is a few hundred bytes: the ring stays below half a megabyte.
  static constexpr size_t kLinesMax = 1024;

  static uint64_t SteadyClock();
  void Limit(LogLevel level, const char* component, absl::string_view text);
  void Emit(LogLevel level, const char* component, absl::string_view text);
  void Emit(const std::vector<LogLimiter::LeftOut>& told);

  const LogLevel level_;
  const Callback callback_;
  void* const user_;
  const Clock clock_;
  mutable Mutex mutex_;
  LogLimiter limiter_ GEEPS_GUARDED_BY(mutex_);
  std::deque<Line> lines_ GEEPS_GUARDED_BY(mutex_);
  uint64_t num_lost_ GEEPS_GUARDED_BY(mutex_) = 0;
};

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_LOG_H_
