// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/log.h"

#include <chrono>

namespace geeps {

Log::~Log() {
  try {
    std::vector<LogLimiter::LeftOut> told;
    {
      MutexLock lock(&mutex_);
      told = limiter_.TakeAll();
    }
    Emit(told);
  } catch (const std::exception&) {
    // No memory for a last line.
  }
}

uint64_t Log::SteadyClock() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

void Log::Write(LogLevel level, const char* component, absl::string_view text) noexcept {
  if (!Wants(level)) return;
  try {
    Limit(level, component, text);
  } catch (const std::exception&) {
    // No memory for the line.
  }
}

void Log::Limit(LogLevel level, const char* component, absl::string_view text) {
  std::vector<LogLimiter::LeftOut> told;
  bool admitted;
  {
    const uint64_t max = level == LogLevel::kDebug ? kAlikeDebugMax : kAlikeMax;
    MutexLock lock(&mutex_);
    admitted = limiter_.Admit(static_cast<int32_t>(level), component, text, max, clock_(), &told);
  }
  Emit(told);
  if (admitted) Emit(level, component, text);
}

void Log::Emit(const std::vector<LogLimiter::LeftOut>& told) {
  for (const LogLimiter::LeftOut& left_out : told) {
    Emit(static_cast<LogLevel>(left_out.level), left_out.component.c_str(), LeftOutText(left_out));
  }
}

void Log::Emit(LogLevel level, const char* component, absl::string_view text) {
  if (callback_ != nullptr) {
    const std::string terminated(text);
    callback_(user_, static_cast<int32_t>(level), component, terminated.c_str(), terminated.size());
    return;
  }
  MutexLock lock(&mutex_);
  if (lines_.size() == kLinesMax) {
    lines_.pop_front();
    ++num_lost_;
  }
  lines_.push_back({level, absl::StrCat(component, ": ", text)});
}

bool Log::PeekOldest(LogLevel* level, std::string* line) {
  MutexLock lock(&mutex_);
  if (lines_.empty()) return false;
  *level = lines_.front().level;
  *line = lines_.front().text;
  return true;
}

void Log::DropOldest() {
  MutexLock lock(&mutex_);
  if (!lines_.empty()) lines_.pop_front();
}

uint64_t Log::num_lost() const {
  MutexLock lock(&mutex_);
  return num_lost_;
}

}  // namespace geeps
