// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/options.h"

#include <charconv>
#include <cstdio>

namespace geeps::tool {

std::optional<std::string> OptionReader::NextOption() {
  attached_value_.reset();
  if (next_ == arguments_.size()) return std::nullopt;
  const std::string& argument = arguments_[next_];
  if (argument.size() < 2 || argument[0] != '-') return std::nullopt;
  ++next_;
  if (argument == "--") return std::nullopt;
  const size_t equals = argument.find('=');
  if (argument[1] != '-' || equals == std::string::npos) return argument;
  attached_value_ = argument.substr(equals + 1);
  return argument.substr(0, equals);
}

std::optional<std::string> OptionReader::Value() {
  if (attached_value_.has_value()) {
    std::optional<std::string> value;
    value.swap(attached_value_);
    return value;
  }
  if (next_ == arguments_.size()) return std::nullopt;
  return arguments_[next_++];
}

std::vector<std::string> OptionReader::Rest() const {
  return std::vector<std::string>(arguments_.begin() + static_cast<std::ptrdiff_t>(next_), arguments_.end());
}

std::optional<int> ParseInt(const std::string& text, int low, int high) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) return std::nullopt;
  return value;
}

int UsageError(const std::string& command, const std::string& text) {
  std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", command.c_str(), text.c_str(), command.c_str());
  return kExitUsage;
}

}  // namespace geeps::tool
