// SPDX-License-Identifier: Apache-2.0
// WorkerProcess: one worker as a process of its own (worker.cc), driven line by line: the test says what it calls next,
// and may kill or stop it at any moment. Each call is echoed when it begins and answered when it returns, over the two
// pipes of a Dialogue. Processes end with the test, whatever becomes of it, and are reaped by the destructor.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_SYSTEM_PROCESS_H_
#define GEEPS_TESTS_SYSTEM_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/system/threads.h"

namespace geeps::system_test {

// What a call of the worker returned.
struct Answer {
  bool arrived = false;
  int32_t status = 0;
  int32_t rank = -1;
  uint32_t flags = 0;
  uint64_t clock = 0;
  std::string message;  // the error's text
  std::string extra;    // what else the call gave

  // "status rank flags clock message": equal on all survivors.
  std::string Cause() const;
};

// Lines to somebody who answers them, in a process that this one has started.
class Dialogue {
 public:
  Dialogue();  // opens the pipes
  ~Dialogue();
  Dialogue(const Dialogue&) = delete;
  Dialogue& operator=(const Dialogue&) = delete;

  // The ends of the other side, closed on exec: the started process is to keep them, this one to close them.
  int their_input() const { return their_input_; }
  int their_output() const { return their_output_; }
  void CloseTheirs();

  // Begins a call; returns when the other side has read it. False when it is gone.
  bool Begin(const std::string& call);
  // Waits for the answer to what was begun.
  Answer End(double limit_s);
  Answer Call(const std::string& call, double limit_s = 60) { return Begin(call) ? End(limit_s) : Answer(); }
  bool ReadLine(double limit_s, std::string* line);
  // Nothing more is said: the other side reads an end of file.
  void Close();
  // Readable when the other side has said something or is gone; unless HasLine, which has been read already.
  int fd() const { return from_; }
  bool HasLine() const { return buffer_.find('\n') != std::string::npos; }

 private:
  int their_input_ = -1;
  int their_output_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string buffer_;
};

// True once the thread sleeps: in what was begun, unless it has answered instead (false) or does not sleep in time.
bool AwaitSleepOf(pid_t pid, pid_t thread, const Dialogue& dialogue, double limit_s);

class WorkerProcess {
 public:
  explicit WorkerProcess(uint32_t rank);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // As those of Dialogue.
  bool Begin(const std::string& call) { return pid_ > 0 && dialogue_.Begin(call); }
  Answer End(double limit_s) { return dialogue_.End(limit_s); }
  Answer Call(const std::string& call, double limit_s = 60) { return Begin(call) ? End(limit_s) : Answer(); }
  bool AwaitSleep(double limit_s = 10) { return AwaitSleepOf(pid_, pid_, dialogue_, limit_s); }

  void Kill();    // SIGKILL, and reaps
  void Stop();    // SIGSTOP; returns when it has stopped
  void Resume();  // SIGCONT
  // True when it ends by itself with code 0.
  bool EndsWell(double limit_s);
  uint32_t rank() const { return rank_; }

 private:
  const uint32_t rank_;
  pid_t pid_ = -1;
  Dialogue dialogue_;
};

using Processes = std::vector<std::unique_ptr<WorkerProcess>>;

// `world` processes, each with a runtime that is created but not started; over TCP. more: further options "key=value".
Processes StartProcesses(uint32_t world, const std::string& more = "");
// Every one of them begins the call, then all answers are awaited. Answers by position.
std::vector<Answer> CallAll(const Processes& processes, const std::string& call, double limit_s = 60);
// Start, the table and the plan that the tests of faults use, and the commit. Empty, or what failed.
std::string BringUp(const Processes& processes);

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_PROCESS_H_
