// SPDX-License-Identifier: Apache-2.0
// A job whose workers, threads of this process, say all that they say to each other through a Between, and what became
// of it for each worker. Every worker adds its rank + 1 to every value in each clock, so that a read must show the
// clock times the sum of these: what was damaged on its way and taken in nevertheless is seen.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_NETWORK_JOB_H_
#define GEEPS_TESTS_NETWORK_JOB_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/system/between.h"
#include "tests/system/threads.h"

namespace geeps::network_test {

using Time = std::chrono::steady_clock::time_point;

struct JobSpec {
  uint32_t world = 3;
  uint64_t num_clocks = 20;
  uint64_t rows_per_worker = 100;  // of 1 KiB, 16 to a partition
  system_test::Pairs more;         // further options
  double limit_s = 60;             // for all of it; then the runtimes are aborted
};
// The job goes on until it fails.
inline constexpr uint64_t kForEver = ~uint64_t{0};

// What one worker was told last: nothing (status 0) when it came to its end and was shut down.
struct Ending {
  int32_t status = 0;
  int32_t rank = -1;
  uint64_t clock = 0;
  bool latched = false;
  std::string message;
  std::string wrong;  // what must not be: a value that cannot be, a later call that says something else
  Time time;          // when the worker had it
  std::string log;    // lines of the worker's log, warnings and errors

  std::string Cause() const;
};

// By rank.
std::vector<Ending> RunJob(const JobSpec& spec, const system_test::Between::Edit& edit);

// Empty, or what is wrong when all should have come to their end.
std::string NotWell(const std::vector<Ending>& endings);
// Empty, or what is wrong when all should have got an error, with a sentence, that stays.
std::string NotOver(const std::vector<Ending>& endings);
// Empty, or how the causes of these ranks differ.
std::string Different(const std::vector<Ending>& endings, const std::vector<uint32_t>& ranks);
// From a moment to the last worker's ending, in seconds.
double SecondsTo(const std::vector<Ending>& endings, Time from);

// Empty, or which descriptors or threads of this process are more than before `body`, which is called twice: what a
// process keeps for good is there after the first time.
std::string Left(const std::function<void()>& body);

}  // namespace geeps::network_test

#endif  // GEEPS_TESTS_NETWORK_JOB_H_
