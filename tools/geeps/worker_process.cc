// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/worker_process.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "tools/geeps/cores.h"

namespace geeps::tool {
namespace {

// What the child tells through a pipe that exec closes: nothing when the program runs.
struct StartFailure {
  enum Step : int { kBind, kExec } step;
  int error;
};

struct Pipe {
  int read_fd = -1;
  int write_fd = -1;

  bool Open() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return false;
    read_fd = fds[0];
    write_fd = fds[1];
    return true;
  }
  static void Close(int* fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
  int TakeReader() { return std::exchange(read_fd, -1); }
  ~Pipe() {
    Close(&read_fd);
    Close(&write_fd);
  }
};

[[noreturn]] void FailInChild(int report_fd, StartFailure::Step step) {
  const StartFailure failure = {step, errno};
  // A record this short is written whole; if nobody reads it, the parent is gone and nobody cares.
  if (write(report_fd, &failure, sizeof(failure)) < 0) _exit(1);
  _exit(127);
}

// Runs in the child. `output` are the write ends for stdout and stderr, -1: keep ours.
[[noreturn]] void RunChild(const WorkerSpec& spec, pid_t parent, const sigset_t& mask, int stdout_fd, int stderr_fd,
                           int report_fd) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above
  if (spec.core.has_value()) {
    errno = BindToCore(*spec.core);
    if (errno != 0) FailInChild(report_fd, StartFailure::kBind);
  }
  const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null_fd >= 0) dup2(null_fd, STDIN_FILENO);
  dup2(stdout_fd, STDOUT_FILENO);
  if (stderr_fd >= 0) dup2(stderr_fd, STDERR_FILENO);
  // Outside the terminal's foreground group a write would stop it when the terminal is set to "tostop".
  if (stderr_fd < 0) signal(SIGTTOU, SIG_IGN);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  for (const auto& [name, value] : spec.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& argument : spec.command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  FailInChild(report_fd, StartFailure::kExec);
}

// Waits until the child has executed its program. Returns false when it failed to.
bool ReadReport(int report_fd, StartFailure* failure) {
  ssize_t got;
  do {
    got = read(report_fd, failure, sizeof(*failure));
  } while (got < 0 && errno == EINTR);
  return got != static_cast<ssize_t>(sizeof(*failure));
}

std::string StartFailureText(const WorkerSpec& spec, const StartFailure& failure) {
  const std::string reason = strerror(failure.error);
  if (failure.step == StartFailure::kBind) {
    return "rank " + std::to_string(spec.rank) + " cannot be bound to core " + std::to_string(*spec.core) + ": " + reason;
  }
  const std::string& program = spec.command[0];
  const bool searched = program.find('/') == std::string::npos;
  if (failure.error == ENOENT && searched) return "program '" + program + "' is in no directory of PATH";
  return "cannot start program '" + program + "': " + reason;
}

}  // namespace

std::string Ending::Text() const {
  if (!by_signal) return "ended with exit code " + std::to_string(value);
  const char* name = sigabbrev_np(value);
  return "was ended by signal " + std::to_string(value) + (name != nullptr ? std::string(" (SIG") + name + ")" : "");
}

WorkerProcess& WorkerProcess::operator=(WorkerProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(stdout_fd_, other.stdout_fd_);
  std::swap(stderr_fd_, other.stderr_fd_);
  return *this;
}

WorkerProcess::~WorkerProcess() {
  if (running()) {
    Signal(SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  CloseStdout();
  CloseStderr();
}

bool WorkerProcess::Start(const WorkerSpec& spec, const sigset_t& mask, std::string* error, int* exit_code) {
  Pipe out, err, report;
  *exit_code = 1;
  if (!out.Open() || (!spec.own_stderr && !err.Open()) || !report.Open()) {
    *error = "no pipe for rank " + std::to_string(spec.rank) + ": " + strerror(errno);
    return false;
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    *error = "no process for rank " + std::to_string(spec.rank) + ": " + strerror(errno);
    return false;
  }
  if (pid == 0) RunChild(spec, parent, mask, out.write_fd, err.write_fd, report.write_fd);

  Pipe::Close(&report.write_fd);
  StartFailure failure;
  if (!ReadReport(report.read_fd, &failure)) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    *error = StartFailureText(spec, failure);
    if (failure.step == StartFailure::kExec) *exit_code = failure.error == ENOENT ? 127 : 126;
    return false;
  }
  pid_ = pid;
  stdout_fd_ = out.TakeReader();
  stderr_fd_ = err.TakeReader();
  for (int fd : {stdout_fd_, stderr_fd_}) {
    if (fd >= 0) fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  return true;
}

void WorkerProcess::CloseStdout() { Pipe::Close(&stdout_fd_); }

void WorkerProcess::CloseStderr() { Pipe::Close(&stderr_fd_); }

void WorkerProcess::Signal(int signal_number) const {
  if (!running()) return;
  // A program that has left its group still gets the signal itself.
  if (kill(-pid_, signal_number) != 0) kill(pid_, signal_number);
}

std::optional<Ending> WorkerProcess::TakeEnding() {
  if (!running()) return std::nullopt;
  siginfo_t info = {};
  // Not reaped yet: until then the number of the process, and with it that of its group, stays ours.
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
    return std::nullopt;
  }
  kill(-pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return Ending{info.si_code != CLD_EXITED, info.si_status};
}

}  // namespace geeps::tool
