// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/runner.h"

#include <poll.h>

#include "geeps.h"

namespace geeps::fault_test {
namespace {

using State = Runner::State;

void Take(Runner* runner, const Answer& answer) {
  runner->waits = false;
  runner->last = answer;
  if (!answer.arrived) {
    runner->state = State::kWrong;
  } else if (answer.status == GEEPS_OK) {
    if (++runner->next == runner->calls.size()) runner->state = State::kDone;
  } else if ((answer.flags & GEEPS_ERROR_LATCHED) != 0) {
    runner->state = State::kLost;
  } else {
    runner->state = answer.status == GEEPS_E_NOMEM ? State::kRefused : State::kWrong;
  }
}

bool AllSleep(Job* job, const std::vector<Runner>& runners) {
  for (const Runner& runner : runners) {
    if (runner.state == State::kRuns && !job->AwaitSleep(runner.rank)) return false;
  }
  return true;
}

}  // namespace

std::string Runner::Text() const {
  const std::string call = next < calls.size() ? calls[next] : "its last call";
  return "rank " + std::to_string(rank) + ", " + call + ": " + (waits ? "no answer in time" : last.Cause());
}

void RunAll(Job* job, std::vector<Runner>* runners, double limit_s, bool until_asleep) {
  const Stopwatch watch;
  while (watch.Seconds() < limit_s) {
    std::vector<pollfd> polls;
    std::vector<Runner*> waiting;
    for (Runner& runner : *runners) {
      if (runner.state == State::kRuns && runner.next == runner.calls.size()) runner.state = State::kDone;
      if (runner.state != State::kRuns) continue;
      if (!runner.waits && !job->Begin(runner.rank, runner.calls[runner.next])) {
        runner.state = State::kWrong;
        continue;
      }
      runner.waits = true;
      polls.push_back({job->worker(runner.rank).fd(), POLLIN, 0});
      waiting.push_back(&runner);
    }
    if (waiting.empty()) return;
    bool answered = false;
    for (Runner* runner : waiting) {
      if (!job->worker(runner->rank).HasLine()) continue;
      Take(runner, job->End(runner->rank, 0));
      answered = true;
    }
    if (answered) continue;
    if (poll(polls.data(), polls.size(), until_asleep ? 0 : 100) == 0) {
      if (until_asleep && AllSleep(job, *runners)) return;
      continue;
    }
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (polls[i].revents != 0) Take(waiting[i], job->End(waiting[i]->rank, kCallLimit_s));
    }
  }
}

}  // namespace geeps::fault_test
