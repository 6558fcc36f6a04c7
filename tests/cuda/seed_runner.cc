// SPDX-License-Identifier: Apache-2.0
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/cuda/seed_runner.h"

#include <doctest/doctest.h>

#include <charconv>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/cuda/harness.h"

namespace geeps::test {
namespace {

ContractCase current_case;
uint64_t current_seed = 0;

TEST_CASE("one case of the contract") {
  const std::string words = absl::StrCat("schedule=seeded:", current_seed);
  for (const std::string& wrong : RunOnFake(current_case, current_seed, words)) FAIL_CHECK(wrong);
}

// The first complaint of doctest, in one line.
std::string FirstComplaint(const std::string& output) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("ERROR: ");
    if (at != std::string::npos) return line.substr(at + 7);
  }
  return "does not come to its end";
}

}  // namespace

std::string RunSeed(uint64_t seed) {
  for (const ContractCase& each : AllCases()) {
    current_case = each;
    current_seed = seed;
    std::ostringstream output;
    doctest::Context context;
    context.setCout(&output);
    context.setOption("no-intro", true);
    if (context.run() != 0) return absl::StrCat("\"", each.name, "\": ", FirstComplaint(output.str()));
  }
  return "";
}

bool ParseSeeds(const std::string& text, uint64_t* first, uint64_t* last) {
  const char* const end = text.data() + text.size();
  auto parsed = std::from_chars(text.data(), end, *first);
  *last = *first;
  if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '-') {
    parsed = std::from_chars(parsed.ptr + 1, end, *last);
  }
  return parsed.ec == std::errc() && parsed.ptr == end && *first <= *last;
}

}  // namespace geeps::test
