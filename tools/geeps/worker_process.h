// SPDX-License-Identifier: Apache-2.0
// One worker that `geeps run` started: a process group of its own, whose output comes through pipes.
//
// The kernel kills the worker when this process dies. A worker's process group is killed when its first process ends, so
// that helpers which it started do not outlive it. Not thread-safe; the process that starts workers must be single-threaded.
#ifndef GEEPS_TOOLS_GEEPS_WORKER_PROCESS_H_
#define GEEPS_TOOLS_GEEPS_WORKER_PROCESS_H_

#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace geeps::tool {

struct WorkerSpec {
  int rank = 0;
  std::vector<std::string> command;  // program, looked for in PATH when it has no '/', and arguments
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  std::optional<int> core;           // bound to it
  bool own_stderr = false;           // inherits our standard error instead of writing into a pipe
};

// How a process ended.
struct Ending {
  bool by_signal = false;
  int value = 0;  // exit code, or number of the signal

  bool failed() const { return by_signal || value != 0; }
  int exit_code() const { return by_signal ? 128 + value : value; }
  std::string Text() const;  // "ended with exit code 3", "was ended by signal 9 (SIGKILL)"
};

class WorkerProcess {
 public:
  WorkerProcess() = default;
  WorkerProcess(WorkerProcess&& other) noexcept { *this = std::move(other); }
  WorkerProcess& operator=(WorkerProcess&& other) noexcept;
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  // A worker that still runs is killed.
  ~WorkerProcess();

  // Starts the worker with the signal mask `mask`; returns once its program runs. On failure returns false, with a sentence
  // in *error and in *exit_code what a shell would return: 127 not found, 126 not to be executed, 1 for all else.
  bool Start(const WorkerSpec& spec, const sigset_t& mask, std::string* error, int* exit_code);

  // Descriptors to read the output from, non-blocking; -1 when closed or, for stderr, when the worker inherited ours.
  int stdout_fd() const { return stdout_fd_; }
  int stderr_fd() const { return stderr_fd_; }
  void CloseStdout();
  void CloseStderr();

  bool running() const { return pid_ > 0; }

  // Sends a signal to the process group; nothing when the worker has ended.
  void Signal(int signal_number) const;

  // How it ended, once: reaps it and kills what is left of its group. nullopt while it runs.
  std::optional<Ending> TakeEnding();

 private:
  pid_t pid_ = -1;
  int stdout_fd_ = -1;
  int stderr_fd_ = -1;
};

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_WORKER_PROCESS_H_
