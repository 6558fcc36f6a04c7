// SPDX-License-Identifier: Apache-2.0
// Attempt: one scenario in a process of its own, in which the n-th request fails; afterwards the same scenario once
// more, in which none does: the process still works, and holds as many blocks, descriptors and threads as one in which
// nothing ever failed. So a failed call leaks nothing, and what a library keeps for ever may be made in it. Thread
// contract: one thread; no other one runs.
#ifndef GEEPS_TESTS_OOM_ATTEMPT_H_
#define GEEPS_TESTS_OOM_ATTEMPT_H_

#include <cstdint>
#include <string>

#include "tests/oom/scenarios.h"

namespace geeps::oom_test {

// What a process holds when scenarios are over.
struct Holdings {
  int64_t blocks = 0;
  int32_t descriptors = 0;
  int32_t threads = 0;
};

struct Outcome {
  std::string report;         // empty: all was as promised
  uint64_t num_requests = 0;  // of the run in which requests were counted
  uint64_t num_failed = 0;
  Holdings holdings;  // after the second run
};

// expected: what is held after an attempt in which nothing fails; nullptr: this is that attempt.
Outcome RunAttempt(const Scenario& scenario, const Fault& fault, const Holdings* expected);

// "memory", "descriptor", "thread".
const char* NameOf(test::Resource resource);
bool ParseResource(const std::string& text, test::Resource* resource);

}  // namespace geeps::oom_test

#endif  // GEEPS_TESTS_OOM_ATTEMPT_H_
