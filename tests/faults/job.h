// SPDX-License-Identifier: Apache-2.0
// Job: workers of one job as processes that can be made to fail (fault_worker.cc): over tcp a process for each worker,
// in process all as threads of one. A worker is spoken to by its rank; its process, by its host. Whatever becomes of a
// job, no process of it outlives the object. Judgements are texts: empty when all is as promised, else what is not.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_FAULTS_JOB_H_
#define GEEPS_TESTS_FAULTS_JOB_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/system/process.h"

namespace geeps::fault_test {

using system_test::Answer;
using system_test::Dialogue;

// Ten times what is promised: a loss is known a quarter of a second after a death, or after the heartbeat limit.
inline constexpr double kKillLimit_s = 2.5;
inline constexpr int kHeartbeat_ms = 1000;
inline constexpr double kSilenceLimit_s = 10 * (kHeartbeat_ms * 1e-3 + 0.25);
inline constexpr double kCallLimit_s = 20;  // of what is not about a loss: ends in milliseconds

class Stopwatch {
 public:
  double Seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// A process of `num_workers` workers.
class Host {
 public:
  explicit Host(uint32_t num_workers);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  pid_t pid() const { return pid_; }
  Dialogue& own() { return *own_; }
  Dialogue& worker(uint32_t index) { return *workers_[index]; }
  bool AwaitSleep(uint32_t index, double limit_s);
  // What it has passed so far (points.h): name -> count.
  std::map<std::string, uint64_t> PassedPoints();

  void Kill();    // SIGKILL, and reaps
  void Stop();    // SIGSTOP; returns when it has stopped
  void Resume();  // SIGCONT
  bool IsStopped() const;
  // Waits until it has died or stopped by itself; its state as waitpid gives it, or -1. A dead one is reaped.
  int AwaitChange(double limit_s);
  // Ends its conversations, waits for its end; empty when that is exit code 0.
  std::string EndWell(double limit_s);

 private:
  pid_t pid_ = -1;
  std::unique_ptr<Dialogue> own_;
  std::vector<std::unique_ptr<Dialogue>> workers_;
};

struct JobOptions {
  uint32_t world = 3;
  bool in_process = false;
  std::string more;  // further options "key=value"
};

class Job {
 public:
  explicit Job(const JobOptions& options);

  uint32_t world() const { return options_.world; }
  bool in_process() const { return options_.in_process; }
  Host& host(uint32_t rank) { return *hosts_[in_process() ? 0 : rank]; }
  Dialogue& worker(uint32_t rank) { return host(rank).worker(in_process() ? rank : 0); }
  size_t num_hosts() const { return hosts_.size(); }
  Host& host_at(size_t index) { return *hosts_[index]; }
  // A new process in place of one, which is killed if it is still there. tcp only.
  void Replace(uint32_t rank);

  // The call that makes a worker's runtime. A new rendezvous belongs to each round of a job.
  void NewRound();
  std::string CreateCall(uint32_t rank) const;

  bool Begin(uint32_t rank, const std::string& call) { return worker(rank).Begin(call); }
  Answer End(uint32_t rank, double limit_s) { return worker(rank).End(limit_s); }
  Answer Call(uint32_t rank, const std::string& call, double limit_s = kCallLimit_s) {
    return worker(rank).Call(call, limit_s);
  }
  bool AwaitSleep(uint32_t rank) { return host(rank).AwaitSleep(in_process() ? rank : 0, 10); }

  // All begin the call, then all must answer GEEPS_OK.
  std::string CallAll(const std::string& call, double limit_s = kCallLimit_s);
  // The same for those ranks.
  std::string CallSome(const std::vector<uint32_t>& ranks, const std::string& call, double limit_s = kCallLimit_s);
  // Each makes a runtime. The first one leaves what a process keeps for good, such as loaded modules, and is destroyed
  // at once; what the process has then is remembered for CheckNothingLeft.
  std::string Create();

  // Of workers whose runtimes are destroyed: descriptors and threads are as many as before Create.
  std::string CheckNothingLeft(const std::vector<uint32_t>& ranks);
  // Each of these processes runs a small job by itself, then ends well.
  std::string CheckAlive(const std::vector<uint32_t>& ranks);

 private:
  const JobOptions options_;
  std::string rendezvous_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::string> counts_;  // by host
};

// What all survivors of a loss must say.
struct Loss {
  uint32_t victim = 0;
  double limit_s = kKillLimit_s;
  bool clock_may_differ = false;  // the coordinator is lost: each names the last clock that it has heard itself
};

// Of one answer: GEEPS_E_PEER_LOST with the rank, latched, rank and clock in the sentence.
std::string CheckLossAnswer(const Answer& answer, const Loss& loss);
// Of all answers: the same words. loss.clock_may_differ: but for numbers of clocks.
std::string CheckSameCause(const std::vector<Answer>& answers, const Loss& loss);
// Every function of each of these workers says what it has answered. answers: by position in ranks.
std::string CheckEveryCall(Job* job, const std::vector<uint32_t>& ranks, const std::vector<Answer>& answers);

// What a process holds.
struct Heap {
  int64_t blocks = 0;    // that geeps has allocated
  int64_t resident = 0;  // bytes of the whole process, after giving back what is free
};
Heap HeapOf(Job* job, uint32_t rank);

// Sanitizers keep what is freed for a while: resident says nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kOwnAllocator = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kOwnAllocator = true;
#else
inline constexpr bool kOwnAllocator = false;
#endif
#else
inline constexpr bool kOwnAllocator = false;
#endif

// Paths of files that the process has open or maps for others to see: what might stay behind when it is killed.
std::vector<std::string> FilesOf(pid_t pid);

}  // namespace geeps::fault_test

#endif  // GEEPS_TESTS_FAULTS_JOB_H_
