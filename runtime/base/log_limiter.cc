// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/log_limiter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace geeps {
namespace {

std::string PatternOf(absl::string_view text) {
  std::string pattern;
  pattern.reserve(text.size());
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      pattern += c;
    } else if (pattern.empty() || pattern.back() != '#') {
      pattern += '#';
    }
  }
  return pattern;
}

}  // namespace

void LogLimiter::Expire(uint64_t now_ns, std::vector<LeftOut>* told) {
  size_t num_over = 0;
  while (num_over < kinds_.size() && now_ns - kinds_[num_over].begun_ns >= kPeriodNs) ++num_over;
  for (size_t i = 0; i < num_over; ++i) {
    if (kinds_[i].left_out.num > 0) told->push_back(std::move(kinds_[i].left_out));
  }
  kinds_.erase(kinds_.begin(), kinds_.begin() + static_cast<ptrdiff_t>(num_over));
}

bool LogLimiter::Admit(int32_t level, absl::string_view component, absl::string_view text, uint64_t max,
                       uint64_t now_ns, std::vector<LeftOut>* told) {
  Expire(now_ns, told);
  std::string pattern = PatternOf(text);
  const auto known = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& kind) {
    return kind.left_out.level == level && kind.left_out.component == component && kind.pattern == pattern;
  });
  if (known != kinds_.end()) {
    if (known->num_written < max) {
      ++known->num_written;
      return true;
    }
    ++known->left_out.num;
    return false;
  }
  if (kinds_.size() == kKindsMax) {
    if (kinds_.front().left_out.num > 0) told->push_back(std::move(kinds_.front().left_out));
    kinds_.erase(kinds_.begin());
  }
  Kind kind;
  kind.left_out.level = level;
  kind.left_out.component = std::string(component);
  kind.left_out.example = std::string(text);
  kind.pattern = std::move(pattern);
  kind.begun_ns = now_ns;
  kind.num_written = 1;
  kinds_.push_back(std::move(kind));
  return true;
}

std::vector<LogLimiter::LeftOut> LogLimiter::TakeAll() {
  std::vector<LeftOut> told;
  for (Kind& kind : kinds_) {
    if (kind.left_out.num > 0) told.push_back(std::move(kind.left_out));
  }
  kinds_.clear();
  return told;
}

std::string LeftOutText(const LogLimiter::LeftOut& left_out) {
  return absl::StrCat(left_out.num,
                      left_out.num == 1 ? " more line like this one was" : " more lines like this one were",
                      " left out within ", LogLimiter::kPeriodNs / 1'000'000'000, " s: ", left_out.example);
}

}  // namespace geeps
