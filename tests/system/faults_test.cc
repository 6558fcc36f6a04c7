// SPDX-License-Identifier: Apache-2.0
// A worker process is killed or stopped at any place of its program (at any moment: tests/faults): every call of every
// survivor returns the same error, nobody dies or hangs, destroy works in a bounded time and leaves nothing.
#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <regex>

#include "tests/system/process.h"

namespace geeps::system_test {
namespace {

constexpr uint32_t kWorld = 3;
constexpr double kKillLimit_s = 2.5;  // ten times the goal of a quarter of a second
constexpr double kStopLimit_s = 13;   // ten times a heartbeat limit of 1 s and its quarter of a second
constexpr double kDestroyLimit_s = 20;

enum class End { kKilled, kStopped };

// What all workers but `late` have been brought to when the victim goes.
struct Place {
  const char* name;
  std::vector<std::string> before;  // calls that all workers finish
  std::vector<std::string> run_up;  // further calls that all but the late worker finish
  std::string call;                 // the call in which all but the late worker sleep; empty: none
};

const std::vector<Place>& Places() {
  static const std::vector<Place> places = {
      {"in start", {}, {}, "start"},
      {"in commit", {"start", "table t 600 128 f64 partition_bytes=16384", "plan train t"}, {}, "commit train"},
      {"between passes", {"up", "passes train 5 1"}, {}, ""},
      {"in a read", {"up", "passes train 5 1"}, {"passes train 1 1", "begin train"}, "read"},
      {"holding a read", {"up", "passes train 5 1", "begin train", "read"}, {}, ""},
      {"holding an update", {"up", "passes train 5 1", "begin train", "read", "post", "pre"}, {}, ""},
      {"in a fence", {"up", "passes train 5 1"}, {}, "fence"},
      {"in a second commit", {"up", "passes train 5 1", "plan again t"}, {}, "commit again"},
      {"in shutdown", {"up", "passes train 5 1"}, {}, "shutdown"},
  };
  return places;
}

std::string CallOrUp(const Processes& processes, const std::string& call) {
  if (call == "up") return BringUp(processes);
  for (const Answer& answer : CallAll(processes, call)) {
    if (!answer.arrived || answer.status != GEEPS_OK) return call + ": " + answer.Cause();
  }
  return "";
}

// Brings all workers to the place. Those in `asleep` sleep in place.call afterwards.
void Reach(const Place& place, const Processes& processes, const WorkerProcess* late,
           std::vector<WorkerProcess*>* asleep) {
  for (const std::string& call : place.before) REQUIRE(CallOrUp(processes, call) == "");
  for (const auto& process : processes) {
    if (process.get() == late) continue;
    for (const std::string& call : place.run_up) REQUIRE(process->Call(call).status == GEEPS_OK);
  }
  for (const auto& process : processes) {
    if (place.call.empty() || process.get() == late) continue;
    REQUIRE(process->Begin(place.call));
    REQUIRE(process->AwaitSleep());
    asleep->push_back(process.get());
  }
}

// True once the worker's geeps_info names the loss.
bool LearnsOfLoss(WorkerProcess* worker, double limit_s) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(limit_s);
  while (std::chrono::steady_clock::now() < deadline) {
    if (worker->Call("info").extra.find(" " + std::to_string(GEEPS_E_PEER_LOST)) != std::string::npos) return true;
    poll(nullptr, 0, 5);
  }
  return false;
}

// What all survivors say alike. Nobody can tell them of the loss of the coordinator: each names the clock that it heard
// of last.
std::string SharedCause(const Answer& answer, uint32_t victim) {
  if (victim != 0) return answer.Cause();
  static const std::regex clock("clock [0-9]+");
  return std::regex_replace(answer.Cause(), clock, "clock heard of last");
}

// All that must hold of the survivors. last_clock: the victim's.
void CheckSurvivors(const std::vector<WorkerProcess*>& survivors, const std::vector<WorkerProcess*>& asleep,
                    uint32_t victim, uint64_t last_clock, double limit_s) {
  std::string cause;
  for (WorkerProcess* survivor : survivors) {
    CAPTURE(survivor->rank());
    const bool sleeps = std::find(asleep.begin(), asleep.end(), survivor) != asleep.end();
    if (!sleeps) {  // calls that do not wait say at first what is wrong with them
      CHECK(LearnsOfLoss(survivor, limit_s));
      REQUIRE(survivor->Begin("fence"));
    }
    Answer answer = survivor->End(limit_s);
    CHECK(answer.arrived);
    if (sleeps && answer.status == GEEPS_OK && survivor->Begin("fence")) answer = survivor->End(limit_s);
    CHECK(answer.status == GEEPS_E_PEER_LOST);
    CHECK(answer.rank == static_cast<int32_t>(victim));
    CHECK((answer.flags & GEEPS_ERROR_LATCHED) != 0);
    CHECK(answer.clock <= last_clock);
    CHECK(answer.message.find("rank " + std::to_string(victim)) != std::string::npos);
    CHECK(answer.message.find("clock " + std::to_string(answer.clock)) != std::string::npos);
    if (cause.empty()) cause = SharedCause(answer, victim);
    CHECK(SharedCause(answer, victim) == cause);
    const Answer every = survivor->Call("every");
    CHECK(every.Cause() == answer.Cause());
    CHECK(every.extra == "");
    const Answer info = survivor->Call("info");
    CHECK(info.status == GEEPS_OK);
    CHECK(info.extra.find(" " + std::to_string(GEEPS_E_PEER_LOST)) != std::string::npos);
  }
}

void CheckDestroy(const std::vector<WorkerProcess*>& survivors, const std::vector<std::string>& counts) {
  for (WorkerProcess* survivor : survivors) REQUIRE(survivor->Begin("destroy"));
  for (WorkerProcess* survivor : survivors) CHECK(survivor->End(kDestroyLimit_s).arrived);
  for (size_t i = 0; i < survivors.size(); ++i) {
    CHECK(survivors[i]->Call("count").extra == counts[survivors[i]->rank()]);
    CHECK(survivors[i]->EndsWell(10));
  }
}

void RunFault(const Place& place, End end, uint32_t victim, uint32_t late) {
  Processes processes;
  std::vector<std::string> counts;
  const std::string rendezvous = NewRendezvous("tcp");
  for (uint32_t rank = 0; rank < kWorld; ++rank) {
    processes.push_back(std::make_unique<WorkerProcess>(rank));
    // The first runtime leaves what a process keeps for good, such as loaded modules.
    const std::string create = "create transport=tcp rank=" + std::to_string(rank) +
                               " world=" + std::to_string(kWorld) + " rendezvous=" + rendezvous + " start_limit_s=30" +
                               (end == End::kStopped ? " heartbeat_ms=1000" : "");
    REQUIRE(processes[rank]->Call(create).status == GEEPS_OK);
    processes[rank]->Call("destroy");
    counts.push_back(processes[rank]->Call("count").extra);
    REQUIRE(processes[rank]->Call(create).status == GEEPS_OK);
  }
  std::vector<WorkerProcess*> asleep, survivors;
  Reach(place, processes, processes[late].get(), &asleep);
  const uint64_t last_clock = place.before.empty() ? 0 : 6;
  const bool in_start = place.call == "start";
  if (end == End::kKilled) {
    processes[victim]->Kill();
  } else {
    processes[victim]->Stop();
    // Silence counts from the moment on at which all workers have met.
    if (in_start && processes[late]->Begin("start")) asleep.push_back(processes[late].get());
  }
  const bool late_is_new = in_start && end == End::kKilled;  // it has nothing to lose yet: it is looked at below
  for (const auto& process : processes) {
    if (process->rank() != victim && !(late_is_new && process->rank() == late)) survivors.push_back(process.get());
  }
  CheckSurvivors(survivors, asleep, victim, last_clock, end == End::kKilled ? kKillLimit_s : kStopLimit_s);
  if (end == End::kStopped) {
    processes[victim]->Resume();
    const bool sleeps = std::find(asleep.begin(), asleep.end(), processes[victim].get()) != asleep.end();
    if (!sleeps) CHECK(LearnsOfLoss(processes[victim].get(), kStopLimit_s));
    Answer own = sleeps ? processes[victim]->End(kStopLimit_s) : processes[victim]->Call("fence", kStopLimit_s);
    if (sleeps && own.status == GEEPS_OK) own = processes[victim]->Call("fence", kStopLimit_s);
    CHECK(own.status == GEEPS_E_PEER_LOST);
    CHECK((own.flags & GEEPS_ERROR_LATCHED) != 0);
    survivors.push_back(processes[victim].get());
  }
  if (late_is_new) {
    const Answer answer = processes[late]->Call("start", 60);
    CHECK(answer.arrived);
    CHECK(answer.status < 0);
    CHECK(answer.message != "");
    survivors.push_back(processes[late].get());
  }
  CheckDestroy(survivors, counts);
}

}  // namespace

