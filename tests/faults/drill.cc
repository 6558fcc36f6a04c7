// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/drill.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "geeps.h"
#include "tests/faults/runner.h"

namespace geeps::fault_test {
namespace {

constexpr uint32_t kWorld = 3;
constexpr int kStartLimit_s = 2;
constexpr const char* kStandStill_ns = "300000000";

std::string Milliseconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f ms", seconds * 1e3);
  return text;
}

std::string NameOf(int32_t status) {
  const std::string name = geeps_status_name(status);
  return name.substr(name.rfind("GEEPS_E_", 0) == 0 ? 8 : 6);
}

class CellRun {
 public:
  CellRun(Fault fault, const Phase& phase, bool in_process, uint32_t victim)
      : fault_(fault), phase_(phase), victim_(victim), job_({kWorld, in_process, Options(fault, in_process)}) {
    for (uint32_t rank = 0; rank < kWorld; ++rank) {
      if (rank != victim) (other_ == kWorld ? other_ : late_) = rank;
    }
  }

  Cell Run() {
    std::string wrong = job_.Create();
    for (const std::string& call : phase_.before) wrong += wrong.empty() ? job_.CallAll(call) : "";
    if (wrong.empty()) wrong = Strike();
    return {wrong.empty(), wrong.empty() ? text_ : wrong};
  }

 private:
  static std::string Options(Fault fault, bool in_process) {
    // Who starts when the job is over already has this much time to see it.
    std::string options = "start_limit_s=" + std::to_string(kStartLimit_s);
    if (fault == Fault::kStop && !in_process) options += " heartbeat_ms=" + std::to_string(kHeartbeat_ms);
    return options;
  }

  std::string Strike() {
    switch (fault_) {
      case Fault::kKill:
        return job_.in_process() ? KillAll() : Kill();
      case Fault::kStop:
        return job_.in_process() ? StandStill() : Stop();
      case Fault::kExit:
        return Exit();
      case Fault::kMemory:
        return Memory();
      case Fault::kWrong:
        return Wrong();
    }
    return "no such fault";
  }

  const Stand& StandOf(uint32_t rank) const {
    return rank == victim_ ? phase_.victim : rank == other_ ? phase_.other : phase_.late;
  }
  // What is left of the phase for one who stands there.
  static std::vector<std::string> RestOf(const Stand& stand) {
    return stand.sleeps.empty() ? stand.then : std::vector<std::string>{stand.sleeps};
  }

