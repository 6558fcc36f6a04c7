// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/log.h"

#include "absl/strings/str_cat.h"

namespace geeps {

void Log::Write(LogLevel level, const char* component, absl::string_view text) {
  if (!Wants(level)) return;
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
