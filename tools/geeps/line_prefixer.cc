// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/line_prefixer.h"

#include <algorithm>

namespace geeps::tool {

void LinePrefixer::Feed(std::string_view bytes, std::string* out) {
  while (!bytes.empty()) {
    const size_t plain = std::min(bytes.find_first_of("\r\n"), bytes.size());
    if (plain > 0) {
      Extend(bytes.substr(0, plain), out);
      bytes.remove_prefix(plain);
      continue;
    }
    if (bytes.front() == '\n') {
      EndLine(out);
    } else {
      return_seen_ = true;
    }
    bytes.remove_prefix(1);
  }
}

void LinePrefixer::Finish(std::string* out) {
  if (!line_.empty()) EndLine(out);
}

void LinePrefixer::Extend(std::string_view bytes, std::string* out) {
  if (return_seen_) {
    line_.clear();
    return_seen_ = false;
  }
  while (line_.size() + bytes.size() > kLineBytesMax) {
    const size_t fits = kLineBytesMax - line_.size();
    line_.append(bytes.substr(0, fits));
    bytes.remove_prefix(fits);
    EndLine(out);
  }
  line_.append(bytes);
}

void LinePrefixer::EndLine(std::string* out) {
  out->append(prefix_).append(line_).push_back('\n');
  line_.clear();
  return_seen_ = false;
}

}  // namespace geeps::tool
