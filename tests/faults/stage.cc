// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/stage.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "geeps.h"

namespace geeps::fault_test {
namespace {

std::string OptionsOf(Fault fault, bool in_process) {
  std::string options = "start_limit_s=" + std::to_string(kDrillStartLimit_s);
  if (fault == Fault::kStop && !in_process) options += " heartbeat_ms=" + std::to_string(kHeartbeat_ms);
  return options;
}

}  // namespace

std::string Milliseconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f ms", seconds * 1e3);
  return text;
}

std::string NameOf(int32_t status) {
  const std::string name = geeps_status_name(status);
  return name.substr(name.rfind("GEEPS_E_", 0) == 0 ? 8 : 6);
}

Stage::Stage(Fault fault, const Phase& phase, bool in_process, uint32_t victim)
    : fault_(fault), phase_(phase), victim_(victim), job_({kDrillWorld, in_process, OptionsOf(fault, in_process)}) {
  for (uint32_t rank = 0; rank < kDrillWorld; ++rank) {
    if (rank != victim) (other_ == kDrillWorld ? other_ : late_) = rank;
  }
}

std::string Stage::Begin() {
  std::string wrong = job_.Create();
  for (const std::string& call : phase_.before) wrong += wrong.empty() ? job_.CallAll(call) : "";
  return wrong;
}

const Stand& Stage::StandOf(uint32_t rank) const {
  return rank == victim_ ? phase_.victim : rank == other_ ? phase_.other : phase_.late;
}

std::vector<std::string> Stage::RestOf(const Stand& stand) {
  return stand.sleeps.empty() ? stand.then : std::vector<std::string>{stand.sleeps};
}

std::string Stage::Reach(const std::vector<uint32_t>& ranks, bool sleep) {
  std::vector<Runner> runners;
  for (const uint32_t rank : ranks) runners.push_back({rank, StandOf(rank).calls});
  RunAll(&job_, &runners, kCallLimit_s, false);
  for (const Runner& runner : runners) {
    if (runner.state != Runner::State::kDone) return runner.Text();
  }
  for (const uint32_t rank : ranks) {
    const std::string& call = StandOf(rank).sleeps;
    if (!sleep || call.empty()) continue;
    if (rank == victim_ && fault_ == Fault::kExit && job_.in_process()) {
      const Answer answer = job_.Call(rank, phase_.pending);  // destroy may not be called while its thread sleeps
      if (!answer.arrived || answer.status < 0) return phase_.pending + ": " + answer.Cause();
      continue;
    }
    if (!job_.Begin(rank, call) || !job_.AwaitSleep(rank)) {
      return "rank " + std::to_string(rank) + " does not sleep in " + call + ": " + job_.End(rank, 0).Cause();
    }
    asleep_.push_back(rank);
  }
  return "";
}

std::string Stage::AwaitKnown() {
  if (!phase_.before.empty()) return "";
  const Stopwatch watch;
  while (job_.host(0).PassedPoints()["receive HELLO"] < kDrillWorld - 1) {
    if (watch.Seconds() > kCallLimit_s) return "rank 0 hears of nobody";
    poll(nullptr, 0, 1);
  }
  return "";
}

bool Stage::IsAsleep(uint32_t rank) const { return std::find(asleep_.begin(), asleep_.end(), rank) != asleep_.end(); }

Answer Stage::AnswerOfLoss(uint32_t rank, double limit_s) {
  const Stopwatch watch;
  while (watch.Seconds() < limit_s) {
    const Answer info = job_.Call(rank, "info");
    if (!info.arrived) return info;
    if (info.extra.find(" -") != std::string::npos) return job_.Call(rank, "fence", limit_s);
    poll(nullptr, 0, 1);
  }
  Answer none;
  none.message = "geeps_info does not know of the loss";
  return none;
}

void Stage::AddOthers(std::vector<Runner>* runners) const {
  for (const uint32_t rank : {other_, late_}) {
    runners->push_back({rank, RestOf(StandOf(rank))});
    runners->back().waits = IsAsleep(rank);
  }
}

std::string Stage::GoOn(std::vector<Runner>* runners) {
  RunAll(&job_, runners, kCallLimit_s, false);
  for (const Runner& runner : *runners) {
    if (runner.state != Runner::State::kDone) return runner.Text();
  }
  text_ += " and on";
  for (const std::string& call : phase_.finish) {
    const std::string wrong = job_.CallAll(call);
    if (!wrong.empty()) return wrong;
  }
  const std::string wrong = job_.CheckNothingLeft({0, 1, 2});
  return wrong.empty() ? job_.CheckAlive({0, 1, 2}) : wrong;
}

std::string Stage::Leave(const std::vector<uint32_t>& ranks, const std::vector<uint32_t>& alive) {
  std::string wrong = job_.CallSome(ranks, "destroy");
  if (wrong.empty()) wrong = job_.CheckNothingLeft(alive);
  return wrong.empty() ? job_.CheckAlive(alive) : wrong;
}

}  // namespace geeps::fault_test
