// SPDX-License-Identifier: Apache-2.0
// Workers that die, stop or pause at moments that a seed draws, in jobs of 2 to 5 processes; what survivors keep of the
// jobs that they lose; what waiting costs.
#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "geeps.h"
#include "tests/faults/job.h"
#include "tests/faults/message_name.h"
#include "tests/faults/trial.h"
#include "tests/system/scenario.h"

namespace geeps::fault_test {
namespace {

using system_test::Random;

constexpr const char* kTable = "table t 600 128 f64 partition_bytes=16384";

void CheckMoments(Blow blow, uint64_t passes, uint64_t first_seed, uint64_t num_seeds) {
  for (uint64_t seed = first_seed; seed < first_seed + num_seeds; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    TrialOptions options;
    options.world = 2 + static_cast<uint32_t>(seed % 4);
    options.victim = static_cast<uint32_t>(random.Below(options.world));
    options.blow = blow;
    options.after_ms = static_cast<uint32_t>(random.Below(80));
    options.pause_ms = 1 + static_cast<uint32_t>(random.Below(150));
    options.passes = passes;
    CHECK(RunTrial(options).wrong == "");
  }
}

// A job over a table of 8 MB, which rank 2 leaves by a death in the middle of it. Rank 2 is a new process each time.
void LoseRank2(Job* job) {
  for (const char* call : {"start", "table t 16384 64 f64", "plan train t", "commit train", "passes train 3 1"}) {
    REQUIRE(job->CallAll(call) == "");
  }
  for (const uint32_t rank : {0u, 1u}) REQUIRE(job->Begin(rank, "fence"));
  job->host(2).Kill();
  for (const uint32_t rank : {0u, 1u})
    REQUIRE(CheckLossAnswer(job->End(rank, kKillLimit_s), {2, kKillLimit_s, false}) == "");
  REQUIRE(job->CallSome({0, 1}, "destroy") == "");
  REQUIRE(job->CheckNothingLeft({0, 1}) == "");
}

double CpuSeconds(pid_t pid) {
  clockid_t id = 0;
  timespec time = {};
  if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &time) != 0) return -1;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// A job of three workers of which rank 2 does nothing, and the others sleep in this call.
struct Waiting {
  Waiting(const char* wait, std::vector<std::string> before, bool in_process)
      : call(wait), job({3, in_process, "heartbeat_ms=20000 start_limit_s=100"}) {
    REQUIRE(job.Create() == "");
    for (const std::string& each : before) REQUIRE(job.CallAll(each) == "");
    if (call == "read") {
      REQUIRE(job.CallSome({0, 1}, "passes train 1 1") == "");
      REQUIRE(job.CallSome({0, 1}, "begin train") == "");
    }
    for (const uint32_t rank : {0u, 1u}) REQUIRE(job.Begin(rank, call));
    for (const uint32_t rank : {0u, 1u}) REQUIRE(job.AwaitSleep(rank));
  }
  double Cpu() {
    double sum = 0;
    for (uint32_t i = 0; i < (job.in_process() ? 1u : 2u); ++i) sum += CpuSeconds(job.host(i).pid());
    return sum;
  }

  const std::string call;
  Job job;
};

}  // namespace

TEST_CASE("a worker of 2 to 5 is killed at any moment: the others return the same error, and nothing is left") {
  CheckMoments(Blow::kKill, 1'000'000'000, 1, 12);
}

TEST_CASE("a worker of 2 to 5 is stopped at any moment: lost after the heartbeat limit, for itself when it goes on") {
  CheckMoments(Blow::kStop, 1'000'000'000, 101, 4);
}

TEST_CASE("a worker of 2 to 5 pauses at any moment, below the heartbeat limit: nothing is lost") {
  CheckMoments(Blow::kPause, 60, 201, 8);
}

TEST_CASE("survivors that lose one job after another keep neither memory nor descriptors of them") {
  Job job({3, false, ""});
  REQUIRE(job.Create() == "");
  constexpr int kFirst = 4;  // what is allocated once and kept is there by then
  constexpr int kLast = 16;
  Heap before[2];
  for (int round = 1; round <= kLast; ++round) {
    CAPTURE(round);
    LoseRank2(&job);
    for (const uint32_t rank : {0u, 1u}) {
      if (round == kFirst) before[rank] = HeapOf(&job, rank);
      if (round != kLast) continue;
      CAPTURE(rank);
      const Heap now = HeapOf(&job, rank);
      CHECK(now.blocks == before[rank].blocks);
      // What a worker holds of the table is 2.7 MB, several times.
      if (!kOwnAllocator) CHECK(now.resident - before[rank].resident < 1'000'000);
    }
    if (round == kLast) break;
    job.NewRound();
    job.Replace(2);
    for (const uint32_t rank : {0u, 1u, 2u}) REQUIRE(job.Call(rank, job.CreateCall(rank)).status == GEEPS_OK);
  }
  CHECK(job.CheckAlive({0, 1}) == "");
}

TEST_CASE("workers that wait for others for five seconds use less than 2 percent of a core") {
  const std::vector<std::string> up = {"start", kTable, "plan train t", "commit train", "passes train 3 1"};
  std::vector<std::unique_ptr<Waiting>> all;
  for (const bool in_process : {false, true}) {
    all.push_back(std::make_unique<Waiting>("start", std::vector<std::string>(), in_process));
    all.push_back(std::make_unique<Waiting>("commit train", std::vector<std::string>{"start", kTable, "plan train t"},
                                            in_process));
    for (const char* call : {"read", "fence", "shutdown"})
      all.push_back(std::make_unique<Waiting>(call, up, in_process));
  }
  // Others wait for a process that has stopped.
  all.push_back(std::make_unique<Waiting>("fence", up, false));
  all.back()->job.host(2).Stop();
  std::vector<double> before;
  for (const auto& waiting : all) before.push_back(waiting->Cpu());
  const Stopwatch watch;
  poll(nullptr, 0, 5000);  // the time that is measured
  const double seconds = watch.Seconds();
  for (size_t i = 0; i < all.size(); ++i) {
    const double share = (all[i]->Cpu() - before[i]) / (2 * seconds);  // of each of two waiters
    CAPTURE(all[i]->call);
    CAPTURE(all[i]->job.in_process());
    const std::string where = all[i]->call + (all[i]->job.in_process() ? " in process: " : " over tcp: ");
    MESSAGE(where, 100 * share, " % of a core each");
    CHECK(before[i] >= 0);
    CHECK(share < 0.002);  // one that spins has no core for itself here: all of them may
  }
}

TEST_CASE("NameOfBytes knows the messages of both connections, and a ControlStream those that come in pieces") {
  std::string enter("GPTL", 4);
  enter += std::string("\x01\x00\x05\x00\x03\x00\x00\x00............\x01\x02?", 23);
  CHECK(NameOfBytes(enter) == "ENTER commit 2");
  CHECK(NameOfBytes("anything else that is long enough") == "");
  ControlStream stream;
  CHECK(stream.Take(enter.substr(0, 7)).empty());
  CHECK(stream.Take(enter.substr(7) + enter.substr(0, 3)) == std::vector<std::string>{"ENTER commit 2"});
  CHECK(stream.Take(enter.substr(3)) == std::vector<std::string>{"ENTER commit 2"});
}

}  // namespace geeps::fault_test
