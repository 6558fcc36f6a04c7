// SPDX-License-Identifier: Apache-2.0
// The cells of the drill after which the job goes on, or, for want of memory, may not.
#include <algorithm>

#include "geeps.h"
#include "tests/faults/stage.h"

namespace geeps::fault_test {
namespace {

constexpr const char* kStandStill_ns = "300000000";

class OnCell : public Stage {
 public:
  using Stage::Stage;

  std::string Run() {
    std::string wrong = Begin();
    if (!wrong.empty()) return wrong;
    switch (fault_) {
      case Fault::kStop:
        return StandStill();
      case Fault::kMemory:
        return Memory();
      default:
        return Wrong();
    }
  }

 private:
  // The victim is the late one; in phases in which nobody is, the others wait for it anyway.
  std::string StandStill() {
    const bool is_late = phase_.late.sleeps.empty();
    const Stand& still = is_late ? phase_.late : phase_.victim;
    const std::vector<uint32_t> others = {other_, late_};
    const std::string& call = phase_.other.sleeps;
    const std::string waits = call == "read" ? call : "await";
    std::string wrong;
    for (const std::string& before : still.calls) wrong += wrong.empty() ? job_.CallSome({victim_}, before) : "";
    for (const std::string& before : phase_.other.calls) wrong += wrong.empty() ? job_.CallSome(others, before) : "";
    if (wrong.empty() && call != "read") wrong = job_.CallSome(others, "ask " + call);
    if (!wrong.empty()) return wrong;
    const Stopwatch watch;
    for (const uint32_t rank : others) job_.Begin(rank, waits + " " + kStandStill_ns);
    for (const uint32_t rank : others) {
      const Answer answer = job_.End(rank, kCallLimit_s);
      const bool passed =
          answer.arrived && answer.status == GEEPS_E_TIMEOUT && (answer.flags & GEEPS_ERROR_LATCHED) == 0;
      if (!passed) return "while it stands still: " + answer.Cause();
    }
    text_ = NameOf(GEEPS_E_TIMEOUT) + " " + Milliseconds(watch.Seconds());
    std::vector<Runner> runners = {{victim_, RestOf(still)}, {other_, {waits}}, {late_, {waits}}};
    return GoOn(&runners);
  }

  std::string Wrong() {
    std::string wrong = Reach({victim_}, false);
    if (wrong.empty()) wrong = Reach({other_, late_}, true);
    if (!wrong.empty()) return wrong;
    std::vector<std::string> names;
    const Stopwatch watch;
    for (const WrongCall& call : phase_.wrong) {
      const Answer answer = job_.Call(victim_, call.call, kKillLimit_s);
      if (!answer.arrived || answer.status != call.status || (answer.flags & GEEPS_ERROR_LATCHED) != 0 ||
          answer.message.empty()) {
        return call.call + ": " + answer.Cause() + ", not " + geeps_status_name(call.status);
      }
      if (std::find(names.begin(), names.end(), NameOf(call.status)) == names.end())
        names.push_back(NameOf(call.status));
    }
    for (const std::string& name : names) text_ += (text_.empty() ? "" : "/") + name;
    text_ += " " + Milliseconds(watch.Seconds());
    std::vector<Runner> runners = {{victim_, RestOf(phase_.victim)}};
    AddOthers(&runners);
    return GoOn(&runners);
  }

  std::string Memory() {
    std::string wrong = Reach({victim_}, false);
    if (wrong.empty()) wrong = Reach({other_, late_}, true);
    if (!wrong.empty()) return wrong;
    const Stopwatch watch;
    job_.host(victim_).own().Call("fail 1 lasting");
    std::vector<Runner> runners = {{victim_, RestOf(phase_.victim)}};
    AddOthers(&runners);
    RunAll(&job_, &runners, kSilenceLimit_s, true);
    job_.host(victim_).own().Call("heal");
    bool refused = false;
    for (Runner& runner : runners) {
      refused = refused || runner.state == Runner::State::kRefused;
      if (runner.state == Runner::State::kRefused) runner.state = Runner::State::kRuns;
    }
    text_ = (refused ? NameOf(GEEPS_E_NOMEM) : NameOf(GEEPS_OK)) + " " + Milliseconds(watch.Seconds());
    RunAll(&job_, &runners, kSilenceLimit_s, false);
    const bool lost = std::any_of(runners.begin(), runners.end(),
                                  [](const Runner& runner) { return runner.state == Runner::State::kLost; });
    return lost ? LostWithoutMemory(&runners, watch) : GoOn(&runners);
  }

  // The worker itself says NOMEM; over tcp the others hear that of it, or find it gone: it may have no memory for a
  // word.
  std::string LostWithoutMemory(std::vector<Runner>* runners, const Stopwatch& watch) {
    std::vector<Answer> answers;
    std::vector<Answer> others;
    std::vector<uint32_t> ranks;
    for (const Runner& runner : *runners) {
      if (runner.state != Runner::State::kLost && runner.state != Runner::State::kDone) return runner.Text();
      const bool told = runner.state == Runner::State::kLost;
      const Answer answer = told ? runner.last : AnswerOfLoss(runner.rank, kSilenceLimit_s);
      // One that is out of memory before rank 0 has heard of it is missed, not lost.
      const bool missed = phase_.before.empty() && answer.status == GEEPS_E_TIMEOUT;
      const bool fits = answer.status == GEEPS_E_NOMEM || answer.status == GEEPS_E_PEER_LOST || missed;
      const bool names =
          job_.in_process() || answer.message.find("rank " + std::to_string(victim_)) != std::string::npos;
      if (!answer.arrived || !fits || !names || (answer.flags & GEEPS_ERROR_LATCHED) == 0) {
        return "rank " + std::to_string(runner.rank) + ": " + answer.Cause();
      }
      if (runner.rank != victim_) others.push_back(answer);
      ranks.push_back(runner.rank);
      answers.push_back(answer);
    }
    text_ = NameOf(answers[0].status) + ", " + NameOf(others[0].status) + " " + Milliseconds(watch.Seconds());
    // In process all are without memory, and each may be the first to find out.
    std::string wrong = job_.in_process() ? "" : CheckSameCause(others, {victim_, 0, victim_ == 0});
    if (wrong.empty()) wrong = CheckEveryCall(&job_, ranks, answers);
    return wrong.empty() ? Leave({0, 1, 2}, {0, 1, 2}) : wrong;
  }
};

}  // namespace

std::string RunOn(Fault fault, const Phase& phase, bool in_process, uint32_t victim, std::string* text) {
  OnCell cell(fault, phase, in_process, victim);
  const std::string wrong = cell.Run();
  *text = cell.text();
  return wrong;
}

Cell RunCell(Fault fault, const Phase& phase, bool in_process, uint32_t victim) {
  const bool goes_on = fault == Fault::kMemory || fault == Fault::kWrong || (fault == Fault::kStop && in_process);
  std::string text;
  const std::string wrong = (goes_on ? RunOn : RunLoss)(fault, phase, in_process, victim, &text);
  return {wrong.empty(), wrong.empty() ? text : wrong};
}

}  // namespace geeps::fault_test
