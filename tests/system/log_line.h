// SPDX-License-Identifier: Apache-2.0
// Lines of a worker's log, awaited.
// Thread contract: any thread.
#ifndef GEEPS_TESTS_SYSTEM_LOG_LINE_H_
#define GEEPS_TESTS_SYSTEM_LOG_LINE_H_

#include <chrono>
#include <string>
#include <thread>

#include "geeps.h"

namespace geeps::system_test {

// The first line of a worker's log that holds `part`; waits for it.
inline std::string LineWith(geeps_runtime* rt, const std::string& part) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < until) {
    char line[1024];
    uint64_t length = 0;
    int32_t level = 0;
    while (geeps_log_take(rt, &level, line, sizeof line, &length, nullptr) == GEEPS_OK && length <= sizeof line) {
      if (std::string(line).find(part) != std::string::npos) return line;
    }
    std::this_thread::yield();
  }
  return "";
}

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_LOG_LINE_H_
