// SPDX-License-Identifier: Apache-2.0
// Numbers out of the JSON of geeps_runtime_get_stats.
// Thread contract: pure functions.
#ifndef GEEPS_TESTS_SYSTEM_STATISTICS_H_
#define GEEPS_TESTS_SYSTEM_STATISTICS_H_

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace geeps::system_test {

// The whole number behind the first "key" of the text; -1 when there is none.
inline int64_t NumberOf(const std::string& json, const std::string& key) {
  size_t at = json.find("\"" + key + "\"");
  if (at == std::string::npos) return -1;
  at += key.size() + 2;
  while (at < json.size() && (std::isspace(static_cast<unsigned char>(json[at])) != 0 || json[at] == ':')) ++at;
  if (at == json.size() || std::isdigit(static_cast<unsigned char>(json[at])) == 0) return -1;
  return std::strtoll(json.c_str() + at, nullptr, 10);
}

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_STATISTICS_H_
