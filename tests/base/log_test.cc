// SPDX-License-Identifier: Apache-2.0
// Log: levels, where lines go, and how repeated ones end.
#include "runtime/base/log.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace geeps {
namespace {

using Lines = std::vector<std::string>;

uint64_t test_now_ns = 0;
uint64_t TestClock() { return test_now_ns; }

// "2 links: text"
void Keep(void* user, int32_t level, const char* component, const char* text, uint64_t len) {
  CHECK(std::string(text).size() == len);
  static_cast<Lines*>(user)->push_back(absl::StrCat(level, " ", component, ": ", text));
}

}  // namespace

TEST_CASE("Log: lines above the level are dropped, the others reach the callback with level and component") {
  Lines lines;
  Log log(LogLevel::kWarning, Keep, &lines, TestClock);
  log.Write(LogLevel::kError, "runtime", "lost");
  log.Write(LogLevel::kWarning, "links", "odd");
  log.Write(LogLevel::kInfo, "control", "fine");
  log.Debug("fence", "clock ", 7);
  CHECK(lines == Lines{"1 runtime: lost", "2 links: odd"});
  CHECK_FALSE(log.Wants(LogLevel::kInfo));
}

TEST_CASE("Log: at level debug everything is written, and Debug joins its pieces") {
  Lines lines;
  Log log(LogLevel::kDebug, Keep, &lines, TestClock);
  log.Debug("fence", "commit at clock ", 7, " ends");
  log.Write(LogLevel::kInfo, "control", "fine");
  CHECK(lines == Lines{"4 fence: commit at clock 7 ends", "3 control: fine"});
}

TEST_CASE("Log: eleven alike give ten, and the next line after the period says how many are missing") {
  Lines lines;
  test_now_ns = 1;
  {
    Log log(LogLevel::kWarning, Keep, &lines, TestClock);
    for (int i = 0; i < 25; ++i) log.Write(LogLevel::kWarning, "tcp", absl::StrCat("refused port ", i));
    CHECK(lines.size() == Log::kAlikeMax);
    test_now_ns += LogLimiter::kPeriodNs;
    log.Write(LogLevel::kError, "runtime", "lost");
    REQUIRE(lines.size() == Log::kAlikeMax + 2);
    CHECK(lines[Log::kAlikeMax] == "2 tcp: 15 more lines like this one were left out within 10 s: refused port 0");
    CHECK(lines.back() == "1 runtime: lost");
    lines.clear();
    for (int i = 0; i < 12; ++i) log.Write(LogLevel::kWarning, "tcp", "refused port 9");
  }
  // The end tells the rest.
  REQUIRE(lines.size() == Log::kAlikeMax + 1);
  CHECK(lines.back() == "2 tcp: 2 more lines like this one were left out within 10 s: refused port 9");
}

TEST_CASE("Log: debug lines are limited, too, far above the others") {
  Lines lines;
  test_now_ns = 1;
  Log log(LogLevel::kDebug, Keep, &lines, TestClock);
  for (uint64_t i = 0; i < Log::kAlikeDebugMax + 5; ++i) log.Debug("links", "rank ", i, " connects");
  CHECK(lines.size() == Log::kAlikeDebugMax);
}

TEST_CASE("Log: of what four threads write at once nothing is lost: written and left out are all") {
  struct Sink {
    std::atomic<uint64_t> num_written{0};
    std::atomic<uint64_t> num_left_out{0};
  } sink;
  test_now_ns = 1;
  {
    Log log(
        LogLevel::kWarning,
        [](void* user, int32_t, const char*, const char* text, uint64_t) {
          Sink* const sink = static_cast<Sink*>(user);
          uint64_t num = 0;
          if (std::sscanf(text, "%" SCNu64 " more lines", &num) == 1) {
            sink->num_left_out += num;
          } else {
            sink->num_written += 1;
          }
        },
        &sink, TestClock);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int j = 0; j < 1000; ++j) log.Write(LogLevel::kWarning, "links", "refused");
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(sink.num_written == Log::kAlikeMax);
  }
  CHECK(sink.num_left_out == 4000 - Log::kAlikeMax);
}

TEST_CASE(
    "Log: without a callback lines wait in order, the oldest go when there are too many, and their number is kept") {
  test_now_ns = 1;
  Log log(LogLevel::kDebug, nullptr, nullptr, TestClock);
  for (int i = 0; i < 1024 + 3; ++i) {
    if (i % 500 == 0) test_now_ns += LogLimiter::kPeriodNs;
    log.Debug("fence", "line ", i);
  }
  CHECK(log.num_lost() == 3);
  LogLevel level;
  std::string line;
  REQUIRE(log.PeekOldest(&level, &line));
  CHECK(level == LogLevel::kDebug);
  CHECK(line == "fence: line 3");
  log.DropOldest();
  REQUIRE(log.PeekOldest(&level, &line));
  CHECK(line == "fence: line 4");
}

}  // namespace geeps