  // Brings these to where they stand, all at once: one's pass may need another's.
  std::string Reach(const std::vector<uint32_t>& ranks, bool sleep) {
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
  // One who goes before rank 0 has heard of it was never there: the others would wait for it until the start limit.
  std::string AwaitKnown() {
    if (!phase_.before.empty()) return "";
    const Stopwatch watch;
    while (job_.host(0).PassedPoints()["receive HELLO"] < kWorld - 1) {
      if (watch.Seconds() > kCallLimit_s) return "rank 0 hears of nobody";
      poll(nullptr, 0, 1);
    }
    return "";
  }
  bool IsAsleep(uint32_t rank) const { return std::find(asleep_.begin(), asleep_.end(), rank) != asleep_.end(); }

  // --- losses ---

  std::string Kill() {
    std::string wrong = Reach({victim_, other_, late_}, true);
    if (wrong.empty()) wrong = AwaitKnown();
    if (!wrong.empty()) return wrong;
    const Stopwatch watch;
    job_.host(victim_).Kill();
    return Lost(watch, kKillLimit_s);
  }

  std::string Stop() {
    std::string wrong = Reach({victim_, other_, late_}, true);
    if (wrong.empty()) wrong = AwaitKnown();
    if (!wrong.empty()) return wrong;
    job_.host(victim_).Stop();
    const Stopwatch watch;
    // Silence counts from the moment on at which all workers have met.
    if (phase_.before.empty() && job_.Begin(late_, "start")) asleep_.push_back(late_);
    wrong = Learn({other_, late_}, watch, kSilenceLimit_s);
    job_.host(victim_).Resume();
    if (wrong.empty()) wrong = GoesOnToItsLoss();
    return wrong.empty() ? Leave({0, 1, 2}, {0, 1, 2}) : wrong;
  }

  // The stopped one learns what has become of it.
  std::string GoesOnToItsLoss() {
    Answer answer;
    answer.status = GEEPS_OK;
    if (IsAsleep(victim_)) answer = job_.End(victim_, kSilenceLimit_s);
    if (answer.status == GEEPS_OK) answer = AnswerOfLoss(victim_, kSilenceLimit_s);
    const bool fits = answer.status == GEEPS_E_PEER_LOST || (MeetsNobody() && answer.status == GEEPS_E_TIMEOUT);
    if (answer.arrived && fits && (answer.flags & GEEPS_ERROR_LATCHED) != 0) return "";
    return "the worker that was stopped: " + answer.Cause();
  }

  std::string Exit() {
    std::string wrong = Reach({victim_, other_, late_}, true);
    if (wrong.empty()) wrong = AwaitKnown();
    if (!wrong.empty()) return wrong;
    const Stopwatch watch;
    if (job_.in_process()) {
      if (!job_.Call(victim_, "destroy").arrived) return "destroy takes too long";
    } else {
      job_.host(victim_).own().Begin("exit");
      const int state = job_.host(victim_).AwaitChange(kCallLimit_s);
      if (state == -1 || !WIFEXITED(state) || WEXITSTATUS(state) != 0) {
        return "exit: the process's state is " + std::to_string(state);
      }
    }
    return Lost(watch, kKillLimit_s);
  }

  // The victim is gone.
  std::string Lost(const Stopwatch& watch, double limit_s) {
    // One that has not come to the rendezvous has nothing to lose yet.
    const bool late_is_new = phase_.before.empty();
    std::vector<uint32_t> told = {other_};
    if (!late_is_new) told.push_back(late_);
    std::string wrong = Learn(told, watch, limit_s);
    if (wrong.empty() && late_is_new) {
      const Answer answer = job_.Call(late_, "start");
      if (!answer.arrived || answer.status >= 0 || answer.message.empty()) wrong = "late start: " + answer.Cause();
    }
    std::vector<uint32_t> alive = {other_, late_};
    if (job_.in_process()) alive.push_back(victim_);
    return wrong.empty() ? Leave({other_, late_}, alive) : wrong;
  }

  // These must answer with the loss in time.
  std::string Learn(const std::vector<uint32_t>& ranks, const Stopwatch& watch, double limit_s) {
    std::vector<Answer> answers;
    if (MeetsNobody()) limit_s += 10 * kStartLimit_s;
    for (const uint32_t rank : ranks) {
      answers.push_back(IsAsleep(rank) ? job_.End(rank, limit_s) : AnswerOfLoss(rank, limit_s));
      if (IsAsleep(rank) && answers.back().status == GEEPS_OK) answers.back() = AnswerOfLoss(rank, limit_s);
    }
    const double seconds = watch.Seconds();
    const Loss loss = {victim_, limit_s, victim_ == 0};
    for (const Answer& answer : answers) {
      const std::string wrong = MeetsNobody() ? CheckMissed(answer) : CheckLossAnswer(answer, loss);
      if (!wrong.empty()) return wrong;
      if (answer.clock > phase_.last_clock) return "names a clock that never was: " + answer.Cause();
    }
    text_ = NameOf(answers[0].status) + " " + Milliseconds(seconds);
    const std::string wrong = MeetsNobody() ? "" : CheckSameCause(answers, loss);
    return wrong.empty() ? CheckEveryCall(&job_, ranks, answers) : wrong;
  }

  // Before all have met nobody but rank 0 knows who has come: without it the others' start limit passes.
  bool MeetsNobody() const { return victim_ == 0 && phase_.before.empty() && !job_.in_process(); }
  static std::string CheckMissed(const Answer& answer) {
    const bool fits = answer.arrived && answer.status == GEEPS_E_TIMEOUT && answer.rank == 0 &&
                      (answer.flags & GEEPS_ERROR_LATCHED) != 0 && !answer.message.empty();
    return fits ? "" : "answers " + answer.Cause();
  }

  // Of one that is in no call: what a fence says once geeps_info knows of the loss. Another call would first say what
  // is wrong with itself.
  Answer AnswerOfLoss(uint32_t rank, double limit_s) {
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

  std::string KillAll() {
    std::string wrong = Reach({victim_, other_, late_}, true);
    if (!wrong.empty()) return wrong;
    std::vector<std::string> files = FilesOf(job_.host(0).pid());
    for (const std::string& own : FilesOf(getpid()))
      files.erase(std::remove(files.begin(), files.end(), own), files.end());
    const Stopwatch watch;
    job_.host(0).Kill();
    text_ = "gone " + Milliseconds(watch.Seconds());
    for (const std::string& file : files) {
      if (access(file.c_str(), F_OK) == 0) return "left behind: " + file;
    }
    // The drill is the reaper of orphans: a child of the dead process would be its own now.
    if (waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) return "a child is left";
    return "";
  }

  // --- the job goes on ---

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
    return GoOn(&runners, " and on");
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
    return GoOn(&runners, " and on");
  }

  // Those who are asleep already wait for their answer.
  void AddOthers(std::vector<Runner>* runners) {
    for (const uint32_t rank : {other_, late_}) {
      runners->push_back({rank, RestOf(StandOf(rank))});
      runners->back().waits = IsAsleep(rank);
    }
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
    return lost ? LostWithoutMemory(&runners, watch) : GoOn(&runners, " and on");
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

  // All calls end well, and so does the job.
  std::string GoOn(std::vector<Runner>* runners, const char* note) {
    RunAll(&job_, runners, kCallLimit_s, false);
    for (const Runner& runner : *runners) {
      if (runner.state != Runner::State::kDone) return runner.Text();
    }
    text_ += note;
    for (const std::string& call : phase_.finish) {
      const std::string wrong = job_.CallAll(call);
      if (!wrong.empty()) return wrong;
    }
    const std::string wrong = job_.CheckNothingLeft({0, 1, 2});
    return wrong.empty() ? job_.CheckAlive({0, 1, 2}) : wrong;
  }

  // Destroys in any order and beside one another, then looks at what is left.
  std::string Leave(const std::vector<uint32_t>& ranks, const std::vector<uint32_t>& alive) {
    std::string wrong = job_.CallSome(ranks, "destroy");
    if (wrong.empty()) wrong = job_.CheckNothingLeft(alive);
    return wrong.empty() ? job_.CheckAlive(alive) : wrong;
  }

  const Fault fault_;
  const Phase& phase_;
  const uint32_t victim_;
  uint32_t other_ = kWorld;
  uint32_t late_ = kWorld;
  Job job_;
  std::vector<uint32_t> asleep_;
  std::string text_;
};

}  // namespace

Cell RunCell(Fault fault, const Phase& phase, bool in_process, uint32_t victim) {
  return CellRun(fault, phase, in_process, victim).Run();
}

}  // namespace geeps::fault_test
