// SPDX-License-Identifier: Apache-2.0
// Every request of scenarios fails once, and every one from each on, each in a process of its own:
//
//   oom_all [SCENARIO...] [--resource memory|descriptor|thread] [--mode once|lasting] [--first N] [--last N] [--step N]
//           [--jobs N]
//
// Without --last until the run has fewer requests. An attempt mostly waits for limits of its own, so --jobs of them run
// at once, two for each processor by default. Prints one line for each scenario, resource and mode, a report for each
// attempt that was not as promised, with the command that repeats it, and ends with 1 when there was one.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <new>
#include <string>
#include <thread>
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
  uint64_t jobs = 2 * std::max(1u, std::thread::hardware_concurrency());
};

// Of all jobs of one scenario, resource and mode; in memory that they share.
struct Totals {
  std::atomic<uint64_t> attempts{0};
  std::atomic<int> bad{0};
};

// Requests of other threads may be fewer in one run than in another: this many runs without a failure are the end.
constexpr int kQuietMax = 5;
// Each job has a folder and a process.
constexpr uint64_t kJobsMax = 1024;
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
    } else if (word == "--jobs") {
      arguments->jobs = std::strtoull(value.c_str(), nullptr, 10);
    } else {
      return false;
    }
  }
  if (arguments->scenarios.empty()) {
    for (const Scenario& scenario : Scenarios()) arguments->scenarios.push_back(&scenario);
  }
  return arguments->step > 0 && arguments->jobs > 0 && arguments->jobs <= kJobsMax;
}

// One job's share of the attempts: requests first, first + step, ..
void RunShare(const Arguments& arguments, const Scenario& scenario, const Fault& kind, const Holdings& expected,
              uint64_t first, uint64_t step, Totals* totals) {
  const char* const mode = kind.lasting ? "lasting" : "once";
  int num_quiet = 0;
  for (uint64_t n = first; n <= arguments.last && num_quiet < kQuietMax && totals->bad < kReportsMax; n += step) {
    const Outcome outcome = RunAttempt(scenario, {kind.resource, n, kind.lasting}, &expected);
    num_quiet = outcome.report.empty() && outcome.num_failed == 0 ? num_quiet + 1 : 0;
    totals->attempts += num_quiet == 0;
    if (outcome.report.empty()) continue;
    ++totals->bad;
    std::printf("oom_all %s --resource %s --mode %s --first %llu --last %llu\n%s\n", scenario.name,
                NameOf(kind.resource), mode, static_cast<unsigned long long>(n), static_cast<unsigned long long>(n),
                outcome.report.c_str());
    std::fflush(stdout);
  }
}

// Attempts that were not as promised. folders: one for each job, so that none finds another one's files.
int RunAll(const Arguments& arguments, const Scenario& scenario, test::Resource resource, bool lasting,
           const std::deque<TemporaryFolder>& folders, Totals* totals) {
  const auto begin = std::chrono::steady_clock::now();
  SetFolder(folders[0].path());
  const Outcome clean = RunAttempt(scenario, {resource, 0, false}, nullptr);
  if (!clean.report.empty()) {
    std::printf("%s: without a failure:\n%s", scenario.name, clean.report.c_str());
    return 1;
  }
  totals->attempts = 0;
  totals->bad = 0;
  std::fflush(stdout);
  std::vector<pid_t> children;
  for (size_t i = 0; i < folders.size(); ++i) {
    const pid_t child = fork();
    if (child == 0) {
      SetFolder(folders[i].path());
      RunShare(arguments, scenario, {resource, 0, lasting}, clean.holdings, arguments.first + i * arguments.step,
               arguments.step * folders.size(), totals);
      _exit(0);
    }
    if (child > 0) children.push_back(child);
  }
  int num_lost = static_cast<int>(folders.size() - children.size());
  for (const pid_t child : children) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    num_lost += status != 0;
  }
  if (num_lost != 0)
    std::printf("%s: %d of %zu jobs did not run to their end\n", scenario.name, num_lost, folders.size());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%-9s %-10s %-7s %6llu requests, %6llu attempts, %d not as promised, %.0f s\n", scenario.name,
              NameOf(resource), lasting ? "lasting" : "once", static_cast<unsigned long long>(clean.num_requests),
              static_cast<unsigned long long>(totals->attempts), totals->bad.load(), seconds);
  std::fflush(stdout);
  return totals->bad + num_lost;
}

int Main(int argc, char** argv) {
  const test::Outside own;
  Arguments arguments;
  if (!Parse(argc, argv, &arguments)) {
    std::puts(
        "usage: oom_all [SCENARIO...] [--resource memory|descriptor|thread] [--mode once|lasting] [--first N] "
        "[--last N] [--step N] [--jobs N]");
    for (const Scenario& scenario : Scenarios()) std::printf("  %-9s %s\n", scenario.name, scenario.what);
    return 2;
  }
  std::deque<TemporaryFolder> folders;
  for (uint64_t i = 0; i < arguments.jobs; ++i) {
    SetFolder(folders.emplace_back().path());
    WriteDataSet();
  }
  void* const shared = mmap(nullptr, sizeof(Totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    std::puts("oom_all: no shared memory");
    return 1;
  }
  Totals* const totals = new (shared) Totals;
  int num_bad = 0;
  for (const Scenario* scenario : arguments.scenarios) {
    for (const test::Resource resource : arguments.resources) {
      for (const bool lasting : arguments.lasting)
        num_bad += RunAll(arguments, *scenario, resource, lasting, folders, totals);
    }
  }
  return num_bad == 0 ? 0 : 1;
}

}  // namespace
}  // namespace geeps::oom_test

int main(int argc, char** argv) { return geeps::oom_test::Main(argc, argv); }
