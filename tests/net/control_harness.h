// SPDX-License-Identifier: Apache-2.0
// Workers of a control plane in one process, each with its own thread inside, for the tests of this folder.
#ifndef GEEPS_TESTS_NET_CONTROL_HARNESS_H_
#define GEEPS_TESTS_NET_CONTROL_HARNESS_H_

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/net/control.h"
#include "tools/geeps/free_port.h"

namespace geeps::net {

// Ten times what a loaded machine needs.
inline constexpr std::chrono::seconds kDeadline(20);

inline std::string FreshName() {
  static std::atomic<int> last{0};
  return absl::StrCat("inproc://control-test-", ++last);
}

// A port that was free a moment ago.
inline std::string FreshPort() { return absl::StrCat("tcp://127.0.0.1:", tool::FindFreeLoopbackPort().value_or(0)); }

class Worker : public ControlEvents {
 public:
  Worker(uint32_t rank, uint32_t world, const std::string& rendezvous) {
    options.rank = rank;
    options.world = world;
    options.rendezvous = rendezvous;
    options.job = "job";
    options.transport = "tcp";
    options.transport_address = absl::StrCat("address of ", rank);
    options.start_limit = kDeadline;
    options.clock = &clock;
    options.log = &log;
  }
  void Begin() { REQUIRE(plane.Begin(options, this).ok()); }

  void OnWelcome(const protocol::Welcome&) override {}
  void OnGo(const protocol::Go& go) override {
    MutexLock lock(&mutex);
    gos.push_back(go);
    changed.NotifyAll();
  }
  void OnFail(const absl::Status& cause) override {
    MutexLock lock(&mutex);
    fails.push_back(cause);
    changed.NotifyAll();
  }
  void OnRelay(uint32_t src, uint32_t kind, std::string bytes) override {
    MutexLock lock(&mutex);
    relays.push_back(absl::StrCat(src, "/", kind, "/", bytes));
    relay_bytes += bytes.size();
    changed.NotifyAll();
  }
  void OnDown(const absl::Status& cause) override {
    MutexLock lock(&mutex);
    downs.push_back(cause);
    changed.NotifyAll();
  }

  // Looks now and then, too: a condition may look at other workers, whose changes wake nobody here.
  template <typename Condition>
  bool WaitFor(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    MutexLock lock(&mutex);
    while (!condition()) {
      const auto now = std::chrono::steady_clock::now();
      if (now > until) return false;
      changed.WaitUntil(&mutex, std::min(until, now + std::chrono::milliseconds(20)));
    }
    return true;
  }
  absl::Status Down() {
    if (!WaitFor([this] { return !downs.empty(); })) return absl::OkStatus();
    MutexLock lock(&mutex);
    return downs.front();
  }

  // A line that has `part` in it is, or will be, in the log at that level.
  bool Logs(LogLevel level, const std::string& part) {
    return WaitFor([&] { return CountLines(level, part) > 0; });
  }
  // REQUIRES: mutex is held, or the worker has stopped.
  size_t CountLines(LogLevel level, const std::string& part) const {
    size_t num = 0;
    for (const auto& [line_level, text] : lines) num += line_level == level && absl::StrContains(text, part) ? 1 : 0;
    return num;
  }

  std::atomic<uint64_t> clock{0};
  ControlOptions options;
  Mutex mutex;
  CondVar changed;
  std::vector<protocol::Go> gos;
  std::vector<absl::Status> fails;
  std::vector<absl::Status> downs;
  std::vector<std::string> relays;
  size_t relay_bytes = 0;
  std::vector<std::pair<LogLevel, std::string>> lines;
  Log log{LogLevel::kDebug, OnLine, this};
  ControlPlane plane;  // last: its thread uses the rest

 private:
  static void OnLine(void* user, int32_t level, const char*, const char* text, uint64_t len) {
    Worker* const self = static_cast<Worker*>(user);
    MutexLock lock(&self->mutex);
    self->lines.emplace_back(static_cast<LogLevel>(level), std::string(text, len));
    self->changed.NotifyAll();
  }
};

using Workers = std::vector<std::unique_ptr<Worker>>;

inline Workers MakeWorkers(uint32_t world, const std::string& rendezvous) {
  Workers workers;
  for (uint32_t rank = 0; rank < world; ++rank) workers.push_back(std::make_unique<Worker>(rank, world, rendezvous));
  return workers;
}

// Begins them from the last to the first, so that the others must wait for rank 0.
inline void Meet(Workers& workers) {
  for (size_t i = workers.size(); i-- > 0;) workers[i]->Begin();
  for (auto& worker : workers) {
    const auto welcome = worker->plane.AwaitWelcome();
    REQUIRE_MESSAGE(welcome.ok(), std::string(welcome.status().message()));
  }
}

inline void EnterAll(Workers& workers, protocol::FenceKind kind, uint64_t clock, uint64_t digest) {
  for (auto& worker : workers) {
    protocol::Enter enter;
    enter.kind = kind;
    enter.clock = clock;
    enter.digest = digest;
    enter.maxima = {worker->options.rank, 3};
    REQUIRE(worker->plane.Enter(enter, {{"table a", absl::StrCat("of digest ", digest)}}).ok());
  }
}

inline void ShutDown(Workers& workers) {
  EnterAll(workers, protocol::FenceKind::kShutdown, 0, 0);
  for (auto& worker : workers) CHECK(worker->WaitFor([&] { return !worker->gos.empty(); }));
  for (auto& worker : workers) worker->plane.Stop();
  for (auto& worker : workers) CHECK(worker->downs.empty());
}

}  // namespace geeps::net

#endif  // GEEPS_TESTS_NET_CONTROL_HARNESS_H_
