// SPDX-License-Identifier: Apache-2.0
// Workers on two hosts whose link goes down, or whose packets vanish: with the heartbeat limit all learn of the loss;
// before it nothing is lost. Needs root and `ip`; without them the program ends with 77 and says why.
#include "tests/network/namespaces.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "tests/system/process.h"

namespace geeps::network_test {
namespace {

using system_test::Answer;
using system_test::BringUp;
using system_test::CallAll;
using system_test::Processes;
using system_test::WorkerProcess;

constexpr uint32_t kWorld = 3;
constexpr double kLostLimit_s = 13;  // ten times a heartbeat limit of 1 s and its quarter of a second
constexpr double kDestroyLimit_s = 20;
constexpr int kHostOfRank[kWorld] = {0, 1, 0};

// Ends the program when the machine has no two hosts for it.
void NeedTwoHosts(const TwoHosts& hosts) {
  if (hosts.error().empty()) return;
  std::printf("skipped: needs root and iproute2, for network namespaces: %s\n", hosts.error().c_str());
  std::fflush(stdout);
  std::_Exit(77);
}

// Rank 1 on the second host, the others on the first; committed.
Processes StartOn(const TwoHosts& hosts, const std::string& more) {
  Processes processes;
  for (uint32_t rank = 0; rank < kWorld; ++rank) {
    const int host = kHostOfRank[rank];
    hosts.host(host).Within([&] { processes.push_back(std::make_unique<WorkerProcess>(rank)); });
    const Answer created =
        processes.back()->Call("create transport=tcp rank=" + std::to_string(rank) +
                               " world=" + std::to_string(kWorld) + " rendezvous=tcp://" + TwoHosts::ControlAddress(0) +
                               ":20000 advertise=" + TwoHosts::DataAddress(host) + " " + more);
    REQUIRE(created.Cause() == std::string(geeps_status_name(GEEPS_OK)) + " rank -1 flags 0 clock 0: ");
  }
  REQUIRE(BringUp(processes) == "");
  return processes;
}

void CheckGone(const Processes& processes) {
  for (const Answer& answer : CallAll(processes, "destroy", kDestroyLimit_s)) CHECK(answer.arrived);
  for (const auto& process : processes) CHECK(process->EndsWell(10));
}

// What breaks while workers are in the middle of passes; their answers by rank.
std::vector<Answer> EndsOf(const Processes& processes, const std::function<void()>& breaks) {
  for (const auto& process : processes) REQUIRE(process->Begin("passes train 1000000000 1"));
  breaks();
  std::vector<Answer> answers;
  for (const auto& process : processes) answers.push_back(process->End(kLostLimit_s));
  for (const auto& process : processes) {
    const Answer& answer = answers[process->rank()];
    CAPTURE(process->rank());
    CHECK(answer.status == GEEPS_E_PEER_LOST);
    CHECK((answer.flags & GEEPS_ERROR_LATCHED) != 0);
    CHECK(answer.message != "");
    CHECK(process->Call("every").Cause() == answer.Cause());
  }
  return answers;
}

}  // namespace

TEST_CASE("between two hosts whose link holds a job comes to its end") {
  TwoHosts hosts;
  NeedTwoHosts(hosts);
  const Processes processes = StartOn(hosts, "");
  for (const Answer& answer : CallAll(processes, "passes train 20 1")) {
    CHECK(answer.status == GEEPS_OK);
    CHECK(answer.extra == std::to_string(19 * kWorld));
  }
  for (const Answer& answer : CallAll(processes, "shutdown")) CHECK(answer.status == GEEPS_OK);
  CheckGone(processes);
}

TEST_CASE(
    "the link to a host goes down: after the heartbeat limit its worker is lost for the others, and they for it") {
  for (const int end : {0, 1}) {
    CAPTURE(end);
    TwoHosts hosts;
    NeedTwoHosts(hosts);
    const Processes processes = StartOn(hosts, "heartbeat_ms=1000");
    const std::vector<Answer> answers = EndsOf(processes, [&] { hosts.SetLink(end, false); });
    CHECK(answers[0].rank == 1);
    CHECK(answers[0].Cause() == answers[2].Cause());
    CHECK(answers[1].rank == 0);
    CHECK(hosts.error() == "");
    CheckGone(processes);
  }
}

TEST_CASE("what one host sends to the other vanishes: after the heartbeat limit all workers have an error") {
  for (const int end : {0, 1}) {
    CAPTURE(end);
    TwoHosts hosts;
    NeedTwoHosts(hosts);
    const Processes processes = StartOn(hosts, "heartbeat_ms=1000");
    const std::vector<Answer> answers = EndsOf(processes, [&] {
      hosts.SetBlackhole(end, TwoHosts::ControlAddress(1 - end), true);
      hosts.SetBlackhole(end, TwoHosts::DataAddress(1 - end), true);
    });
    CHECK(answers[0].Cause() == answers[2].Cause());
    CHECK(hosts.error() == "");
    CheckGone(processes);
  }
}

TEST_CASE("only data vanish while heartbeats pass: after the heartbeat limit all workers have the same error") {
  for (const int end : {0, 1}) {
    CAPTURE(end);
    TwoHosts hosts;
    NeedTwoHosts(hosts);
    const Processes processes = StartOn(hosts, "heartbeat_ms=1000");
    const std::vector<Answer> answers =
        EndsOf(processes, [&] { hosts.SetBlackhole(end, TwoHosts::DataAddress(1 - end), true); });
    for (const Answer& answer : answers) CHECK(answer.Cause() == answers[0].Cause());
    CHECK(answers[0].message.find("data connection") != std::string::npos);
    CHECK(hosts.error() == "");
    CheckGone(processes);
  }
}

TEST_CASE("a link that is down, and packets that vanish, for less than the heartbeat limit lose nothing") {
  TwoHosts hosts;
  NeedTwoHosts(hosts);
  const Processes processes = StartOn(hosts, "heartbeat_ms=20000");
  const std::vector<std::function<void(bool)>> faults = {
      [&](bool on) { hosts.SetLink(0, !on); },
      [&](bool on) { hosts.SetLink(1, !on); },
      [&](bool on) { hosts.SetBlackhole(0, TwoHosts::DataAddress(1), on); },
      [&](bool on) {
        hosts.SetBlackhole(1, TwoHosts::ControlAddress(0), on);
        hosts.SetBlackhole(1, TwoHosts::DataAddress(0), on);
      },
  };
  uint64_t clocks = 0;
  for (size_t i = 0; i < faults.size(); ++i) {
    CAPTURE(i);
    faults[i](true);
    for (const auto& process : processes) REQUIRE(process->Begin("passes train 20 1"));
    // All wait for what does not come.
    for (const auto& process : processes) CHECK(process->AwaitSleep());
    faults[i](false);
    clocks += 20;
    for (const auto& process : processes) {
      const Answer answer = process->End(60);
      CHECK(answer.Cause() == std::string(geeps_status_name(GEEPS_OK)) + " rank -1 flags 0 clock 0: ");
      CHECK(answer.extra == std::to_string((clocks - 1) * kWorld));
    }
  }
  CHECK(hosts.error() == "");
  for (const Answer& answer : CallAll(processes, "shutdown")) CHECK(answer.status == GEEPS_OK);
  CheckGone(processes);
}

}  // namespace geeps::network_test
