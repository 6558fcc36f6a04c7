// SPDX-License-Identifier: Apache-2.0
// The cells of the drill in which a worker is lost.
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "geeps.h"
#include "tests/faults/stage.h"

namespace geeps::fault_test {
namespace {

class LossCell : public Stage {
 public:
  using Stage::Stage;

  std::string Run() {
    std::string wrong = Begin();
    if (!wrong.empty()) return wrong;
    switch (fault_) {
      case Fault::kKill:
        return job_.in_process() ? KillAll() : Kill();
      case Fault::kStop:
        return Stop();
      default:
        return Exit();
    }
  }

 private:
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
    if (MeetsNobody()) limit_s += 10 * kDrillStartLimit_s;
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
};

}  // namespace

std::string RunLoss(Fault fault, const Phase& phase, bool in_process, uint32_t victim, std::string* text) {
  LossCell cell(fault, phase, in_process, victim);
  const std::string wrong = cell.Run();
  *text = cell.text();
  return wrong;
}

}  // namespace geeps::fault_test
