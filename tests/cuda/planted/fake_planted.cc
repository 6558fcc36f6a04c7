// SPDX-License-Identifier: Apache-2.0
// fake_planted SEEDS [NAME]: with each fault of planted.txt, or the one, the device contract on the fake driver with
// each of these seeds; prints how many of them find it, and how the first one does. Every seed runs in a process of its
// own, which may crash or hang: that finds a fault, too. Exit status 0: each fault is found with at least 99 of 100
// seeds, and without one nothing is found.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/cuda/seed_runner.h"
#include "tests/mutants/planted.h"

namespace geeps::test {
namespace {

constexpr unsigned kMostSeconds = 60;  // a hundred times what a seed needs

struct Fault {
  const char* name;
  const char* meaning;
};
constexpr Fault kFaults[] = {
#include "planted_list.inc"
};

// "" or how the fault is found.
std::string RunApart(const char* fault, uint64_t seed) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    alarm(kMostSeconds);
    if (freopen("/dev/null", "w", stderr) == nullptr) _exit(3);
    GeepsPlantedFault() = fault;
    const std::string why = RunSeed(seed);
    const ssize_t written = write(ends[1], why.data(), why.size());
    _exit(why.empty() && written == 0 ? 0 : 1);
  }
  close(ends[1]);
  std::string why;
  char text[1000];
  for (ssize_t n; (n = read(ends[0], text, sizeof(text))) > 0;) why.append(text, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return "no process";
  if (WIFSIGNALED(status)) return "ends with signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : why;
}

// True when the fault is found as often as it has to be; "no fault": never.
bool Measure(const Fault& fault, uint64_t first, uint64_t last) {
  const auto begun = std::chrono::steady_clock::now();
  uint64_t num_found = 0;
  std::string how, missed;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const std::string why = RunApart(fault.name, seed);
    if (!why.empty() && num_found++ == 0) how = why;
    if (why.empty() && missed.size() < 40) missed += " " + std::to_string(seed);
  }
  const uint64_t num_seeds = last - first + 1;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  std::printf("%-24s %5.1f %%  %5" PRIu64 " of %" PRIu64 "  %6.1f s  %s; %s\n", fault.name,
              100.0 * static_cast<double>(num_found) / static_cast<double>(num_seeds), num_found, num_seeds,
              seconds.count(), fault.meaning, how.c_str());
  const bool is_fault = fault.name[0] != '-';
  if (is_fault && !missed.empty()) std::printf("    not with seeds%s\n", missed.c_str());
  std::fflush(stdout);
  return is_fault ? num_found * 100 >= num_seeds * 99 : num_found == 0;
}

}  // namespace
}  // namespace geeps::test

int main(int argc, char** argv) {
  uint64_t first = 0, last = 0;
  if (argc < 2 || argc > 3 || !geeps::test::ParseSeeds(argv[1], &first, &last)) {
    std::fprintf(stderr, "usage: fake_planted SEEDS [NAME], seeds such as 1-1000 or 7\n");
    return 2;
  }
  bool is_right = geeps::test::Measure({"-", "no fault"}, first, last);
  int num_measured = 0;
  for (const auto& fault : geeps::test::kFaults) {
    if (argc == 3 && std::strcmp(argv[2], fault.name) != 0) continue;
    ++num_measured;
    is_right = geeps::test::Measure(fault, first, last) && is_right;
  }
  if (num_measured == 0) std::fprintf(stderr, "there is no fault of this name\n");
  return is_right && num_measured > 0 ? 0 : 1;
}