TEST_CASE("a worker is killed: all survivors return the same error with rank and last clock, and can be destroyed") {
  for (const Place& place : Places()) {
    INFO(std::string(place.name));
    RunFault(place, End::kKilled, 1, 2);
  }
}

TEST_CASE("the worker that hosts the coordinator is killed: the survivors name it") {
  for (const Place& place : Places()) {
    if (place.call == "start") continue;  // below
    INFO(std::string(place.name));
    RunFault(place, End::kKilled, 0, 2);
  }
}

TEST_CASE(
    "a worker is stopped: after the heartbeat limit all survivors return the same error, and so does the worker when "
    "it goes on") {
  for (const Place& place : Places()) {
    INFO(std::string(place.name));
    RunFault(place, End::kStopped, 1, 2);
  }
}

TEST_CASE("the worker that hosts the coordinator is stopped: the survivors name it") {
  for (const Place& place : Places()) {
    if (std::string(place.name) != "in a read" && std::string(place.name) != "between passes") continue;
    INFO(std::string(place.name));
    RunFault(place, End::kStopped, 0, 2);
  }
}

TEST_CASE("a worker never starts: the others' start fails at its limit and says who is missing") {
  Processes processes = StartProcesses(kWorld, "start_limit_s=2");
  processes[1]->Kill();
  processes.erase(processes.begin() + 1);
  const std::vector<Answer> answers = CallAll(processes, "start", 20);
  for (const Answer& answer : answers) {
    CHECK(answer.arrived);
    CHECK(answer.status < 0);
    CHECK(answer.message.find("rank 1") != std::string::npos);
    CHECK(answer.status == answers[0].status);
    CHECK((answer.flags & GEEPS_ERROR_LATCHED) != 0);
  }
  for (const auto& process : processes) {
    CHECK(process->Call("destroy", kDestroyLimit_s).arrived);
    CHECK(process->EndsWell(10));
  }
}

