// SPDX-License-Identifier: Apache-2.0
// A Job: workers of one job as threads of this process, whose calls of geeps.h may find no memory, no descriptor or no
// thread. Each call is judged on the spot (Worker::Call): what it may return, that outputs are untouched where it
// failed, and that a worker which is not lost can repeat it.
//
// What is the test's own is Outside (tests/support/failing.h); only the calls are not.
// Thread contract: a Worker belongs to its thread; Job::Run is called by one thread.
#ifndef GEEPS_TESTS_OOM_JOB_H_
#define GEEPS_TESTS_OOM_JOB_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "geeps.h"
#include "tests/support/failing.h"

namespace geeps::oom_test {

// What is to go wrong in an attempt.
struct Fault {
  test::Resource resource = test::Resource::kMemory;
  uint64_t n = 0;  // 0: nothing
  bool lasting = false;
};

class Job;

class Worker {
 public:
  // Memory that a call writes only when it returns GEEPS_OK.
  struct Output {
    void* at;
    size_t bytes;
  };
  using Function = std::function<geeps_status(geeps_error*)>;
  using LongFunction = std::function<geeps_status(geeps_request**, geeps_error*)>;

  Worker(Job* job, uint32_t rank) : job_(job), rank_(rank) {}

  uint32_t rank() const { return rank_; }
  uint32_t world() const;
  geeps_runtime* rt() const { return rt_; }

  // geeps_runtime_create with the job's options and these.
  bool Create(std::initializer_list<geeps_kv> more);
  bool Start();
  // A call that is repeated when it failed and the worker is not lost. False: the worker cannot go on, and why is
  // noted; a second failure in an attempt in which one request fails is a complaint.
  bool Call(const char* what, const Function& call, std::initializer_list<Output> outputs = {});
  // The same with a limit of 0, asked again when the event descriptor is readable.
  bool Polled(const char* what, const Function& call, std::initializer_list<Output> outputs = {});
  // A long call: waited for in the call, or by a request with its descriptor and limits.
  bool Long(const char* what, bool by_request, const LongFunction& call);
  // A call that cannot fail, such as a destroy.
  void Do(const char* what, const std::function<void()>& call);
  // A call without a judgement.
  geeps_status Try(const char* what, const Function& call, geeps_error* err);

  // Something is wrong with what the calls have done.
  bool Complain(const std::string& text);
  // True, or a complaint.
  bool Check(bool good, const char* text) { return good || Complain(text); }

  // The worker's end: shut down in order, when its body came to its end, else as it is. Then destroyed.
  void End(bool good);
  const char* doing() const { return doing_.load(); }

 private:
  friend class Job;
  enum class Verdict { kDone, kAgain, kOver };

  Verdict Judge(const char* what, geeps_status status, const geeps_error& err);
  bool IsLost();
  void Destroy();
  void AskAfterLoss();

  Job* const job_;
  const uint32_t rank_;
  geeps_runtime* rt_ = nullptr;  // of its thread; shared with Job::Cancel under rt_mutex_
  std::mutex rt_mutex_;
  std::atomic<const char*> doing_{"nothing"};
  bool started_ = false;
  bool lost_ = false;
  uint64_t num_failures_ = 0;  // calls that were repeated
  std::string complaints_;
};

class Job {
 public:
  struct Setup {
    uint32_t world = 1;
    const char* transport = "inproc";
    const char* device = "host";
    std::string rendezvous;  // not given alone
  };
  using Body = std::function<bool(Worker&)>;  // false: it could not go on

  Job(const Setup& setup, const Fault& fault) : setup_(setup), fault_(fault) {}

  // Runs the body in each worker. Complaints, one a line; empty: all was as promised. Ends the process with a report
  // when it takes too long.
  std::string Run(const Body& body);

  const Setup& setup() const { return setup_; }
  const Fault& fault() const { return fault_; }
  // A worker could not start, so that the others would wait for it until the start limit: they are told.
  void Cancel();
  bool cancelled() const { return cancelled_.load(); }

 private:
  const Setup setup_;
  const Fault fault_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace geeps::oom_test

#endif  // GEEPS_TESTS_OOM_JOB_H_
