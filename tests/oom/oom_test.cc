// SPDX-License-Identifier: Apache-2.0
// Out of memory, descriptors and threads: a sample of what oom_all does for every request.
//
// What a failed request ends in, by whose it was:
//   * a call of the program: GEEPS_E_NOMEM (a descriptor: GEEPS_E_IO with EMFILE). Nothing has changed, no output is
//     written, and the call may be repeated: it then does what it should (Worker::Call does so). A commit for which a
//     worker finds no memory while it builds fails for all, and can be repeated by all.
//   * the thread of the movers, the control thread, a transport: the job ends for all; every call returns GEEPS_E_NOMEM
//     with the rank of the worker or, where not even that could be said, GEEPS_E_PEER_LOST.
//   * the threads that write trace and statistics, the log: what there was no memory for is missing.
//   * geeps_runtime_abort, get_info and the destroy functions need no memory: they do what they do.
//
// Exempt, since these requests do not come by failing.cc: malloc inside the C library (getaddrinfo, dlopen, fopen's
// buffer, pthread_create's stack, pthread_atfork), in zlib (gzopen fails and the source says GEEPS_E_NOMEM), and that
// of an exception itself, for which libstdc++ keeps a reserve. Callers of them check what they return.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "tests/oom/attempt.h"
#include "tests/support/temporary_folder.h"

namespace geeps::oom_test {
namespace {

// The same sample in every run, so that a change is judged by itself; another one with GEEPS_TEST_SEED in the
// environment. oom_all takes every request.
uint64_t Seed() {
  const char* const given = std::getenv("GEEPS_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

// Draws requests of each scenario, in turn, for so long; each at least once.
void Sample(test::Resource resource, std::chrono::seconds time) {
  const test::Outside own;
  static const TemporaryFolder folder;
  SetFolder(folder.path());
  WriteDataSet();
  const uint64_t seed = Seed();
  std::printf("GEEPS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  std::vector<Outcome> clean;
  for (const Scenario& scenario : Scenarios()) {
    CAPTURE(std::string(scenario.name));
    clean.push_back(RunAttempt(scenario, {resource, 0, false}, nullptr));
    REQUIRE(clean.back().report == "");
  }
  uint64_t num_attempts = 0;
  uint64_t num_failed = 0;
  const auto end = std::chrono::steady_clock::now() + time;
  for (bool lasting = false; num_attempts == 0 || std::chrono::steady_clock::now() < end; lasting = !lasting) {
    for (size_t i = 0; i < clean.size(); ++i) {
      if (clean[i].num_requests == 0) continue;
      const Scenario& scenario = Scenarios()[i];
      const uint64_t n = 1 + random() % clean[i].num_requests;
      const Outcome outcome = RunAttempt(scenario, {resource, n, lasting}, &clean[i].holdings);
      ++num_attempts;
      num_failed += outcome.num_failed > 0;
      const std::string repeat = std::string("oom_all ") + scenario.name + " --resource " + NameOf(resource) +
                                 " --mode " + (lasting ? "lasting" : "once") + " --first " + std::to_string(n) +
                                 " --last " + std::to_string(n);
      CHECK_MESSAGE(outcome.report == "", (repeat + "\n" + outcome.report));
    }
  }
  std::printf("%s: %llu attempts, a request failed in %llu\n", NameOf(resource),
              static_cast<unsigned long long>(num_attempts), static_cast<unsigned long long>(num_failed));
  CHECK(num_failed * 2 > num_attempts);
}

}  // namespace

TEST_CASE("no memory: every call says so and changes nothing, or the job ends for all; nothing leaks, nobody hangs") {
  Sample(test::Resource::kMemory, std::chrono::seconds(20));
}

TEST_CASE("no descriptor: the same") { Sample(test::Resource::kDescriptor, std::chrono::seconds(5)); }

TEST_CASE("no thread: the same") { Sample(test::Resource::kThread, std::chrono::seconds(5)); }

}  // namespace geeps::oom_test