TEST_CASE(
    "the worker that hosts the coordinator is killed in start: the others' start fails at its limit and names it") {
  Processes processes = StartProcesses(kWorld, "start_limit_s=3");
  for (const uint32_t rank : {0u, 1u}) REQUIRE(processes[rank]->Begin("start"));
  REQUIRE(processes[0]->AwaitSleep());
  REQUIRE(processes[1]->AwaitSleep());
  processes[0]->Kill();
  REQUIRE(processes[2]->Begin("start"));
  for (const uint32_t rank : {1u, 2u}) {
    const Answer answer = processes[rank]->End(20);
    CHECK(answer.status == GEEPS_E_TIMEOUT);
    CHECK(answer.rank == 0);
    CHECK((answer.flags & GEEPS_ERROR_LATCHED) != 0);
    CHECK(answer.message != "");
    CHECK(processes[rank]->Call("every").Cause() == answer.Cause());
    CHECK(processes[rank]->Call("destroy", kDestroyLimit_s).arrived);
    CHECK(processes[rank]->EndsWell(10));
  }
}

TEST_CASE("a worker stopped for less than the heartbeat limit loses nothing") {
  Processes processes = StartProcesses(kWorld, "heartbeat_ms=8000");
  REQUIRE(BringUp(processes) == "");
  REQUIRE(CallOrUp(processes, "passes train 3 1") == "");
  REQUIRE(CallOrUp(processes, "passes look 1 0") == "");  // what the next clock needs of worker 1 has left it
  processes[1]->Stop();
  for (const uint32_t rank : {0u, 2u}) {
    REQUIRE(processes[rank]->Call("passes train 1 1").status == GEEPS_OK);
    REQUIRE(processes[rank]->Call("begin train").status == GEEPS_OK);
    CHECK(processes[rank]->Call("read 500000000").status == GEEPS_E_TIMEOUT);
    REQUIRE(processes[rank]->Begin("read"));
  }
  processes[1]->Resume();
  REQUIRE(processes[1]->Call("passes train 1 1").status == GEEPS_OK);
  REQUIRE(processes[1]->Call("begin train").status == GEEPS_OK);
  REQUIRE(processes[1]->Begin("read"));
  for (const auto& process : processes) {
    const Answer answer = process->End(30);
    CHECK(answer.status == GEEPS_OK);
    CHECK(answer.extra == "12");  // four clocks of three workers
  }
  for (const char* call : {"post", "pre", "update 1", "clock", "shutdown", "destroy"})
    CHECK(CallOrUp(processes, call) == "");
}

