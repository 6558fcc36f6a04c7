// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/launcher.h"
#include "tools/geeps/top_picture.h"
#include "tools/geeps/trace_merge.h"

#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace geeps::tool {
namespace {

constexpr size_t kReadBytes = 64 << 10;
// What may be left in the pipe of an ended worker: a pipe holds 64 KiB unless a program asks for more, 1 MiB at most.
constexpr int kDrainReadsMax = (1 << 20) / kReadBytes;

// Passed on to the workers, unless whoever started us had them ignored (nohup, a shell's background job).
constexpr int kPassedOn[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT};

// Erases the line of rank 0's progress bar, which the bar draws again, so that a whole line can take its place.
constexpr char kEraseLine[] = "\r\x1b[K";

std::string Prefix(int rank, bool erase) { return (erase ? kEraseLine : "") + ("[" + std::to_string(rank) + "] "); }

// Reads once into *lines. Returns 1 when bytes came, 0 at the end, -1 when there is nothing now.
int ReadLines(int fd, LinePrefixer* lines, OutputQueue* out) {
  char bytes[kReadBytes];
  ssize_t got;
  do {
    got = read(fd, bytes, sizeof(bytes));
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    lines->Feed(std::string_view(bytes, static_cast<size_t>(got)), out->end());
    return 1;
  }
  if (got < 0 && errno == EAGAIN) return -1;
  lines->Finish(out->end());
  return 0;
}

}  // namespace

Launcher::Launcher(Job job)
    : job_(std::move(job)),
      stderr_is_terminal_(isatty(STDERR_FILENO) == 1),
      stdout_(STDOUT_FILENO),
      stderr_(STDERR_FILENO) {}

Launcher::~Launcher() {
  if (signal_fd_ >= 0) close(signal_fd_);
}

int Launcher::Run() {
  if (!OpenSignals()) {
    Say(std::string("no signal descriptor: ") + strerror(errno));
    start_failure_ = 1;
  } else if (!StartWorkers()) {
    Enter(Phase::kKilled);
  }
  while (any_running() || (!give_up_output_ && !(stdout_.empty() && stderr_.empty()))) Step();
  if (start_failure_.has_value()) return *start_failure_;
  return failures_.empty() ? 0 : failures_.front().second.exit_code();
}

bool Launcher::OpenSignals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);  // an inherited SIG_IGN would hide how workers end
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  for (int signal_number : kPassedOn) {
    struct sigaction action;
    if (sigaction(signal_number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
      sigaddset(&mask, signal_number);
    }
  }
  sigprocmask(SIG_BLOCK, &mask, &old_mask_);
  signal_fd_ = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  return signal_fd_ >= 0;
}

bool Launcher::StartWorkers() {
  workers_.reserve(job_.num_workers);
  for (int rank = 0; rank < job_.num_workers; ++rank) {
    WorkerSpec spec;
    spec.rank = rank;
    spec.command = job_.command;
    spec.environment = job_.environment;
    spec.environment.emplace_back("GEEPS_RANK", std::to_string(rank));
    if (!job_.trace_folder.empty()) spec.environment.emplace_back("GEEPS_TRACE", TraceFileOf(job_.trace_folder, rank));
    if (!job_.stats_folder.empty()) spec.environment.emplace_back("GEEPS_STATS", StatsFileOf(job_.stats_folder, rank));
    if (!job_.cores.empty()) spec.core = job_.cores[rank];
    // A program draws a progress bar only on a terminal, so rank 0 gets the terminal itself.
    spec.own_stderr = stderr_is_terminal_ && rank == 0;
    const bool stdout_erases = stderr_is_terminal_ && isatty(STDOUT_FILENO) == 1;
    Worker& worker = workers_.emplace_back(Prefix(rank, stdout_erases), Prefix(rank, stderr_is_terminal_));
    std::string error;
    int exit_code = 0;
    if (!worker.process.Start(spec, old_mask_, &error, &exit_code)) {
      Say(error);
      start_failure_ = exit_code;
      return false;
    }
  }
  return true;
}

void Launcher::Step() {
  std::vector<pollfd> fds;
  fds.push_back({signal_fd_, POLLIN, 0});
  fds.push_back({stdout_.empty() ? -1 : stdout_.fd(), POLLOUT, 0});
  fds.push_back({stderr_.empty() ? -1 : stderr_.fd(), POLLOUT, 0});
  for (const Worker& worker : workers_) {
    fds.push_back({stdout_.has_room() ? worker.process.stdout_fd() : -1, POLLIN, 0});
    fds.push_back({stderr_.has_room() ? worker.process.stderr_fd() : -1, POLLIN, 0});
  }
  if (poll(fds.data(), fds.size(), SleepMilliseconds()) < 0) return;  // EINTR
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (fds[3 + 2 * i].revents != 0) ReadStdout(&workers_[i]);
    if (fds[4 + 2 * i].revents != 0) ReadStderr(&workers_[i]);
  }
  if (fds[0].revents != 0) ReadSignals();
  AdvancePhase();
  stdout_.WriteSome();
  stderr_.WriteSome();
  CloseBrokenOutputs();
}

int Launcher::SleepMilliseconds() const {
  if ((phase_ != Phase::kGrace && phase_ != Phase::kTerminated) || !any_running()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(phase_end_ - Clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 3600 * 1000));
}

