// SPDX-License-Identifier: Apache-2.0
// `geeps bench clock` and `geeps bench rules`: whole clocks over one table.
#include <algorithm>
#include <cstdio>

#include "tools/geeps/bench_job.h"
#include "tools/geeps/bench_options.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kRowValues = 1024;

struct ClockJob {
  BenchJob job;
  std::string rule = "add";
  uint64_t bytes = 0;
  uint64_t clocks = 0;
};

// About a second of clocks where a clock is not dominated by waking up, a few hundred elsewhere.
uint64_t DefaultClocks(uint64_t bytes) { return std::clamp<uint64_t>((uint64_t{1} << 30) / bytes, 10, 1000); }

// One worker: {seconds, CPU seconds of its process}, over the measured clocks. A clock ends when the values of the next
// one are there. The updates are in place and hand back what the first clocks have written: the time to calculate an
// update is the program's.
BenchFigures RunClocks(const ClockJob& what, BenchWorker& worker) {
  const uint64_t rows = what.bytes / (kRowValues * sizeof(float));
  const uint64_t warm_up = std::max<uint64_t>(4, what.clocks / 10);  // more than there are log entries
  geeps::Error& err = worker.err;
  geeps::Table table(worker.rt, "bench", rows, kRowValues, GEEPS_F32, {{"rule", what.rule}}, err);
  uint64_t clock = 0;
  double begin_s = 0, end_s = 0, begin_cpu_s = 0, end_cpu_s = 0;
  float first = 0, last = 0;
  const auto body = [&](geeps::Walker& w) {
    geeps::Access values = w.Read(table, geeps::Rows::All(), 0);
    if (w.live()) {
      if (clock == warm_up) begin_s = SecondsNow(), begin_cpu_s = CpuSeconds();
      if (clock == warm_up + what.clocks) end_s = SecondsNow(), end_cpu_s = CpuSeconds();
      first = values.data<const float>()[0];
      last = values.data<const float>()[rows * kRowValues - 1];
    }
    w.PostRead(values);
    geeps::Access update = w.PreUpdate(table, geeps::Rows::All());
    if (w.live() && clock < warm_up) std::fill_n(update.data<float>(), rows * kRowValues, 1.0f);
    w.Update(update);
  };
  geeps::Walker walker(worker.rt, "clock", err);
  walker.Record(body);
  worker.rt.Commit({walker.plan()}, err);
  for (; clock <= warm_up + what.clocks && err.ok(); ++clock) walker.Walk(body);
  const float sum = static_cast<float>(worker.world) * static_cast<float>(warm_up + what.clocks);
  if (err.ok() && what.rule == "add" && (first != sum || last != sum)) {
    err.Fail(GEEPS_E_INTERNAL, "the values are " + std::to_string(first) + " .. " + std::to_string(last) +
                                   " where the sum of all updates is " + std::to_string(sum));
  }
  return {end_s - begin_s, end_cpu_s - begin_cpu_s};
}

struct ClockFigures {
  double seconds = 0;      // of a clock, in the slowest worker
  double cpu_seconds = 0;  // of a clock, all workers
};

std::string MeasureClock(const ClockJob& what, ClockFigures* out) {
  std::vector<BenchFigures> workers;
  const std::string problem = RunBenchJob(
      what.job, [&](BenchWorker& worker) { return RunClocks(what, worker); }, &workers);
  if (!problem.empty()) return problem;
  *out = ClockFigures();
  for (const BenchFigures& worker : workers) {
    out->seconds = std::max(out->seconds, worker[0] / static_cast<double>(what.clocks));
    // Workers of one process each have seen the CPU time of all.
    const double cpu_s = worker[1] / static_cast<double>(what.clocks);
    out->cpu_seconds = what.job.transport == "inproc" ? std::max(out->cpu_seconds, cpu_s) : out->cpu_seconds + cpu_s;
  }
  return "";
}

}  // namespace

std::string BenchClock(const BenchOptions& options) {
  for (const uint64_t bytes : options.bytes) {
    ClockJob what;
    what.job.transport = options.transport;
    what.job.world = options.workers;
    what.bytes = bytes;
    what.clocks = options.clocks != 0 ? options.clocks : DefaultClocks(bytes);
    ClockFigures figures;
    const std::string problem = MeasureClock(what, &figures);
    if (!problem.empty()) return problem;
    const double cpu_s_per_gb = figures.cpu_seconds / (static_cast<double>(bytes) * 1e-9);
    char text[200];
    std::snprintf(text, sizeof text, "%u workers, %s, %llu bytes: %.1f us per clock, %.3f CPU seconds per GB of table",
                  options.workers, options.transport.c_str(), static_cast<unsigned long long>(bytes),
                  figures.seconds * 1e6, cpu_s_per_gb);
    PrintMeasurement(options, "clock", {{"transport", options.transport}},
                     {{"workers", options.workers},
                      {"bytes", static_cast<double>(bytes)},
                      {"clocks", static_cast<double>(what.clocks)},
                      {"seconds_per_clock", figures.seconds},
                      {"cpu_seconds_per_clock", figures.cpu_seconds}},
                     text);
  }
  return "";
}

std::string BenchRules(const BenchOptions& options) {
  for (const char* rule : {"add", "replace", "sgd", "adam", "adamw", "adagrad", "rmsprop", "lamb"}) {
    for (const uint64_t bytes : options.bytes) {
      ClockJob what;
      what.rule = rule;
      what.bytes = bytes;
      what.clocks = options.clocks != 0 ? options.clocks : DefaultClocks(bytes);
      ClockFigures figures;
      const std::string problem = MeasureClock(what, &figures);
      if (!problem.empty()) return problem;
      const double values = static_cast<double>(bytes / sizeof(float));
      char text[200];
      std::snprintf(text, sizeof text, "%-8s %llu values: %.3f ns per value", rule,
                    static_cast<unsigned long long>(bytes / sizeof(float)), figures.seconds * 1e9 / values);
      PrintMeasurement(
          options, "rules", {{"rule", rule}},
          {{"values", values}, {"clocks", static_cast<double>(what.clocks)}, {"seconds_per_clock", figures.seconds}},
          text);
    }
  }
  return "";
}

}  // namespace geeps::tool
