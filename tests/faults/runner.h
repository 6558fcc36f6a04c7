// SPDX-License-Identifier: Apache-2.0
// Runners: each makes the calls of one worker in turn, whatever the others do meanwhile. A call that finds no memory is
// a refusal: the runner stands before it and can be let go on. Thread contract: one thread.
#ifndef GEEPS_TESTS_FAULTS_RUNNER_H_
#define GEEPS_TESTS_FAULTS_RUNNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/faults/job.h"

namespace geeps::fault_test {

struct Runner {
  enum class State {
    kRuns,
    kDone,     // all calls returned GEEPS_OK
    kRefused,  // the next call returned GEEPS_E_NOMEM and may be repeated
    kLost,     // a latched error
    kWrong,    // anything else, death included
  };

  uint32_t rank = 0;
  std::vector<std::string> calls;
  size_t next = 0;
  bool waits = false;  // for the answer to calls[next]
  State state = State::kRuns;
  Answer last = {};

  std::string Text() const;  // for a complaint
};

// Until nobody runs any more, the limit has passed, or (until_asleep) all that run sleep in their calls.
void RunAll(Job* job, std::vector<Runner>* runners, double limit_s, bool until_asleep);

}  // namespace geeps::fault_test

#endif  // GEEPS_TESTS_FAULTS_RUNNER_H_
