// SPDX-License-Identifier: Apache-2.0
// Starts the workers of one job on this machine and stays with them until the last one has ended.
//
// One thread, one event loop: poll over a signalfd and the workers' pipes; it sleeps whenever nothing happens.
// The life of a job:
//   running     the workers run; signals are passed on to them
//   grace       one has failed: the others get time to notice and to end by themselves
//   terminated  the time is over: SIGTERM
//   killed      kKillAfter later, or after a second SIGINT: SIGKILL
#ifndef GEEPS_TOOLS_GEEPS_LAUNCHER_H_
#define GEEPS_TOOLS_GEEPS_LAUNCHER_H_

#include <signal.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/geeps/line_prefixer.h"
#include "tools/geeps/output_queue.h"
#include "tools/geeps/worker_process.h"

namespace geeps::tool {

struct Job {
  int num_workers = 0;
  std::vector<std::string> command;
  std::vector<std::pair<std::string, std::string>> environment;  // the same for every rank; GEEPS_RANK is added
  std::string trace_folder;  // each rank writes its trace there; empty: none is wanted
  std::string stats_folder;  // the same for its statistics
  std::vector<int> cores;                                        // rank r on cores[r]; empty: not bound
  std::chrono::milliseconds grace{5000};
};

class Launcher {
 public:
  static constexpr std::chrono::milliseconds kKillAfter{2000};

  explicit Launcher(Job job);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // Runs the job to its end. Returns the exit code of the first worker that failed (128 + signal when it was ended by one),
  // 0 when none did, 126 or 127 when the program could not be started. Leaves no worker behind.
  // REQUIRES: called once; this process is single-threaded.
  int Run();

 private:
  enum class Phase { kRunning, kGrace, kTerminated, kKilled };
  using Clock = std::chrono::steady_clock;

  struct Worker {
    Worker(const std::string& stdout_prefix, const std::string& stderr_prefix)
        : stdout_lines(stdout_prefix), stderr_lines(stderr_prefix) {}
    WorkerProcess process;
    LinePrefixer stdout_lines;
    LinePrefixer stderr_lines;
  };

  bool OpenSignals();
  bool StartWorkers();

  // One sleep and what woke us.
  void Step();
  int SleepMilliseconds() const;
  void ReadSignals();
  void OnSignal(int signal_number);
  void PassOn(int signal_number);

  // Reads once, at most kReadBytes. Closes the pipe at its end. Returns whether there may be more.
  bool ReadStdout(Worker* worker);
  bool ReadStderr(Worker* worker);
  // The worker has ended: takes what is still in its pipes and closes them.
  void Drain(Worker* worker);
  // A reader of our output went away: the workers learn it the way they would without us, by SIGPIPE.
  void CloseBrokenOutputs();

  void ReapWorkers();
  void OnFailures(const std::vector<std::pair<int, Ending>>& failures);
  void AdvancePhase();
  void Enter(Phase phase);

  bool any_running() const;
  std::string RunningRanks() const;
  std::string LaterFailures() const;
  void Say(const std::string& text);  // one line on standard error, in order with the workers' lines

  const Job job_;
  const bool stderr_is_terminal_;
  OutputQueue stdout_;
  OutputQueue stderr_;
  std::vector<Worker> workers_;  // by rank
  sigset_t old_mask_;
  int signal_fd_ = -1;
  Phase phase_ = Phase::kRunning;
  Clock::time_point phase_end_;  // of kGrace and kTerminated
  bool interrupted_ = false;     // SIGINT came once
  bool give_up_output_ = false;
  std::optional<int> start_failure_;
  std::vector<std::pair<int, Ending>> failures_;  // in the order in which they were seen
};

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_LAUNCHER_H_
