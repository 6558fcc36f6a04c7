// SPDX-License-Identifier: Apache-2.0
// The workers of one measurement: processes over tcp, or runtimes of this process. Each worker with all its threads
// stays on a core of its own, as far as there are cores. Called on the only thread of the process.
#ifndef GEEPS_TOOLS_GEEPS_BENCH_JOB_H_
#define GEEPS_TOOLS_GEEPS_BENCH_JOB_H_

#include <cstdint>
#include <functional>
#include <geeps.hpp>
#include <string>
#include <vector>

namespace geeps::tool {

struct BenchJob {
  std::string transport = "inproc";  // "inproc": runtimes of one process; else processes over it
  uint32_t world = 1;
  std::string device = "host";
  bool bind = true;         // each to a core
  bool in_a_child = false;  // with inproc: that process is another one than the caller's
};

struct BenchWorker {
  uint32_t rank = 0;
  uint32_t world = 1;
  geeps::Runtime rt;  // started
  geeps::Error err;
};

// What a worker has measured; the meaning of the numbers is the bench's.
using BenchFigures = std::vector<double>;

// Starts the workers, calls body(worker) in each, shuts them down. Fills *figures by rank and returns "", or returns
// what the first worker that failed has to say.
std::string RunBenchJob(const BenchJob& job, const std::function<BenchFigures(BenchWorker&)>& body,
                        std::vector<BenchFigures>* figures);

// Binds the calling thread, and those that it starts later, to the core of a rank. False when that is refused.
bool BindToRank(uint32_t rank);

double SecondsNow();                        // of a steady clock
double CpuSeconds();                        // of all threads of this process
double Median(std::vector<double> values);  // 0 of none

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_BENCH_JOB_H_
