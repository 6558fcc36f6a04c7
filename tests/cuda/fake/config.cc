// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/config.h"

#include <charconv>
#include <sstream>
#include <string_view>

namespace geeps::fake {
namespace {

// The text before the first `separator`, which goes; all of it when there is none.
std::string_view TakePart(std::string_view* text, char separator) {
  const size_t end = text->find(separator);
  const std::string_view part = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return part;
}

template <typename T>
bool ParseNumber(std::string_view text, T* out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool ParseBytes(std::string_view text, uint64_t* out) {
  int shift = 0;
  if (!text.empty()) {
    shift = text.back() == 'k' ? 10 : text.back() == 'm' ? 20 : text.back() == 'g' ? 30 : 0;
    if (shift > 0) text.remove_suffix(1);
  }
  if (!ParseNumber(text, out) || *out > (UINT64_MAX >> shift)) return false;
  *out <<= shift;
  return true;
}

bool ParseSchedule(std::string_view text, Config* out) {
  const std::string_view name = TakePart(&text, ':');
  if (name == "seeded") {
    out->schedule = Schedule::kSeeded;
    return ParseNumber(text, &out->seed);
  }
  out->schedule = name == "lazy" ? Schedule::kLazy : Schedule::kEager;
  return (name == "lazy" || name == "eager") && text.empty();
}

bool ParseRefusal(std::string_view text, Config* out) {
  Refusal refusal;
  refusal.function = std::string(TakePart(&text, ':'));
  std::string_view first = TakePart(&text, ':');
  if (!first.empty() && first.back() == '+') {
    refusal.goes_on = true;
    first.remove_suffix(1);
  }
  if (!ParseNumber(first, &refusal.first) || !ParseNumber(text, &refusal.result)) return false;
  out->refusals.push_back(std::move(refusal));
  return true;
}

bool ParseWord(std::string_view name, std::string_view value, Config* out) {
  if (name == "devices") return ParseNumber(value, &out->num_devices) && out->num_devices >= 0;
  if (name == "memory") return ParseBytes(value, &out->memory_bytes);
  if (name == "pinned") return ParseBytes(value, &out->pinned_bytes);
  if (name == "schedule") return ParseSchedule(value, out);
  if (name == "version") return ParseNumber(value, &out->version);
  if (name == "compute") {
    return ParseNumber(TakePart(&value, '.'), &out->compute_major) && ParseNumber(value, &out->compute_minor);
  }
  if (name == "refuse") return ParseRefusal(value, out);
  if (name == "break") {
    return ParseNumber(TakePart(&value, ':'), &out->break_at) && ParseNumber(value, &out->break_result);
  }
  if (name == "kernels") {
    out->kernels_path = std::string(value);
    return !value.empty();
  }
  if (name == "quiet") {
    out->is_quiet = value == "1";
    return value == "0" || value == "1";
  }
  return false;
}

}  // namespace

std::string ParseConfig(const std::string& words, Config* out) {
  Config config;
  std::istringstream stream(words);
  for (std::string word; stream >> word;) {
    std::string_view value = word;
    const std::string_view name = TakePart(&value, '=');
    if (!ParseWord(name, value, &config)) {
      return "GEEPS_FAKE_CUDA: \"" + word + "\" is not understood; tests/cuda/fake/config.h lists the words";
    }
  }
  *out = std::move(config);
  return "";
}

}  // namespace geeps::fake