TEST_CASE("a worker that ends without shutdown counts as lost, with a sentence of its own") {
  for (const bool destroys : {true, false}) {
    CAPTURE(destroys);
    Processes processes = StartProcesses(kWorld);
    REQUIRE(BringUp(processes) == "");
    REQUIRE(CallOrUp(processes, "passes train 4 1") == "");
    for (const uint32_t rank : {0u, 2u}) REQUIRE(processes[rank]->Begin("fence"));
    if (destroys) {
      CHECK(processes[1]->Call("destroy", kDestroyLimit_s).arrived);
    } else {
      CHECK(processes[1]->EndsWell(10));
    }
    const Answer first = processes[0]->End(kKillLimit_s);
    const Answer third = processes[2]->End(kKillLimit_s);
    CHECK(first.status == GEEPS_E_PEER_LOST);
    CHECK(first.rank == 1);
    CHECK((first.flags & GEEPS_ERROR_LATCHED) != 0);
    CHECK(first.Cause() == third.Cause());
    if (destroys) {
      CHECK(first.clock == 4);
      CHECK(first.message.find("shutdown") != std::string::npos);
    }
    for (const uint32_t rank : {0u, 2u}) {
      CHECK(processes[rank]->Call("every").Cause() == first.Cause());
      CHECK(processes[rank]->Call("destroy", kDestroyLimit_s).arrived);
    }
  }
}

TEST_CASE("geeps_runtime_abort ends the job for all with its rank and text") {
  for (const uint32_t aborter : {0u, 1u}) {
    CAPTURE(aborter);
    Processes processes = StartProcesses(kWorld);
    REQUIRE(BringUp(processes) == "");
    REQUIRE(CallOrUp(processes, "passes train 2 1") == "");
    for (const auto& process : processes) {
      if (process->rank() == aborter) continue;
      REQUIRE(process->Begin("fence"));
      REQUIRE(process->AwaitSleep());
    }
    CHECK(processes[aborter]->Call("abort the loss is not a number").status == GEEPS_OK);
    std::string cause;
    for (const auto& process : processes) {
      const Answer answer =
          process->rank() == aborter ? process->Call("fence", kKillLimit_s) : process->End(kKillLimit_s);
      CHECK(answer.status == GEEPS_E_ABORTED);
      CHECK(answer.rank == static_cast<int32_t>(aborter));
      CHECK((answer.flags & GEEPS_ERROR_LATCHED) != 0);
      CHECK(answer.message.find("the loss is not a number") != std::string::npos);
      if (cause.empty()) cause = answer.Cause();
      CHECK(answer.Cause() == cause);
      CHECK(process->Call("every").Cause() == cause);
      CHECK(process->Call("abort once more").status == GEEPS_OK);
    }
    for (const Answer& answer : CallAll(processes, "destroy", kDestroyLimit_s)) CHECK(answer.arrived);
  }
}

}  // namespace geeps::system_test
