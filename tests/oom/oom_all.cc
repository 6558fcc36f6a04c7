// SPDX-License-Identifier: Apache-2.0
// Every request of scenarios fails once, and every one from each on, each in a process of its own:
//
//   oom_all [SCENARIO...] [--resource memory|descriptor|thread] [--mode once|lasting] [--first N] [--last N] [--step N]
//
// Without --last until the run has fewer requests. Prints one line for each scenario, resource and mode, a report for
// each attempt that was not as promised, with the command that repeats it, and ends with 1 when there was one.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/oom/attempt.h"
#include "tests/support/temporary_folder.h"

namespace geeps::oom_test {
namespace {

struct Arguments {
  std::vector<const Scenario*> scenarios;
  std::vector<test::Resource> resources = {test::Resource::kMemory, test::Resource::kDescriptor,
                                           test::Resource::kThread};
  std::vector<bool> lasting = {false, true};
  uint64_t first = 1;
  uint64_t last = ~uint64_t{0};
  uint64_t step = 1;
};

// Requests of other threads may be fewer in one run than in another: this many runs without a failure are the end.
constexpr int kQuietMax = 5;
// More reports than this say nothing new.
constexpr int kReportsMax = 20;

bool Parse(int argc, char** argv, Arguments* arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.compare(0, 2, "--") != 0) {
      arguments->scenarios.push_back(FindScenario(word));
      if (arguments->scenarios.back() == nullptr) return false;
      continue;
    }
    if (++i == argc) return false;
    const std::string value = argv[i];
    if (word == "--resource") {
      arguments->resources.resize(1);
      if (!ParseResource(value, &arguments->resources[0])) return false;
    } else if (word == "--mode") {
      if (value != "once" && value != "lasting") return false;
      arguments->lasting = {value == "lasting"};
    } else if (word == "--first") {
      arguments->first = std::strtoull(value.c_str(), nullptr, 10);
    } else if (word == "--last") {
      arguments->last = std::strtoull(value.c_str(), nullptr, 10);
    } else if (word == "--step") {
      arguments->step = std::strtoull(value.c_str(), nullptr, 10);
    } else {
      return false;
    }
  }
  if (arguments->scenarios.empty()) {
    for (const Scenario& scenario : Scenarios()) arguments->scenarios.push_back(&scenario);
  }
  return arguments->step > 0;
}

// Attempts that were not as promised.
int RunAll(const Arguments& arguments, const Scenario& scenario, test::Resource resource, bool lasting) {
  const auto begin = std::chrono::steady_clock::now();
  const char* const mode = lasting ? "lasting" : "once";
  const Outcome clean = RunAttempt(scenario, {resource, 0, false}, nullptr);
  if (!clean.report.empty()) {
    std::printf("%s: without a failure:\n%s", scenario.name, clean.report.c_str());
    return 1;
  }
  uint64_t num_attempts = 0;
  int num_bad = 0;
  int num_quiet = 0;
  for (uint64_t n = arguments.first; n <= arguments.last && num_quiet < kQuietMax && num_bad < kReportsMax;
       n += arguments.step) {
    const Outcome outcome = RunAttempt(scenario, {resource, n, lasting}, &clean.holdings);
    num_quiet = outcome.report.empty() && outcome.num_failed == 0 ? num_quiet + 1 : 0;
    num_attempts += num_quiet == 0;
    if (outcome.report.empty()) continue;
    ++num_bad;
    std::printf("oom_all %s --resource %s --mode %s --first %llu --last %llu\n%s\n", scenario.name, NameOf(resource),
                mode, static_cast<unsigned long long>(n), static_cast<unsigned long long>(n), outcome.report.c_str());
    std::fflush(stdout);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%-9s %-10s %-7s %6llu requests, %6llu attempts, %d not as promised, %.0f s\n", scenario.name,
              NameOf(resource), mode, static_cast<unsigned long long>(clean.num_requests),
              static_cast<unsigned long long>(num_attempts), num_bad, seconds);
  std::fflush(stdout);
  return num_bad;
}

int Main(int argc, char** argv) {
  const test::Outside own;
  Arguments arguments;
  if (!Parse(argc, argv, &arguments)) {
    std::puts(
        "usage: oom_all [SCENARIO...] [--resource memory|descriptor|thread] [--mode once|lasting] [--first N] "
        "[--last N] [--step N]");
    for (const Scenario& scenario : Scenarios()) std::printf("  %-9s %s\n", scenario.name, scenario.what);
    return 2;
  }
  const TemporaryFolder folder;
  SetFolder(folder.path());
  WriteDataSet();
  int num_bad = 0;
  for (const Scenario* scenario : arguments.scenarios) {
    for (const test::Resource resource : arguments.resources) {
      for (const bool lasting : arguments.lasting) num_bad += RunAll(arguments, *scenario, resource, lasting);
    }
  }
  return num_bad == 0 ? 0 : 1;
}

}  // namespace
}  // namespace geeps::oom_test

int main(int argc, char** argv) { return geeps::oom_test::Main(argc, argv); }
