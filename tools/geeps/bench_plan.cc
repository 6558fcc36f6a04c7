// SPDX-License-Identifier: Apache-2.0
// `geeps bench plan`: geeps_commit of a plan whose operations list single rows at random, reads and updates by turns.
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "tools/geeps/bench_job.h"
#include "tools/geeps/bench_options.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kRunRowsMax = 4;

// xorshift64*: the same rows on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t Below(uint64_t n) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return ((state_ * 0x2545f4914f6cdd1du) >> 32) * n >> 32;  // n is at most 2^32
  }

 private:
  uint64_t state_;
};

// `count` different rows of `num_rows`, less those that would make a run longer than kRunRowsMax.
std::vector<geeps_rows> DrawRows(Random* random, uint64_t num_rows, uint64_t count) {
  std::vector<uint64_t> ids;
  while (ids.size() < count) {
    for (uint64_t missing = count - ids.size(); missing > 0; --missing) ids.push_back(random->Below(num_rows));
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  }
  std::vector<geeps_rows> runs;
  for (const uint64_t id : ids) {
    const bool touches = !runs.empty() && runs.back().first + runs.back().count == id;
    if (!touches) {
      runs.push_back(geeps_rows{id, 1});
    } else if (runs.back().count < kRunRowsMax) {
      ++runs.back().count;
    }
  }
  return runs;
}

// Bytes of this process, by the name of a line in /proc/self/status; 0 when the kernel does not say.
double StatusBytes(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name + ":", 0) == 0) return 1024.0 * std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

void ForgetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }

enum { kRecordSeconds, kCommitSeconds, kCommitCpuSeconds, kListedIds, kKeptBytes, kPeakBytes, kNumFigures };

BenchFigures RunPlan(const BenchOptions& options, BenchWorker& worker) {
  geeps::Error& err = worker.err;
  const uint64_t ids = std::max<uint64_t>(1, options.ids / options.operations);
  geeps::Table table(worker.rt, "bench", options.rows, 1, GEEPS_F32, {}, err);
  geeps::Plan plan(worker.rt, "plan", err);
  Random random(worker.rank + 1);
  BenchFigures figures(kNumFigures);
  for (uint64_t i = 0; i < options.operations && err.ok(); ++i) {
    const std::vector<geeps_rows> runs =
        DrawRows(&random, options.rows, std::min(ids, std::max<uint64_t>(1, options.rows / 2)));
    for (const geeps_rows& run : runs) figures[kListedIds] += static_cast<double>(run.count);
    geeps_op op = 0;
    const double begin_s = SecondsNow();
    if (i % 2 == 0) {
      err.Take(geeps_plan_read(plan.get(), table.get(), runs.data(), runs.size(), 0, 0, &op, err.raw()));
      plan.PostRead(op, err);
    } else {
      err.Take(geeps_plan_pre_update(plan.get(), table.get(), runs.data(), runs.size(), 0, &op, err.raw()));
      plan.Update(op, err);
    }
    figures[kRecordSeconds] += SecondsNow() - begin_s;
  }
  plan.End(0, err);
  worker.rt.Fence(err);  // all have recorded: nobody waits in the commit for somebody's recording
  malloc_trim(0);
  ForgetPeak();
  const double before_bytes = StatusBytes("VmRSS");
  const double begin_s = SecondsNow(), begin_cpu_s = CpuSeconds();
  worker.rt.Commit({plan.get()}, err);
  figures[kCommitSeconds] = SecondsNow() - begin_s;
  figures[kCommitCpuSeconds] = CpuSeconds() - begin_cpu_s;
  figures[kPeakBytes] = StatusBytes("VmHWM") - before_bytes;
  malloc_trim(0);
  figures[kKeptBytes] = StatusBytes("VmRSS") - before_bytes;
  return figures;
}

}  // namespace

std::string BenchPlan(const BenchOptions& options) {
  std::vector<BenchFigures> workers;
  BenchJob job;
  job.transport = options.transport;
  job.world = options.workers;
  const std::string problem = RunBenchJob(
      job, [&](BenchWorker& worker) { return RunPlan(options, worker); }, &workers);
  if (!problem.empty()) return problem;
  BenchFigures most(kNumFigures);
  for (const BenchFigures& worker : workers) {
    for (size_t i = 0; i < most.size(); ++i) most[i] = std::max(most[i], worker[i]);
  }
  char text[300];
  std::snprintf(text, sizeof text,
                "%u workers, %s, %llu operations that list %.0f rows of %llu: commit %.3f s, %.1f bytes of memory per "
                "row listed kept, %.1f at the peak; recording %.3f s",
                options.workers, options.transport.c_str(), static_cast<unsigned long long>(options.operations),
                most[kListedIds], static_cast<unsigned long long>(options.rows), most[kCommitSeconds],
                most[kKeptBytes] / most[kListedIds], most[kPeakBytes] / most[kListedIds], most[kRecordSeconds]);
  PrintMeasurement(options, "plan", {{"transport", options.transport}},
                   {{"workers", options.workers},
                    {"operations", static_cast<double>(options.operations)},
                    {"ids", most[kListedIds]},
                    {"rows", static_cast<double>(options.rows)},
                    {"commit_seconds", most[kCommitSeconds]},
                    {"commit_cpu_seconds", most[kCommitCpuSeconds]},
                    {"record_seconds", most[kRecordSeconds]},
                    {"kept_bytes", most[kKeptBytes]},
                    {"peak_bytes", most[kPeakBytes]}},
                   text);
  return "";
}

}  // namespace geeps::tool
