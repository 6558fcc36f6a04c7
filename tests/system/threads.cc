// SPDX-License-Identifier: Apache-2.0
#include "tests/system/threads.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "tools/geeps/free_port.h"

namespace geeps::system_test {
namespace {

// What is left after the limit before the process is given up.
constexpr std::chrono::seconds kGrace(20);

// Threads that have not ended yet.
struct Pending {
  std::mutex mutex;
  std::condition_variable changed;
  uint32_t count = 0;

  bool Await(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock<std::mutex> lock(mutex);
    return changed.wait_until(lock, deadline, [&] { return count == 0; });
  }
  void End() {
    std::lock_guard<std::mutex> lock(mutex);
    --count;
    changed.notify_all();
  }
};

// Joins the threads; past the limit calls `cancel` first. What hangs even then cannot be left behind: the process ends.
void JoinAll(std::vector<std::thread>* threads, Pending* pending, double limit_s, const std::function<void()>& cancel,
             std::string* complaints) {
  const auto limit =
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(limit_s));
  if (!pending->Await(std::chrono::steady_clock::now() + limit)) {
    cancel();
    *complaints += "the job took longer than " + std::to_string(limit_s) + " s\n";
    if (!pending->Await(std::chrono::steady_clock::now() + kGrace)) {
      std::fprintf(stderr, "%sthreads hang after an abort, too\n", complaints->c_str());
      std::_Exit(3);
    }
  }
  for (std::thread& thread : *threads) thread.join();
}

}  // namespace

std::string UniqueName() {
  static std::atomic<uint64_t> next{0};
  return "job-" + std::to_string(getpid()) + "-" + std::to_string(next.fetch_add(1));
}

std::string NewRendezvous(const std::string& transport) {
  return transport == "inproc" ? "inproc://" + UniqueName()
                               : "tcp://127.0.0.1:" + std::to_string(tool::FindFreeLoopbackPort().value_or(0));
}

geeps::Options WorkerOptions(const Setup& setup, const std::string& rendezvous, uint32_t rank) {
  geeps::Options options{{"rank", std::to_string(rank)},
                         {"world", std::to_string(setup.world)},
                         {"rendezvous", rendezvous},
                         {"transport", setup.transport},
                         {"device", setup.device}};
  for (const auto& [key, value] : setup.more) options.Set(key, value);
  return options;
}

bool MeetingPoint::Meet() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (given_up_) return false;
  const uint64_t round = round_;
  if (++present_ == num_workers_) {
    present_ = 0;
    ++round_;
    changed_.notify_all();
    return true;
  }
  changed_.wait(lock, [&] { return round_ != round || given_up_; });
  return round_ != round;
}

void MeetingPoint::GiveUp() {
  std::lock_guard<std::mutex> lock(mutex_);
  given_up_ = true;
  changed_.notify_all();
}

std::string RunThreads(uint32_t count, double limit_s, const std::function<std::string(uint32_t)>& body) {
  std::vector<std::string> texts(count);
  Pending pending;
  pending.count = count;
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] {
      texts[rank] = body(rank);
      pending.End();
    });
  }
  std::string complaints;
  JoinAll(
      &threads, &pending, limit_s, [] {}, &complaints);
  for (const std::string& text : texts) complaints += text.empty() ? "" : text + "\n";
  return complaints;
}

std::string RunWorkers(const Setup& setup, const Body& body) {
  const std::string rendezvous = NewRendezvous(setup.transport);
  MeetingPoint meeting(setup.world);
  std::vector<std::unique_ptr<Worker>> workers;
  std::string complaints;
  for (uint32_t rank = 0; rank < setup.world; ++rank) {
    auto worker = std::make_unique<Worker>();
    worker->rank = rank;
    worker->world = setup.world;
    worker->meeting = &meeting;
    worker->rt = geeps::Runtime(WorkerOptions(setup, rendezvous, rank), worker->err);
    if (!worker->err.ok()) return "rank " + std::to_string(rank) + ": create: " + worker->err.message() + "\n";
    workers.push_back(std::move(worker));
  }
  std::vector<std::string> texts(setup.world);
  Pending pending;
  pending.count = setup.world;
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < setup.world; ++rank) {
    threads.emplace_back([&, rank] {
      Worker& worker = *workers[rank];
      std::string text;
      worker.rt.Start(worker.err);
      if (worker.err.ok()) text = body(worker);
      if (worker.err.ok() && text.empty() && setup.shut_down) worker.rt.Shutdown(worker.err);
      if (!worker.err.ok())
        text += std::string(text.empty() ? "" : "; ") + worker.err.status_name() + " " + worker.err.message();
      if (!text.empty()) {
        text = "rank " + std::to_string(rank) + ": " + text;
        worker.rt.Abort(text.c_str());
        meeting.GiveUp();
      }
      texts[rank] = text;
      pending.End();
    });
  }
  const auto cancel = [&] {
    meeting.GiveUp();
    for (const auto& worker : workers) worker->rt.Abort("the test's time is over");
  };
  JoinAll(&threads, &pending, setup.limit_s, cancel, &complaints);
  // Destroys run beside one another, as in real programs: rank 0 waits for the others to close first.
  complaints += RunThreads(setup.world, 30, [&](uint32_t rank) {
    workers[rank]->rt = geeps::Runtime();
    return std::string();
  });
  for (const std::string& text : texts) complaints += text.empty() ? "" : text + "\n";
  return complaints;
}

}  // namespace geeps::system_test