void Launcher::ReadSignals() {
  signalfd_siginfo info;
  bool child = false;
  while (read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
    const int signal_number = static_cast<int>(info.ssi_signo);
    if (signal_number == SIGCHLD) {
      child = true;
    } else {
      OnSignal(signal_number);
    }
  }
  if (child) ReapWorkers();
}

void Launcher::OnSignal(int signal_number) {
  if (!any_running()) {
    // Only output is left, and whoever should read it does not.
    if (signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP) give_up_output_ = true;
    return;
  }
  if (signal_number == SIGINT && interrupted_) {
    Say("second SIGINT: killing the workers");
    Enter(Phase::kKilled);
    return;
  }
  PassOn(signal_number);
  if (signal_number == SIGINT) {
    interrupted_ = true;
    Say("SIGINT passed on to the workers; a second one kills them");
  }
  // The workers are stopped; now this process, so that the shell sees the job as stopped.
  if (signal_number == SIGTSTP) raise(SIGSTOP);
}

void Launcher::PassOn(int signal_number) {
  for (const Worker& worker : workers_) worker.process.Signal(signal_number);
}

bool Launcher::ReadStdout(Worker* worker) {
  const int result = ReadLines(worker->process.stdout_fd(), &worker->stdout_lines, &stdout_);
  if (result == 0) worker->process.CloseStdout();
  return result > 0;
}

bool Launcher::ReadStderr(Worker* worker) {
  const int result = ReadLines(worker->process.stderr_fd(), &worker->stderr_lines, &stderr_);
  if (result == 0) worker->process.CloseStderr();
  return result > 0;
}

void Launcher::Drain(Worker* worker) {
  // Bounded, since a process outside the worker's group may hold the pipe and write for ever.
  for (int i = 0; i < kDrainReadsMax && worker->process.stdout_fd() >= 0 && ReadStdout(worker); ++i) {
  }
  for (int i = 0; i < kDrainReadsMax && worker->process.stderr_fd() >= 0 && ReadStderr(worker); ++i) {
  }
  worker->stdout_lines.Finish(stdout_.end());
  worker->stderr_lines.Finish(stderr_.end());
  worker->process.CloseStdout();
  worker->process.CloseStderr();
}

void Launcher::CloseBrokenOutputs() {
  for (Worker& worker : workers_) {
    if (stdout_.broken()) worker.process.CloseStdout();
    if (stderr_.broken()) worker.process.CloseStderr();
  }
}

void Launcher::ReapWorkers() {
  std::vector<std::pair<int, Ending>> failures;
  for (int rank = 0; rank < static_cast<int>(workers_.size()); ++rank) {
    const std::optional<Ending> ending = workers_[rank].process.TakeEnding();
    if (!ending.has_value()) continue;
    Drain(&workers_[rank]);
    if (ending->failed()) failures.emplace_back(rank, *ending);
  }
  // Of several that ended between two looks, one that a signal ended is more likely the cause than one that gave up.
  std::stable_partition(failures.begin(), failures.end(), [](const auto& failure) { return failure.second.by_signal; });
  if (!failures.empty()) OnFailures(failures);
  if (!any_running() && failures_.size() > 1) Say("after that: " + LaterFailures());
}

void Launcher::OnFailures(const std::vector<std::pair<int, Ending>>& failures) {
  if (start_failure_.has_value()) return;  // killed by us, because another one could not be started
  const bool first = failures_.empty();
  failures_.insert(failures_.end(), failures.begin(), failures.end());
  if (first) Say("rank " + std::to_string(failures_.front().first) + " " + failures_.front().second.Text());
  if (first && any_running() && phase_ == Phase::kRunning) Enter(Phase::kGrace);
}

std::string Launcher::LaterFailures() const {
  std::string text;
  for (size_t i = 1; i < failures_.size(); ++i) {
    text += (i == 1 ? "" : "; ") + ("rank " + std::to_string(failures_[i].first) + " ") + failures_[i].second.Text();
  }
  return text;
}

void Launcher::AdvancePhase() {
  if (!any_running() || SleepMilliseconds() != 0) return;
  Enter(phase_ == Phase::kGrace ? Phase::kTerminated : Phase::kKilled);
}

void Launcher::Enter(Phase phase) {
  phase_ = phase;
  const Clock::time_point now = Clock::now();
  if (phase == Phase::kGrace) phase_end_ = now + job_.grace;
  if (phase == Phase::kTerminated) {
    phase_end_ = now + kKillAfter;
    Say("SIGTERM to " + RunningRanks());
    PassOn(SIGTERM);
  }
  if (phase == Phase::kKilled && any_running()) {
    if (!start_failure_.has_value()) Say("SIGKILL to " + RunningRanks());
    PassOn(SIGKILL);
  }
}

bool Launcher::any_running() const {
  return std::any_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.process.running(); });
}

std::string Launcher::RunningRanks() const {
  std::string text;
  for (size_t rank = 0; rank < workers_.size(); ++rank) {
    if (workers_[rank].process.running()) text += (text.empty() ? "rank " : ", ") + std::to_string(rank);
  }
  return text;
}

void Launcher::Say(const std::string& text) {
  if (stderr_is_terminal_) stderr_.end()->append(kEraseLine);
  stderr_.end()->append("geeps run: " + text + "\n");
}

}  // namespace geeps::tool
