// SPDX-License-Identifier: Apache-2.0
// Walks over the arguments of a command: options first, "--name VALUE", "--name=VALUE" or "-n VALUE", then the rest.
// Not thread-safe.
#ifndef GEEPS_TOOLS_GEEPS_OPTIONS_H_
#define GEEPS_TOOLS_GEEPS_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

namespace geeps::tool {

constexpr int kExitUsage = 2;  // the command line is wrong; a sentence on standard error says what

class OptionReader {
 public:
  explicit OptionReader(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  // The next option as written, without its value; nullopt when the options are over ("--" ends them, too).
  std::optional<std::string> NextOption();

  // The value of the option just returned; nullopt when there is none.
  std::optional<std::string> Value();

  // Whether the option just returned has "=VALUE" that nobody asked for.
  bool has_unused_value() const { return attached_value_.has_value(); }

  // What follows the options.
  std::vector<std::string> Rest() const;

 private:
  const std::vector<std::string> arguments_;
  size_t next_ = 0;
  std::optional<std::string> attached_value_;
};

// A whole decimal number in [low, high], or nullopt.
std::optional<int> ParseInt(const std::string& text, int low, int high);

// Writes "geeps COMMAND: TEXT" and how to get help to standard error; returns kExitUsage.
int UsageError(const std::string& command, const std::string& text);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_OPTIONS_H_
