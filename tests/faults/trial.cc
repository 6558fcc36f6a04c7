// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/trial.h"

#include <poll.h>
#include <sys/wait.h>

#include <sstream>

#include "geeps.h"
#include "tests/faults/job.h"

namespace geeps::fault_test {
namespace {

constexpr int kStartLimit_s = 3;  // a worker that dies before it is known is missed this long
constexpr double kMeetLimit_s = kStartLimit_s + 10;

// From start on: two plans, a fence, a second commit; every read is known in advance.
std::string LifeOf(uint32_t world, uint64_t passes) {
  const auto read = [&](uint64_t clock) { return " ? " + std::to_string(clock * world); };
  const std::string count = std::to_string(passes);
  return "; table t 600 128 f64 partition_bytes=16384; plan train t; plan look noclock t; commit train look; "
         "passes train " +
         count + " 1" + read(passes - 1) + "; fence; passes look 1 0" + read(passes) +
         "; plan again t:0:300 t:300:300; commit again; passes again " + count + " 1; shutdown; destroy";
}

class Trial {
 public:
  explicit Trial(const TrialOptions& options) : options_(options), job_(JobOptionsOf(options)) {
    for (uint32_t rank = 0; rank < options.world; ++rank) {
      if (rank != options.victim) survivors_.push_back(rank);
    }
  }

  TrialResult Run() {
    TrialResult result;
    result.wrong = Go(&result);
    return result;
  }

 private:
  static JobOptions JobOptionsOf(const TrialOptions& options) {
    // A pause may be long on a machine that is busy.
    const int heartbeat_ms = options.blow == Blow::kPause ? 10 * kHeartbeat_ms : kHeartbeat_ms;
    return {options.world, false,
            "start_limit_s=" + std::to_string(kStartLimit_s) +
                (options.blow == Blow::kStop || options.blow == Blow::kPause
                     ? " heartbeat_ms=" + std::to_string(heartbeat_ms)
                     : "")};
  }

  std::string Go(TrialResult* result) {
    std::string wrong = job_.Create();
    if (!wrong.empty()) return wrong;
    if (!options_.point.empty()) {
      const char* const action = options_.blow == Blow::kKill ? "kill" : options_.blow == Blow::kTear ? "tear" : "stop";
      Host& host = job_.host(options_.victim);
      host.own().Call(std::string("arm ") + action + " " + std::to_string(options_.n) + " " + options_.point);
    }
    // A moment is one of those in which all have met: what comes before has its points.
    const bool at_moment = options_.point.empty();
    if (at_moment) wrong = job_.CallAll("start");
    if (!wrong.empty()) return wrong;
    const std::string life = (at_moment ? "run info" : "run start") + LifeOf(options_.world, options_.passes);
    for (uint32_t rank = 0; rank < options_.world; ++rank) {
      if (!job_.Begin(rank, life)) return "rank " + std::to_string(rank) + " does not begin";
    }
    wrong = at_moment ? StrikeAtMoment(result) : AwaitPoint(result);
    if (!wrong.empty()) return wrong;
    if (!result->hit) {
      job_.host(options_.victim).own().Call("arm kill 0 none");  // what follows is not the job
      return EndsWell();
    }
    switch (options_.blow) {
      case Blow::kKill:
      case Blow::kTear:
        return Lost(kKillLimit_s);
      case Blow::kPause:
        poll(nullptr, 0, static_cast<int>(options_.pause_ms));  // the length of the pause is what is drawn
        job_.host(options_.victim).Resume();
        return EndsWell();
      case Blow::kStop: {
        wrong = Lost(kSilenceLimit_s);
        if (!job_.host(options_.victim).IsStopped()) wrong = "somebody else has let the victim go on; " + wrong;
        job_.host(options_.victim).Resume();
        return wrong.empty() ? VictimEnds() : wrong;
      }
    }
    return "no such blow";
  }

  std::string StrikeAtMoment(TrialResult* result) {
    poll(nullptr, 0, static_cast<int>(options_.after_ms));
    Host& host = job_.host(options_.victim);
    if (options_.blow == Blow::kKill) {
      host.Kill();
    } else {
      host.Stop();
    }
    result->hit = true;
    result->where = "after " + std::to_string(options_.after_ms) + " ms";
    moment_ = "any";
    return "";
  }

  // Until the victim has met its point, or has come to its end without.
  std::string AwaitPoint(TrialResult* result) {
    Host& host = job_.host(options_.victim);
    pollfd polls[] = {{host.own().fd(), POLLIN, 0}, {job_.worker(options_.victim).fd(), POLLIN, 0}};
    if (job_.worker(options_.victim).HasLine()) return "";
    if (poll(polls, 2, static_cast<int>(1e3 * kMeetLimit_s)) < 1) return "the victim neither meets its point nor ends";
    std::string line;
    if (polls[0].revents == 0) return "";
    if (!host.own().ReadLine(kCallLimit_s, &line) || line.rfind("! ", 0) != 0) return "the victim ends without a word";
    std::istringstream words(line.substr(2));
    words >> moment_;
    std::getline(words >> std::ws, result->where);
    const int state = host.AwaitChange(kCallLimit_s);
    const bool stops = options_.blow == Blow::kStop || options_.blow == Blow::kPause;
    const bool as_told = state != -1 && (stops ? WIFSTOPPED(state) : WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL);
    if (!as_told) return "the victim's state is " + std::to_string(state);
    result->hit = true;
    return "";
  }

