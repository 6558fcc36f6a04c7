// SPDX-License-Identifier: Apache-2.0
// The control plane between 1 to 5 workers, each with its own thread inside: rendezvous and its refusals, fences, relays,
// verdicts.
#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/net/control_wire.h"
#include "tests/net/control_harness.h"

namespace geeps::net {
namespace {

TEST_CASE("ControlPlane: 1 to 5 workers meet, each learns all addresses in rank order, and part without an error") {
  for (const bool tcp : {false, true}) {
    for (uint32_t world = 1; world <= 5; ++world) {
      CAPTURE(world);
      Workers workers = MakeWorkers(world, tcp ? FreshPort() : FreshName());
      Meet(workers);
      const uint64_t job = workers[0]->plane.AwaitWelcome()->job;
      for (auto& worker : workers) {
        const protocol::Welcome welcome = *worker->plane.AwaitWelcome();
        CHECK(welcome.job == job);
        REQUIRE(welcome.addresses.size() == world);
        for (uint32_t rank = 0; rank < world; ++rank) CHECK(welcome.addresses[rank] == absl::StrCat("address of ", rank));
      }
      ShutDown(workers);
    }
  }
}

TEST_CASE("ControlPlane: a worker alone needs no rendezvous") {
  Worker worker(0, 1, "");
  CHECK(worker.plane.Start(worker.options, &worker).ok());
}

TEST_CASE("ControlPlane: addresses that are not loopback are refused until connections are authenticated") {
  Worker worker(0, 2, "tcp://10.0.0.1:4000");
  const absl::Status status = worker.plane.Begin(worker.options, &worker);
  CHECK(DetailOf(status).code == Code::kDenied);
  CHECK(absl::StrContains(status.message(), "until connections are authenticated"));
}

TEST_CASE("ControlPlane: options out of range are refused with their numbers") {
  Worker worker(3, 2, FreshName());
  CHECK(worker.plane.Begin(worker.options, &worker).message() == "rank 3 is not below world 2");
  Worker alone(0, 2, "");
  CHECK(alone.plane.Begin(alone.options, &alone).message() == "a rendezvous is needed for 2 workers");
  Worker odd(0, 2, "tcp://127.0.0.1:77777");
  CHECK(DetailOf(odd.plane.Begin(odd.options, &odd)).code == Code::kInvalid);
}

TEST_CASE("ControlPlane: a second worker of a rank is told who has it, and the job goes on") {
  Workers workers = MakeWorkers(3, FreshName());
  workers[0]->Begin();
  workers[1]->Begin();
  // Either may come first; the other one loses.
  Worker again(1, 3, workers[0]->options.rendezvous);
  Worker* loser = nullptr;
  again.Begin();
  REQUIRE(again.WaitFor([&] {
    MutexLock lock(&workers[1]->mutex);
    loser = !again.downs.empty() ? &again : !workers[1]->downs.empty() ? workers[1].get() : nullptr;
    return loser != nullptr;
  }));
  CHECK(DetailOf(loser->Down()).code == Code::kMismatch);
  CHECK(absl::StrContains(loser->Down().message(), absl::StrCat("the rank is taken by pid ", getpid())));
  workers[2]->Begin();
  CHECK(workers[0]->plane.AwaitWelcome().ok());
}

TEST_CASE("ControlPlane: another world, job or transport is refused with both sides named") {
  const std::string rendezvous = FreshPort();
  Worker coordinator(0, 4, rendezvous);
  coordinator.Begin();
  Worker world(1, 8, rendezvous);
  world.Begin();
  CHECK(absl::StrContains(world.Down().message(), "it expects 8 workers, the coordinator 4"));
  Worker job(1, 4, rendezvous);
  job.options.job = "another";
  job.Begin();
  CHECK(absl::StrContains(job.Down().message(), "it belongs to job 'another', this is job 'job'"));
  Worker transport(1, 4, rendezvous);
  transport.options.transport = "inproc";
  transport.Begin();
  CHECK(absl::StrContains(transport.Down().message(), "it uses the transport 'inproc'"));
}

TEST_CASE("ControlPlane: when a worker is missing at the start limit, all that came are told which") {
  Workers workers = MakeWorkers(4, FreshName());
  for (const size_t rank : {0, 1, 3}) {
    workers[rank]->options.start_limit = std::chrono::milliseconds(300);
    workers[rank]->Begin();
  }
  for (const size_t rank : {0, 1, 3}) {
    const absl::Status cause = workers[rank]->plane.AwaitWelcome().status();
    CHECK(DetailOf(cause).code == Code::kTimeout);
    CHECK(DetailOf(cause).rank == 2);
    CHECK(absl::StrContains(cause.message(), "rank 2 of 4 workers did not come within 0.3 s"));
  }
}

TEST_CASE("ControlPlane: without a coordinator a worker gives up at its limit") {
  Worker worker(1, 2, FreshPort());
  worker.options.start_limit = std::chrono::milliseconds(100);
  const absl::Status cause = worker.plane.Start(worker.options, &worker).status();
  CHECK(DetailOf(cause).code == Code::kTimeout);
  CHECK(absl::StrContains(cause.message(), "nobody answered at tcp://127.0.0.1:"));
}

TEST_CASE("ControlPlane: a fence goes on when all have entered, with the largest of the values") {
  Workers workers = MakeWorkers(3, FreshName());
  Meet(workers);
  EnterAll(workers, protocol::FenceKind::kFence, 0, 0);
  for (auto& worker : workers) {
    REQUIRE(worker->WaitFor([&] { return !worker->gos.empty(); }));
    CHECK(worker->gos[0].kind == protocol::FenceKind::kFence);
    CHECK(worker->gos[0].maxima == std::vector<uint32_t>{2, 3});
  }
}

TEST_CASE("ControlPlane: a commit whose digests differ fails for all with the line that differs, and the next one works") {
  Workers workers = MakeWorkers(3, FreshPort());
  Meet(workers);
  for (auto& worker : workers) {
    protocol::Enter enter;
    enter.kind = protocol::FenceKind::kCommit;
    const uint32_t rows = worker->options.rank == 2 ? 21 : 20;
    enter.digest = rows;
    REQUIRE(worker->plane.Enter(enter, {{"table 'a'", "1 row"}, {"table 'b'", absl::StrCat(rows, " rows")}}).ok());
  }
  for (auto& worker : workers) {
    REQUIRE(worker->WaitFor([&] { return !worker->fails.empty(); }));
    CHECK(DetailOf(worker->fails[0]).code == Code::kMismatch);
    CHECK(absl::StrContains(worker->fails[0].message(), "table 'b'"));
    CHECK(absl::StrContains(worker->fails[0].message(), "20 rows"));
    CHECK(absl::StrContains(worker->fails[0].message(), "21 rows"));
  }
  EnterAll(workers, protocol::FenceKind::kCommit, 0, 5);
  for (auto& worker : workers) CHECK(worker->WaitFor([&] { return !worker->gos.empty(); }));
}

TEST_CASE("ControlPlane: relayed bytes arrive whole and in order, from each worker at each, long ones too") {
  constexpr uint32_t kWorld = 3;
  constexpr int kMessages = 20;
  Workers workers = MakeWorkers(kWorld, FreshPort());
  Meet(workers);
  for (int i = 0; i < kMessages; ++i) {
    for (auto& worker : workers) {
      for (uint32_t dst = 0; dst < kWorld; ++dst) {
        REQUIRE(worker->plane.Relay(dst, static_cast<uint32_t>(i), std::string(i, 'x')).ok());
      }
    }
  }
  for (auto& worker : workers) {
    REQUIRE(worker->WaitFor([&] { return worker->relays.size() == kWorld * kMessages; }));
    for (uint32_t src = 0; src < kWorld; ++src) {
      int next = 0;
      for (const std::string& relay : worker->relays) {
        if (!absl::StartsWith(relay, absl::StrCat(src, "/"))) continue;
        CHECK(relay == absl::StrCat(src, "/", next, "/", std::string(next, 'x')));
        ++next;
      }
      CHECK(next == kMessages);
    }
  }
  const size_t before = workers[2]->relay_bytes;
  const std::string long_one(wire::kBodyMax - 12, 'y');
  REQUIRE(workers[1]->plane.Relay(2, 0, long_one).ok());
  CHECK(workers[2]->WaitFor([&] { return workers[2]->relay_bytes == before + long_one.size(); }));
  CHECK(DetailOf(workers[1]->plane.Relay(2, 0, long_one + "z")).code == Code::kInvalid);
  CHECK(DetailOf(workers[1]->plane.Relay(3, 0, "")).code == Code::kInvalid);
}

void CheckSameCause(Workers& workers, size_t except, Code code, int32_t rank) {
  std::string text;
  for (size_t i = 0; i < workers.size(); ++i) {
    if (i == except) continue;
    const absl::Status cause = workers[i]->Down();
    REQUIRE(!cause.ok());
    CHECK(DetailOf(cause).code == code);
    CHECK(DetailOf(cause).rank == rank);
    CHECK(DetailOf(cause).latched);
    if (text.empty()) text = std::string(cause.message());
    CHECK(std::string(cause.message()) == text);
    CHECK(workers[i]->plane.failure() == cause);
    CHECK(!workers[i]->plane.Relay(0, 0, "").ok());
  }
  CHECK(!text.empty());
}

TEST_CASE("ControlPlane: all survivors name the worker that went away, in each phase") {
  for (const bool tcp : {false, true}) {
    for (const std::string phase : {"idle", "fence", "relay"}) {
      CAPTURE(phase);
      Workers workers = MakeWorkers(4, tcp ? FreshPort() : FreshName());
      workers[2]->clock = 7;
      Meet(workers);
      if (phase == "fence") {
        protocol::Enter enter;
        enter.clock = 7;
        for (const size_t rank : {0, 1}) REQUIRE(workers[rank]->plane.Enter(enter, {}).ok());
      }
      if (phase == "relay") {
        for (uint32_t dst = 0; dst < 4; ++dst) REQUIRE(workers[2]->plane.Relay(dst, 0, std::string(1 << 20, 'r')).ok());
      }
      workers[2]->plane.Stop();
      CheckSameCause(workers, 2, Code::kPeerLost, 2);
    }
  }
}

TEST_CASE("ControlPlane: when rank 0 goes away all others name it") {
  Workers workers = MakeWorkers(3, FreshPort());
  Meet(workers);
  workers[0]->plane.Stop();
  CheckSameCause(workers, 0, Code::kPeerLost, 0);
}

TEST_CASE("ControlPlane: a goodbye with its cause reaches all, the sender included, also when it stops at once") {
  Workers workers = MakeWorkers(3, FreshPort());
  Meet(workers);
  workers[1]->plane.Bye(MakeStatus(Code::kAborted, "enough"));
  workers[1]->plane.Stop();
  CheckSameCause(workers, 1, Code::kAborted, 1);
  CHECK(absl::StrContains(workers[0]->Down().message(), "enough"));
}

TEST_CASE("ControlPlane: rank 0's goodbye reaches all when it stops at once") {
  Workers workers = MakeWorkers(3, FreshPort());
  Meet(workers);
  workers[0]->plane.Bye(MakeStatus(Code::kAborted, "enough"));
  workers[0]->plane.Stop();
  CheckSameCause(workers, 0, Code::kAborted, 0);
}

TEST_CASE("ControlPlane: a suspicion becomes one verdict for all, the accused included") {
  Workers workers = MakeWorkers(3, FreshName());
  Meet(workers);
  workers[1]->plane.Suspect(2, "its data connection closed");
  CheckSameCause(workers, 3, Code::kPeerLost, 2);
  CHECK(absl::StrContains(workers[0]->Down().message(), "its data connection closed"));
}

TEST_CASE("ControlPlane: a stopped process is lost after the heartbeat limit, a killed one at once") {
  for (const int signal : {SIGSTOP, SIGKILL}) {
    CAPTURE(signal);
    const std::string rendezvous = FreshPort();
    const pid_t child = fork();
    if (child == 0) {
      Worker worker(1, 2, rendezvous);
      if (!worker.plane.Begin(worker.options, &worker).ok()) _exit(1);
      for (;;) pause();
    }
    Workers workers = MakeWorkers(1, rendezvous);
    workers[0]->options.world = 2;
    workers[0]->options.heartbeat_limit = signal == SIGSTOP ? std::chrono::milliseconds(500) : std::chrono::milliseconds(10000);
    workers[0]->Begin();
    REQUIRE(workers[0]->plane.AwaitWelcome().ok());
    const auto begun = std::chrono::steady_clock::now();
    kill(child, signal);
    const absl::Status cause = workers[0]->Down();
    const auto took = std::chrono::steady_clock::now() - begun;
    CHECK(DetailOf(cause).code == Code::kPeerLost);
    CHECK(DetailOf(cause).rank == 1);
    CHECK(took < std::chrono::seconds(8));
    if (signal == SIGSTOP) CHECK(absl::StrContains(cause.message(), "the limit is 500 ms"));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
}

TEST_CASE("ControlPlane: a forked child holds no control connection: the death of its parent is seen") {
  const std::string rendezvous = FreshPort();
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    Worker worker(1, 2, rendezvous);
    if (!worker.plane.Start(worker.options, &worker).ok()) _exit(1);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      for (;;) pause();
    }
    if (write(ready[1], &grandchild, sizeof(grandchild)) != sizeof(grandchild)) _exit(1);
    for (;;) pause();
  }
  Worker worker(0, 2, rendezvous);
  REQUIRE(worker.plane.Start(worker.options, &worker).ok());
  pid_t grandchild = 0;
  REQUIRE(read(ready[0], &grandchild, sizeof(grandchild)) == sizeof(grandchild));
  const auto begun = std::chrono::steady_clock::now();
  kill(child, SIGKILL);
  CHECK(DetailOf(worker.Down()).rank == 1);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(8));
  kill(grandchild, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("ControlPlane: strangers that send noise are sent away and the workers meet") {
  const std::string rendezvous = FreshPort();
  Workers workers = MakeWorkers(2, rendezvous);
  workers[0]->Begin();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(rendezvous.substr(rendezvous.rfind(':') + 1))));
  std::string bad_hello = wire::Frame(wire::Type::kHello, "short");
  std::string flipped = bad_hello;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  std::string huge = bad_hello;
  huge[11] = 0x7f;  // the length
  const std::string late = wire::Frame(wire::Type::kHello, "short", 1);
  for (const std::string& noise : {std::string("GET /\n"), bad_hello, flipped, huge, late,
                                   wire::Frame(wire::Type::kRelay, std::string(12, '\0'))}) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(send(fd, noise.data(), noise.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(noise.size()));
    // Reads why not, then the end.
    char answer[4096];
    while (recv(fd, answer, sizeof(answer), 0) > 0) {
    }
    close(fd);
  }
  workers[1]->Begin();
  CHECK(workers[1]->plane.AwaitWelcome().ok());
  CHECK(workers[0]->plane.AwaitWelcome().ok());
  ShutDown(workers);
}

}  // namespace
}  // namespace geeps::net
