// SPDX-License-Identifier: Apache-2.0
// What workers must agree upon: clocks at fences, tables, plans. A difference is an error on all of them, with a
// sentence that names the subject and two ranks; only different clocks end the job.
#include <doctest/doctest.h>

#include "tests/system/process.h"

namespace geeps::system_test {
namespace {

bool Names(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }

std::vector<Answer> CallEach(const Processes& processes, const std::vector<std::string>& calls) {
  std::vector<Answer> answers;
  for (size_t i = 0; i < processes.size(); ++i) processes[i]->Begin(calls[i]);
  for (const auto& process : processes) answers.push_back(process->End(60));
  return answers;
}

void ExpectOk(const std::vector<Answer>& answers) {
  for (const Answer& answer : answers) REQUIRE_MESSAGE((answer.arrived && answer.status == GEEPS_OK), answer.Cause());
}

std::vector<std::string> Thrice(const std::string& call) { return {call, call, call}; }

// Two workers commit what differs in `calls` (made before the commit on each of them): all are told, naming `subject`;
// afterwards the old plans still work, with their values.
void ExpectRefused(const std::vector<std::string>& calls, const std::vector<std::string>& commits,
                   const std::string& subject) {
  CAPTURE(subject);
  Processes processes = StartProcesses(3);
  REQUIRE(BringUp(processes) == "");
  ExpectOk(CallAll(processes, "passes train 2 1"));
  for (size_t begin = 0; begin < calls.size(); begin += 3) {
    ExpectOk(CallEach(processes, {calls[begin], calls[begin + 1], calls[begin + 2]}));
  }
  std::string cause;
  for (const Answer& answer : CallEach(processes, commits)) {
    CHECK(answer.status == GEEPS_E_MISMATCH);
    CHECK((answer.flags & GEEPS_ERROR_LATCHED) == 0);
    CHECK_MESSAGE(Names(answer.message, subject), answer.message);
    const int named =
        Names(answer.message, "rank 0") + Names(answer.message, "rank 1") + Names(answer.message, "rank 2");
    CHECK_MESSAGE(named == 2, answer.message);
    if (cause.empty()) cause = answer.message;
    CHECK(answer.message == cause);
  }
  ExpectOk(CallAll(processes, "passes train 2 1"));
  ExpectOk(CallAll(processes, "fence"));
  for (const Answer& answer : CallAll(processes, "passes look 1 0")) {
    CHECK(answer.status == GEEPS_OK);
    CHECK(answer.extra == "12");  // four clocks of three workers
  }
  ExpectOk(CallAll(processes, "shutdown"));
  ExpectOk(CallAll(processes, "destroy"));
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("a table of another size on one worker is refused on all; the old plans still work") {
  ExpectRefused(
      std::vector<std::string>{"table u 10 4 f32", "table u 10 4 f32", "table u 11 4 f32"} + Thrice("plan next t u"),
      Thrice("commit next"), "u");
}

TEST_CASE("a table of another dtype on one worker is refused on all") {
  ExpectRefused(
      std::vector<std::string>{"table u 10 4 f32", "table u 10 4 f64", "table u 10 4 f32"} + Thrice("plan next t u"),
      Thrice("commit next"), "u");
}

TEST_CASE("another rule or rule parameter on one worker is refused on all") {
  ExpectRefused(std::vector<std::string>{"table u 10 4 f32 rule=sgd", "table u 10 4 f32", "table u 10 4 f32 rule=sgd"} +
                    Thrice("plan next t u"),
                Thrice("commit next"), "u");
  ExpectRefused(
      std::vector<std::string>{"table u 9 4 f32 rule=sgd param.lr=0.5", "table u 9 4 f32 rule=sgd param.lr=0.5",
                               "table u 9 4 f32 rule=sgd param.lr=0.25"} +
          Thrice("plan next t u"),
      Thrice("commit next"), "u");
}

TEST_CASE("another mode, or read-my-writes, on one worker is refused on all") {
  ExpectRefused(std::vector<std::string>{"table u 10 4 f32", "table u 10 4 f32", "table u 10 4 f32 mode=async"} +
                    Thrice("plan next t u"),
                Thrice("commit next"), "u");
  ExpectRefused(std::vector<std::string>{"table u 10 4 f32", "table u 10 4 f32 read_my_writes=1", "table u 10 4 f32"} +
                    Thrice("plan next t u"),
                Thrice("commit next"), "u");
}

TEST_CASE("a table that one worker lacks is refused on all") {
  ExpectRefused(std::vector<std::string>{"table u 10 4 f32", "info", "table u 10 4 f32"} + Thrice("plan next t"),
                Thrice("commit next"), "u");
}

TEST_CASE("plans of other names are refused on all") {
  ExpectRefused({"plan next t", "plan next t", "plan nexd t"}, {"commit next", "commit next", "commit nexd"}, "next");
}

TEST_CASE("a plan that ends with a clock on one worker only is refused on all") {
  ExpectRefused({"plan next t", "plan next noclock t", "plan next t"}, Thrice("commit next"), "next");
}

TEST_CASE("with rows = same another row set on one worker is refused on all") {
  ExpectRefused(Thrice("table u 10 4 f32 rows=same") +
                    std::vector<std::string>{"plan next u:0:5", "plan next u:0:6", "plan next u:0:5"},
                Thrice("commit next"), "u");
}

TEST_CASE("with rows = same equal row sets are accepted") {
  Processes processes = StartProcesses(3);
  REQUIRE(BringUp(processes) == "");
  ExpectOk(CallAll(processes, "table u 10 4 f32 rows=same"));
  ExpectOk(CallAll(processes, "plan next u:2:5"));
  ExpectOk(CallAll(processes, "commit next"));
  ExpectOk(CallAll(processes, "passes next 3 2"));
  for (const Answer& answer : CallAll(processes, "passes next 1 0")) CHECK(answer.extra == "18");
  ExpectOk(CallAll(processes, "shutdown"));
}

TEST_CASE("a table that only some workers have destroyed is refused at the next commit") {
  ExpectRefused(Thrice("table u 10 4 f32") + std::vector<std::string>{"drop u", "info", "info"} + Thrice("plan next t"),
                Thrice("commit next"), "u");
}

TEST_CASE("a fence at different clocks fails for all, names both ranks and clocks, and ends the job") {
  for (const char* fence : {"fence", "shutdown", "commit train look"}) {
    CAPTURE(std::string(fence));
    Processes processes = StartProcesses(2);
    REQUIRE(BringUp(processes) == "");
    ExpectOk(CallAll(processes, "passes train 3 1"));
    ExpectOk({processes[1]->Call("passes train 1 1")});
    std::string cause;
    for (const Answer& answer : CallAll(processes, fence)) {
      CHECK(answer.status == GEEPS_E_MISMATCH);
      CHECK((answer.flags & GEEPS_ERROR_LATCHED) != 0);
      for (const char* word : {"rank 0", "rank 1", "clock 3", "clock 4"})
        CHECK_MESSAGE(Names(answer.message, word), answer.message);
      if (cause.empty()) cause = answer.Cause();
      CHECK(answer.Cause() == cause);
    }
    for (const auto& process : processes) CHECK(process->Call("every").Cause() == cause);
    ExpectOk(CallAll(processes, "destroy"));
  }
}

TEST_CASE("workers whose first clocks differ are told so at the first commit") {
  Processes processes;
  const std::string rendezvous = NewRendezvous("tcp");
  const char* const clocks[] = {"7", "2147483648"};
  for (uint32_t rank = 0; rank < 2; ++rank) {
    processes.push_back(std::make_unique<WorkerProcess>(rank));
    const std::string create = "create transport=tcp world=2 rank=" + std::to_string(rank) + " rendezvous=" + rendezvous;
    ExpectOk({processes[rank]->Call(create + " first_clock=" + clocks[rank])});
  }
  for (const char* call : {"start", "table t 100 4 f32", "plan train t"}) ExpectOk(CallAll(processes, call));
  for (const Answer& answer : CallAll(processes, "commit train")) {
    CHECK(answer.status == GEEPS_E_MISMATCH);
    for (const char* word : {"rank 0", "rank 1", "clock 7", "clock 2147483648"})
      CHECK_MESSAGE(Names(answer.message, word), answer.message);
  }
}

TEST_CASE("a worker that has gone on while another one waits in a fence ends the job with both clocks, too") {
  Processes processes = StartProcesses(2);
  REQUIRE(BringUp(processes) == "");
  ExpectOk(CallAll(processes, "passes train 3 1"));
  REQUIRE(processes[0]->Begin("fence"));
  REQUIRE(processes[0]->AwaitSleep());
  // The pass of clock 3 can be made; the next one would wait for rank 0 without end.
  const Answer pass = processes[1]->Call("passes train 2 1");
  const Answer fence = processes[0]->End(60);
  CHECK(pass.status == GEEPS_E_MISMATCH);
  CHECK(fence.status == GEEPS_E_MISMATCH);
  for (const char* word : {"rank 0", "rank 1", "clock 3", "clock 4"})
    CHECK_MESSAGE(Names(fence.message, word), fence.message);
  CHECK(pass.Cause() == fence.Cause());
}

TEST_CASE("different fences at one clock are refused") {
  Processes processes = StartProcesses(2);
  REQUIRE(BringUp(processes) == "");
  const std::vector<Answer> answers = CallEach(processes, {"fence", "commit train look"});
  for (const Answer& answer : answers) {
    CHECK(answer.status < 0);
    CHECK(Names(answer.message, "rank 0"));
    CHECK(Names(answer.message, "rank 1"));
  }
}

TEST_CASE("workers may name the rendezvous in different ways") {
  Processes processes;
  const std::string rendezvous = NewRendezvous("tcp");
  const std::string by_name = "tcp://localhost" + rendezvous.substr(rendezvous.rfind(':'));
  for (uint32_t rank = 0; rank < 2; ++rank) {
    processes.push_back(std::make_unique<WorkerProcess>(rank));
    processes[rank]->Begin("scenario 790 2 0 transport=tcp rank=" + std::to_string(rank) +
                           " world=2 rendezvous=" + (rank == 0 ? rendezvous : by_name));
  }
  for (const auto& process : processes) {
    const Answer answer = process->End(120);
    CHECK_MESSAGE(answer.status == GEEPS_OK, answer.Cause());
    CHECK(answer.extra == "");
    CHECK(answer.arrived);
  }
}

TEST_CASE("processes that share nothing but TCP read the bits of the sequential reference, 1 to 5 of them") {
  for (uint32_t world = 1; world <= 5; ++world) {
    for (uint64_t seed = 1; seed <= 2; ++seed) {
      Processes processes;
      const std::string rendezvous = NewRendezvous("tcp");
      for (uint32_t rank = 0; rank < world; ++rank) {
        processes.push_back(std::make_unique<WorkerProcess>(rank));
        processes[rank]->Begin("scenario " + std::to_string(700 + 10 * world + seed) + " " + std::to_string(world) +
                               " 0 transport=tcp rank=" + std::to_string(rank) + " world=" + std::to_string(world) +
                               " rendezvous=" + rendezvous);
      }
      CAPTURE(world);
      CAPTURE(seed);
      for (const auto& process : processes) {
        const Answer answer = process->End(120);
        CHECK_MESSAGE(answer.status == GEEPS_OK, answer.Cause());
        CHECK(answer.extra == "");
        CHECK(answer.arrived);
      }
    }
  }
}

}  // namespace geeps::system_test