  // Nothing is lost: every worker has come to its end.
  std::string EndsWell() {
    std::vector<uint32_t> all;
    std::string wrong;
    for (uint32_t rank = 0; rank < options_.world; ++rank) {
      const Answer answer = job_.End(rank, kMeetLimit_s);
      if (!answer.arrived || answer.status != GEEPS_OK) wrong += Complaint(rank, answer);
      all.push_back(rank);
    }
    if (wrong.empty()) wrong = job_.CheckNothingLeft(all);
    return wrong.empty() ? job_.CheckAlive(all) : wrong;
  }

  static std::string Complaint(uint32_t rank, const Answer& answer) {
    return "rank " + std::to_string(rank) + ": " + answer.Cause() + " (" + answer.extra + "); ";
  }

  std::string Lost(double limit_s) {
    std::vector<Answer> answers;
    std::vector<uint32_t> lost;
    // All of them in the same time: a second one waits no longer than the first.
    const Stopwatch watch;
    const double whole_s = moment_ == "meeting" ? kMeetLimit_s : limit_s;
    for (const uint32_t rank : survivors_) {
      const double left_s = whole_s - watch.Seconds();
      const Answer answer = job_.End(rank, left_s > 0 ? left_s : 0);
      const bool left = answer.arrived && answer.status == GEEPS_OK;  // it was through
      if (left && moment_ == "leaving") continue;
      const std::string wrong = CheckOne(answer, whole_s);
      if (!wrong.empty()) return "rank " + std::to_string(rank) + ": " + wrong + " (" + answer.extra + ")";
      answers.push_back(answer);
      lost.push_back(rank);
    }
    std::string wrong = CheckTogether(lost, answers);
    if (wrong.empty()) wrong = CheckEveryCall(&job_, lost, answers);
    if (wrong.empty()) wrong = job_.CallSome(lost, "destroy");
    if (wrong.empty()) wrong = job_.CheckNothingLeft(survivors_);
    return wrong.empty() ? job_.CheckAlive(survivors_) : wrong;
  }

  std::string CheckOne(const Answer& answer, double limit_s) const {
    if (moment_ != "meeting") return CheckLossAnswer(answer, {options_.victim, limit_s, false});
    // Who was not known yet is not lost, but missing; who comes when the job is over finds nobody.
    if (!answer.arrived || answer.status >= 0 || (answer.flags & GEEPS_ERROR_LATCHED) == 0 || answer.message.empty()) {
      return answer.Cause();
    }
    return "";
  }

  // One verdict for all. When its giver is lost each names the clock that it has heard last, and one may be through a
  // shutdown that the other one is not told of.
  std::string CheckTogether(const std::vector<uint32_t>& lost, const std::vector<Answer>& answers) const {
    if (moment_ == "meeting") return "";
    if (options_.victim != 0 && !lost.empty() && lost.size() != survivors_.size())
      return "some are through, some are not";
    return CheckSameCause(answers, {options_.victim, 0, options_.victim == 0});
  }

  // The stopped one goes on: with the loss, or through the shutdown in which it was left.
  std::string VictimEnds() {
    const Answer answer = job_.End(options_.victim, kSilenceLimit_s + kStartLimit_s);
    const bool lost = answer.status < 0 && (answer.flags & GEEPS_ERROR_LATCHED) != 0 && !answer.message.empty();
    const bool through = answer.status == GEEPS_OK && (moment_ == "leaving" || moment_ == "any");
    if (!answer.arrived || (!lost && !through)) return "the worker that was stopped: " + answer.Cause();
    std::string wrong = lost ? job_.CallSome({options_.victim}, "destroy") : "";
    if (wrong.empty()) wrong = job_.CheckNothingLeft({options_.victim});
    return wrong.empty() ? job_.CheckAlive({options_.victim}) : wrong;
  }

  const TrialOptions options_;
  Job job_;
  std::vector<uint32_t> survivors_;
  std::string moment_ = "working";
};

}  // namespace

TrialResult RunTrial(const TrialOptions& options) { return Trial(options).Run(); }

std::vector<std::map<std::string, uint64_t>> CountPoints(uint32_t world, std::string* wrong) {
  Job job({world, false, ""});
  *wrong = job.Create();
  if (wrong->empty()) *wrong = job.CallAll("run start" + LifeOf(world, TrialOptions().passes));
  std::vector<std::map<std::string, uint64_t>> counts;
  for (uint32_t rank = 0; rank < world && wrong->empty(); ++rank) counts.push_back(job.host(rank).PassedPoints());
  return counts;
}

}  // namespace geeps::fault_test
