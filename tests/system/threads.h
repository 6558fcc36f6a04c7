// SPDX-License-Identifier: Apache-2.0
// Threads: workers of one job as threads of this process, over the C ABI. A Setup says how they meet; RunWorkers starts
// one thread for each, gives it a started runtime, and ends it: in order when its body had no complaint, else by an
// abort with the complaint. Everything has a deadline: past it the runtimes are aborted, and when even that does not
// help the process ends with a sentence. Thread contract: RunWorkers is called by one thread; a Worker belongs to its
// thread, Meet is for all of them.
#ifndef GEEPS_TESTS_SYSTEM_THREADS_H_
#define GEEPS_TESTS_SYSTEM_THREADS_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "geeps.hpp"

namespace geeps::system_test {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Setup {
  uint32_t world = 1;
  std::string transport = "inproc";
  std::string device = "host";
  Pairs more;             // further options of every runtime
  double limit_s = 60;    // for the whole job
  bool shut_down = true;  // a body without complaint is followed by a shutdown
};

// A name that no other job of this machine uses.
std::string UniqueName();
// A rendezvous for a new job over this transport.
std::string NewRendezvous(const std::string& transport);
// Options of one worker.
geeps::Options WorkerOptions(const Setup& setup, const std::string& rendezvous, uint32_t rank);

// Where the threads of one job meet without geeps.
class MeetingPoint {
 public:
  explicit MeetingPoint(uint32_t num_workers) : num_workers_(num_workers) {}
  // Waits for all; false when one has given up.
  bool Meet();
  void GiveUp();

 private:
  const uint32_t num_workers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint32_t present_ = 0;
  uint64_t round_ = 0;
  bool given_up_ = false;
};

struct Worker {
  uint32_t rank = 0;
  uint32_t world = 1;
  geeps::Runtime rt;
  geeps::Error err;
  MeetingPoint* meeting = nullptr;
  std::string note;  // what the worker does, for the sentence at a deadline

  bool Meet() { return meeting->Meet(); }
};

// What a worker has to complain about; empty: nothing. Failures of `worker.err` need not be repeated.
using Body = std::function<std::string(Worker&)>;

// All complaints, one line each, with ranks; empty when the job went well.
std::string RunWorkers(const Setup& setup, const Body& body);

// The same for threads without a runtime: body(rank) for ranks 0 .. count - 1.
std::string RunThreads(uint32_t count, double limit_s, const std::function<std::string(uint32_t)>& body);

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_THREADS_H_
