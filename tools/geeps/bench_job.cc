// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/bench_job.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "tools/geeps/cores.h"
#include "tools/geeps/free_port.h"

namespace geeps::tool {
namespace {

// What one worker leaves behind.
struct Outcome {
  std::string problem;
  BenchFigures figures;
};

Outcome RunWorker(const BenchJob& job, const std::string& rendezvous, uint32_t rank,
                  const std::function<BenchFigures(BenchWorker&)>& body) {
  Outcome outcome;
  if (job.bind && !BindToRank(rank)) {
    outcome.problem = "worker " + std::to_string(rank) + " cannot be bound to a core";
    return outcome;
  }
  BenchWorker worker;
  worker.rank = rank;
  worker.world = job.world;
  geeps::Options options{{"rank", std::to_string(rank)}, {"world", std::to_string(job.world)}, {"device", job.device}};
  if (job.world > 1) options.Set("rendezvous", rendezvous).Set("transport", job.transport);
  worker.rt = geeps::Runtime(options, worker.err);
  worker.rt.Start(worker.err);
  if (worker.err.ok()) outcome.figures = body(worker);
  worker.rt.Shutdown(worker.err);
  if (worker.err.ok()) return outcome;
  if (!worker.err.latched()) worker.rt.Abort(worker.err.message());  // nobody waits for this worker
  outcome.problem = "worker " + std::to_string(rank) + ": " + worker.err.status_name() + ": " + worker.err.message();
  return outcome;
}

// A process's outcome through a pipe: the number of figures, the figures, the text of the problem.
bool WriteAll(int fd, const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = write(fd, at, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    bytes -= static_cast<size_t>(written);
  }
  return true;
}

void Send(int fd, const Outcome& outcome) {
  const uint64_t count = outcome.figures.size();
  if (WriteAll(fd, &count, sizeof count) && WriteAll(fd, outcome.figures.data(), count * sizeof(double))) {
    WriteAll(fd, outcome.problem.data(), outcome.problem.size());
  }
}

Outcome Receive(int fd, uint32_t rank) {
  std::string bytes;
  char piece[4096];
  ssize_t got = 0;
  while ((got = read(fd, piece, sizeof piece)) > 0 || (got < 0 && errno == EINTR)) {
    if (got > 0) bytes.append(piece, static_cast<size_t>(got));
  }
  Outcome outcome;
  uint64_t count = 0;
  if (bytes.size() >= sizeof count) std::memcpy(&count, bytes.data(), sizeof count);
  if (bytes.size() < sizeof count || (bytes.size() - sizeof count) / sizeof(double) < count) {
    outcome.problem = "worker " + std::to_string(rank) + " has ended without an answer";
    return outcome;
  }
  outcome.figures.resize(count);
  if (count > 0) std::memcpy(outcome.figures.data(), bytes.data() + sizeof count, count * sizeof(double));
  outcome.problem = bytes.substr(sizeof count + count * sizeof(double));
  return outcome;
}

void RunInThreads(const BenchJob& job, const std::function<BenchFigures(BenchWorker&)>& body,
                  std::vector<Outcome>* outcomes) {
  static int jobs = 0;
  const std::string rendezvous = "inproc://bench-" + std::to_string(jobs++);
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < job.world; ++rank) {
    threads.emplace_back([&, rank] { (*outcomes)[rank] = RunWorker(job, rendezvous, rank, body); });
  }
  for (std::thread& thread : threads) thread.join();
}

// In threads of a child.
void RunInChild(const BenchJob& job, const std::function<BenchFigures(BenchWorker&)>& body,
                std::vector<Outcome>* outcomes) {
  int ends[2];
  for (Outcome& outcome : *outcomes) outcome.problem = "the process of the workers has ended without an answer";
  if (pipe(ends) != 0) return;
  const pid_t child = fork();
  if (child == 0) {
    RunInThreads(job, body, outcomes);
    // One after the other: what all have measured, or what is wrong.
    Outcome all;
    for (const Outcome& outcome : *outcomes) {
      all.figures.push_back(static_cast<double>(outcome.figures.size()));
      all.figures.insert(all.figures.end(), outcome.figures.begin(), outcome.figures.end());
      if (all.problem.empty()) all.problem = outcome.problem;
    }
    Send(ends[1], all);
    _exit(0);
  }
  close(ends[1]);
  const Outcome all = Receive(ends[0], 0);
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  auto at = all.figures.begin();
  for (Outcome& outcome : *outcomes) {
    outcome.problem = all.problem;
    if (at == all.figures.end()) continue;
    const auto end = at + 1 + static_cast<std::ptrdiff_t>(*at);
    outcome.figures.assign(at + 1, end);
    at = end;
  }
}

void RunInProcesses(const BenchJob& job, const std::function<BenchFigures(BenchWorker&)>& body,
                    std::vector<Outcome>* outcomes) {
  const std::string rendezvous = "tcp://127.0.0.1:" + std::to_string(FindFreeLoopbackPort().value_or(0));
  std::vector<int> pipes(job.world, -1);
  std::vector<pid_t> children(job.world, -1);
  for (uint32_t rank = 0; rank < job.world; ++rank) {
    int ends[2];
    if (pipe(ends) != 0) break;
    children[rank] = fork();
    if (children[rank] == 0) {
      Send(ends[1], RunWorker(job, rendezvous, rank, body));
      _exit(0);
    }
    close(ends[1]);
    pipes[rank] = ends[0];
  }
  for (uint32_t rank = 0; rank < job.world; ++rank) {
    (*outcomes)[rank] = Receive(pipes[rank], rank);
    if (pipes[rank] >= 0) close(pipes[rank]);
    if (children[rank] > 0) waitpid(children[rank], nullptr, 0);
  }
}

}  // namespace

std::string RunBenchJob(const BenchJob& job, const std::function<BenchFigures(BenchWorker&)>& body,
                        std::vector<BenchFigures>* figures) {
  std::vector<Outcome> outcomes(job.world);
  const bool in_threads = job.transport == "inproc";
  (in_threads ? job.in_a_child ? RunInChild : RunInThreads : RunInProcesses)(job, body, &outcomes);
  figures->clear();
  for (Outcome& outcome : outcomes) {
    if (!outcome.problem.empty()) return outcome.problem;
    figures->push_back(std::move(outcome.figures));
  }
  return "";
}

bool BindToRank(uint32_t rank) {
  static const std::vector<int> cores = AllowedCores();  // before anything is bound
  return !cores.empty() && BindToCore(cores[rank % cores.size()]) == 0;
}

double SecondsNow() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

}  // namespace geeps::tool
