// SPDX-License-Identifier: Apache-2.0
// LogLimiter under a clock that the test holds.
#include "runtime/base/log_limiter.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace geeps {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMax = 3;

struct Fixture {
  LogLimiter limiter;
  std::vector<LogLimiter::LeftOut> told;
  uint64_t now_ns = 100 * kSecond;

  bool Admit(const std::string& text, int32_t level = 2, const std::string& component = "links") {
    return limiter.Admit(level, component, text, kMax, now_ns, &told);
  }
};

}  // namespace

TEST_CASE_FIXTURE(
    Fixture, "LogLimiter: the first three of a period are written, the rest is counted, and told once it is over") {
  for (int i = 0; i < 20; ++i) CHECK(Admit("refused") == (i < 3));
  CHECK(told.empty());
  now_ns += LogLimiter::kPeriodNs - 1;
  CHECK_FALSE(Admit("refused"));
  CHECK(told.empty());
  now_ns += 1;
  CHECK(Admit("refused"));
  REQUIRE(told.size() == 1);
  CHECK(told[0].num == 18);
  CHECK(told[0].level == 2);
  CHECK(told[0].component == "links");
  CHECK(LeftOutText(told[0]) == "18 more lines like this one were left out within 10 s: refused");
}

TEST_CASE_FIXTURE(Fixture, "LogLimiter: the period of a kind is over also when another line is what comes next") {
  for (int i = 0; i < 4; ++i) Admit("refused");
  now_ns += LogLimiter::kPeriodNs;
  CHECK(Admit("something else"));
  REQUIRE(told.size() == 1);
  CHECK(LeftOutText(told[0]) == "1 more line like this one was left out within 10 s: refused");
}

TEST_CASE_FIXTURE(Fixture, "LogLimiter: a kind that kept its limit is not told") {
  for (int i = 0; i < 3; ++i) Admit("refused");
  now_ns += LogLimiter::kPeriodNs;
  Admit("something else");
  CHECK(told.empty());
  CHECK(limiter.TakeAll().empty());
}

TEST_CASE_FIXTURE(Fixture, "LogLimiter: numbers do not make lines different; words, component and level do") {
  for (int i = 0; i < 3; ++i) CHECK(Admit(absl::StrCat("rank ", i * 1000, " went down")));
  CHECK_FALSE(Admit("rank 7 went down"));
  CHECK(Admit("rank 7 came up"));
  CHECK(Admit("rank 7 went down", 3));
  CHECK(Admit("rank 7 went down", 2, "control"));
  CHECK(Admit("rank x went down"));
}

TEST_CASE_FIXTURE(Fixture, "LogLimiter: of more kinds than it holds the oldest is told and forgotten") {
  for (int i = 0; i < 5; ++i) Admit("first");
  for (size_t i = 1; i < LogLimiter::kKindsMax; ++i) CHECK(Admit(std::string(i, 'x')));
  CHECK(told.empty());
  CHECK_FALSE(Admit("first"));
  CHECK(Admit("one too many"));
  REQUIRE(told.size() == 1);
  CHECK(told[0].num == 3);
  CHECK(told[0].example == "first");
  CHECK(Admit("first"));
}

TEST_CASE_FIXTURE(Fixture, "LogLimiter: what was not told is told at the end, once") {
  for (int i = 0; i < 5; ++i) Admit("rank 3 refused");
  const std::vector<LogLimiter::LeftOut> rest = limiter.TakeAll();
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].num == 2);
  CHECK(rest[0].example == "rank 3 refused");
  CHECK(limiter.TakeAll().empty());
}

}  // namespace geeps
