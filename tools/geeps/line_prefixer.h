// SPDX-License-Identifier: Apache-2.0
// Turns the output of one worker, which comes in pieces of any size, into whole lines that begin with its rank.
//
// A line that the worker rewrites with carriage returns (a progress bar) becomes one line: its last state. A line longer
// than kLineBytesMax is cut into several, so that a worker that never ends its line costs bounded memory. The last line gets
// the newline that it lacks. Bytes are otherwise left as they are. Not thread-safe.
#ifndef GEEPS_TOOLS_GEEPS_LINE_PREFIXER_H_
#define GEEPS_TOOLS_GEEPS_LINE_PREFIXER_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace geeps::tool {

class LinePrefixer {
 public:
  static constexpr size_t kLineBytesMax = 64 << 10;

  explicit LinePrefixer(std::string prefix) : prefix_(std::move(prefix)) {}

  // Takes the next bytes of the output and appends each line that they complete to *out.
  void Feed(std::string_view bytes, std::string* out);

  // The output is over: appends the unfinished line, if any.
  void Finish(std::string* out);

 private:
  // Adds bytes without '\n' and '\r' to the line.
  void Extend(std::string_view bytes, std::string* out);
  void EndLine(std::string* out);

  const std::string prefix_;
  std::string line_;
  bool return_seen_ = false;  // the byte before was '\r': what follows, unless it is '\n', replaces the line
};

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_LINE_PREFIXER_H_
