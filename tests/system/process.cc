// SPDX-License-Identifier: Apache-2.0
#include "tests/system/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace geeps::system_test {
namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point DeadlineAfter(double limit_s) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limit_s));
}

int MillisecondsTo(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left) + 1;
}

// The state letter of a thread in /proc, 0 when it is gone.
char StateOf(pid_t pid, pid_t thread) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(file, text);
  const size_t at = text.rfind(") ");
  return at == std::string::npos || at + 2 >= text.size() ? 0 : text[at + 2];
}

}  // namespace

std::string Answer::Cause() const {
  if (!arrived) return "no answer in time";
  return std::string(geeps_status_name(status)) + " rank " + std::to_string(rank) + " flags " + std::to_string(flags) +
         " clock " + std::to_string(clock) + ": " + message;
}

Dialogue::Dialogue() {
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) != 0) return;
  to_ = to[1];
  their_input_ = to[0];
  if (pipe2(from, O_CLOEXEC) != 0) return;
  from_ = from[0];
  their_output_ = from[1];
}

Dialogue::~Dialogue() {
  CloseTheirs();
  Close();
  if (from_ >= 0) close(from_);
}

void Dialogue::CloseTheirs() {
  if (their_input_ >= 0) close(their_input_);
  if (their_output_ >= 0) close(their_output_);
  their_input_ = their_output_ = -1;
}

void Dialogue::Close() {
  if (to_ >= 0) close(to_);
  to_ = -1;
}

bool Dialogue::ReadLine(double limit_s, std::string* line) {
  const Clock::time_point deadline = DeadlineAfter(limit_s);
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      *line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return true;
    }
    pollfd entry = {from_, POLLIN, 0};
    if (poll(&entry, 1, MillisecondsTo(deadline)) != 1) return false;
    char bytes[65536];
    const ssize_t n = read(from_, bytes, sizeof bytes);
    if (n <= 0) return false;
    buffer_.append(bytes, static_cast<size_t>(n));
  }
}

bool Dialogue::Begin(const std::string& call) {
  const std::string line = call + "\n";
  if (to_ < 0 || write(to_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return false;
  std::string echo;
  return ReadLine(60, &echo) && echo == "> " + call;
}

Answer Dialogue::End(double limit_s) {
  Answer answer;
  std::string line;
  if (!ReadLine(limit_s, &line) || line.rfind("= ", 0) != 0) return answer;
  std::istringstream fields(line.substr(2));
  fields >> answer.status >> answer.rank >> answer.flags >> answer.clock;
  fields.ignore(1);
  std::getline(fields, answer.message, '\t');
  std::getline(fields, answer.extra);
  answer.arrived = true;
  return answer;
}

bool AwaitSleepOf(pid_t pid, pid_t thread, const Dialogue& dialogue, double limit_s) {
  // A thread that waits for a moment elsewhere, for a lock say, sleeps, too: it must be seen asleep ten times running.
  const Clock::time_point deadline = DeadlineAfter(limit_s);
  for (int asleep = 0; Clock::now() < deadline;) {
    pollfd entry = {dialogue.fd(), POLLIN, 0};
    if (dialogue.HasLine() || poll(&entry, 1, 2) == 1) return false;
    asleep = StateOf(pid, thread) == 'S' ? asleep + 1 : 0;
    if (asleep == 10) return true;
  }
  return false;
}

WorkerProcess::WorkerProcess(uint32_t rank) : rank_(rank) {
  const std::string own_pid = std::to_string(getpid());
  pid_ = fork();
  if (pid_ == 0) {
    dup2(dialogue_.their_input(), 0);
    dup2(dialogue_.their_output(), 1);
    execl(GEEPS_TEST_WORKER, GEEPS_TEST_WORKER, own_pid.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  dialogue_.CloseTheirs();
}

WorkerProcess::~WorkerProcess() { Kill(); }

void WorkerProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void WorkerProcess::Stop() {
  if (pid_ <= 0) return;  // else all processes would stop
  kill(pid_, SIGSTOP);
  int state = 0;
  waitpid(pid_, &state, WUNTRACED);
}

void WorkerProcess::Resume() {
  if (pid_ > 0) kill(pid_, SIGCONT);
}

bool WorkerProcess::EndsWell(double limit_s) {
  if (pid_ <= 0) return false;
  dialogue_.Close();
  const Clock::time_point deadline = DeadlineAfter(limit_s);
  int state = 0;
  // Its end closes the pipe.
  std::string rest;
  while (dialogue_.ReadLine(1e-3 * MillisecondsTo(deadline), &rest)) {
  }
  pollfd entry = {dialogue_.fd(), POLLIN, 0};
  if (poll(&entry, 1, MillisecondsTo(deadline)) != 1) return false;
  if (waitpid(pid_, &state, 0) != pid_) return false;
  pid_ = -1;
  return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

Processes StartProcesses(uint32_t world, const std::string& more) {
  Processes processes;
  const std::string rendezvous = NewRendezvous("tcp");
  for (uint32_t rank = 0; rank < world; ++rank) {
    processes.push_back(std::make_unique<WorkerProcess>(rank));
    processes.back()->Call("create transport=tcp rank=" + std::to_string(rank) + " world=" + std::to_string(world) +
                           " rendezvous=" + rendezvous + (more.empty() ? "" : " " + more));
  }
  return processes;
}

std::vector<Answer> CallAll(const Processes& processes, const std::string& call, double limit_s) {
  std::vector<Answer> answers;
  for (const auto& process : processes) process->Begin(call);
  for (const auto& process : processes) answers.push_back(process->End(limit_s));
  return answers;
}

std::string BringUp(const Processes& processes) {
  for (const char* call : {"start", "table t 600 128 f64 partition_bytes=16384", "plan train t", "plan look noclock t",
                           "commit train look"}) {
    for (const Answer& answer : CallAll(processes, call)) {
      if (answer.status != GEEPS_OK || !answer.arrived) return std::string(call) + ": " + answer.Cause();
    }
  }
  return "";
}

}  // namespace geeps::system_test
