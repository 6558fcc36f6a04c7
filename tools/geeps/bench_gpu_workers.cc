// SPDX-License-Identifier: Apache-2.0
// `geeps bench gpu`, workers: a clock of a table that two workers on one device read and update whole, as threads of
// one process and as two processes, beside one worker alone. The jobs take turns, each in processes of its own.
#include <algorithm>
#include <cstdio>

#include "tools/geeps/bench_gpu_runtime.h"
#include "tools/geeps/bench_job.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kRowValues = 1024;
constexpr uint64_t kWindows = 3;  // samples of one job
constexpr uint64_t kDefaultClocks = 50;
constexpr uint64_t kWarmUpClocks = 4;  // more than there are log entries

struct WorkersJob {
  const BenchOptions* options;
  uint64_t bytes, clocks;  // of the table; of a sample
};

// One worker: the seconds of a clock, by sample.
BenchFigures RunWorker(const WorkersJob& job, BenchWorker& worker) {
  geeps::Error& err = worker.err;
  GpuDevice gpu(job.options->device, &err);
  const uint64_t rows = job.bytes / (kRowValues * sizeof(float));
  float* const gradient = gpu.Floats(rows * kRowValues);
  gpu.Fill(gradient, kGradientByte, job.bytes);
  gpu.Finish();
  geeps::Table table(worker.rt, "shared", rows, kRowValues, GEEPS_F32, {{"rule", "replace"}, {"reduce", "mean"}}, err);
  geeps::Walker walker(worker.rt, "clock", err);
  UseStream(&gpu, &walker);
  const auto body = [&](geeps::Walker& w) {
    w.PostRead(w.Read(table, geeps::Rows::All(), 0));
    const geeps::Access update = w.PreUpdate(table, geeps::Rows::All());
    if (w.live()) {
      gpu.Copy(update.data<void>(), gradient, job.bytes);
      FinishUnlessShared(&gpu);
    }
    w.Update(update);
  };
  walker.Record(body);
  worker.rt.Commit({walker.plan()}, err);
  BenchFigures seconds;
  for (uint64_t window = 0; window <= kWindows && err.ok(); ++window) {
    const uint64_t clocks = window == 0 ? kWarmUpClocks : job.clocks;
    gpu.Finish();
    const double begin_s = SecondsNow();
    for (uint64_t clock = 0; clock < clocks && err.ok(); ++clock) walker.Walk(body);
    gpu.Finish();
    if (window > 0) seconds.push_back((SecondsNow() - begin_s) / static_cast<double>(clocks));
  }
  // The mean of what all have written is what each has.
  const GpuOutcome outcome = CheckRow(table, rows - 1, kRowValues, kGradient, "the table of the workers", err);
  if (outcome.kind != GpuOutcome::kMeasured) err.Fail(GEEPS_E_INTERNAL, outcome.reason);
  worker.rt.Fence(err);
  return seconds;
}

struct Way {
  const char* name;
  const char* transport;
  uint32_t world;
  std::vector<double> seconds;  // of a clock in the slowest worker, by sample
};

std::string RunOnce(const WorkersJob& job, Way* way) {
  BenchJob bench_job;
  bench_job.transport = way->transport;
  bench_job.world = way->world;
  bench_job.device = job.options->device;
  bench_job.bind = false;
  bench_job.in_a_child = true;
  std::vector<BenchFigures> workers;
  const std::string problem = RunBenchJob(
      bench_job, [&](BenchWorker& worker) { return RunWorker(job, worker); }, &workers);
  if (!problem.empty()) return problem;
  for (uint64_t window = 0; window < kWindows; ++window) {
    double slowest = 0;
    for (const BenchFigures& worker : workers) slowest = std::max(slowest, worker[window]);
    way->seconds.push_back(slowest);
  }
  return "";
}

}  // namespace

GpuOutcome BenchGpuWorkers(const BenchOptions& options) {
  const WorkersJob job = {&options, std::max<uint64_t>(WorkingBytes(options) / 4 / 4096 * 4096, 4096),
                          options.clocks != 0 ? options.clocks : kDefaultClocks};
  Way ways[] = {{"one worker", "inproc", 1, {}},
                {"two workers in one process", "inproc", 2, {}},
                {"two processes over tcp", "tcp", 2, {}}};
  const uint64_t rounds = (options.samples + kWindows - 1) / kWindows;
  for (uint64_t round = 0; round < rounds; ++round) {
    for (Way& way : ways) {
      const std::string problem = RunOnce(job, &way);
      if (!problem.empty()) return OutcomeOf(std::string(way.name) + ": " + problem);
    }
  }
  for (const Way& way : ways) {
    const double seconds = Median(way.seconds), alone = Median(ways[0].seconds);
    char text[300];
    std::snprintf(text, sizeof text, "%s, one device, a table of %s: %.1f us per clock, %.2f times one worker's",
                  way.name, BytesText(static_cast<double>(job.bytes)).c_str(), seconds * 1e6,
                  alone > 0 ? seconds / alone : 0);
    PrintGpu(options, "workers", way.name,
             {{"workers", way.world},
              {"bytes", static_cast<double>(job.bytes)},
              {"clocks", static_cast<double>(job.clocks)},
              {"seconds_per_clock", seconds},
              {"times_one_worker", alone > 0 ? seconds / alone : 0}},
             text);
  }
  return {};
}

}  // namespace geeps::tool
