// SPDX-License-Identifier: Apache-2.0
// The sections of `geeps bench gpu`, and how they measure: every figure beside its limit in the same run, the variants
// of a comparison taking turns, the median of all samples. Each section runs in a process of its own, which is the
// first to use the device: a failure ends that section alone, and what a child of fork may not do with a driver is not
// done. Thread contract: one thread.
#ifndef GEEPS_TOOLS_GEEPS_BENCH_GPU_H_
#define GEEPS_TOOLS_GEEPS_BENCH_GPU_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tools/geeps/bench_gpu_device.h"
#include "tools/geeps/bench_options.h"

namespace geeps::tool {

// What a section comes to: nothing to say, or a reason. Failures that go back to a device or memory that is not there
// are no failures of the bench.
struct GpuOutcome {
  enum Kind { kMeasured, kNotMeasured, kFailed } kind = kMeasured;
  std::string reason;
};
// The first failure of a section's calls.
GpuOutcome OutcomeOf(const geeps::Error& err);
GpuOutcome OutcomeOf(const std::string& problem);  // of RunBenchJob
// What was calculated is not what it must be.
GpuOutcome WrongResult(const std::string& what, double found, double expected);

// One way to do something. `work` puts it into the stream of the device, or does it and waits.
struct GpuVariant {
  std::function<void()> work;
  uint64_t repeats = 1;         // of work in a sample
  uint64_t calls = 0;           // of work in all
  std::vector<double> seconds;  // of one work, by sample
  double spent_s = 0;           // with all of it
  double median() const;
};

// Warms up, chooses repeats so that a sample takes options.sample_us or more, and takes the samples, the variants by
// turns.
void TakeSamples(GpuDevice* gpu, const BenchOptions& options, const std::vector<GpuVariant*>& variants);

// Bytes per second in 1e9.
inline double GigaPerSecond(double bytes, double seconds) { return seconds > 0 ? bytes / seconds * 1e-9 : 0; }

// Prints "section: not measured: reason".
void PrintNotMeasured(const BenchOptions& options, const std::string& section, const std::string& what,
                      const std::string& reason);
// Prints one measurement of a section.
void PrintGpu(const BenchOptions& options, const std::string& section, const std::string& what,
              const BenchFields& fields, const std::string& text);
// "1.5 GiB", "256 MiB", "512 B".
std::string BytesText(double bytes);

// The gradient in every step of the checked rules: each of its bytes is kGradientByte. sgd's parameters, and a value
// after so many steps from 0 (docs/rules.md).
constexpr float kGradient = 0x1.7e7e7ep-1f;
constexpr uint8_t kGradientByte = 0x3f;
constexpr double kRate = 0.001, kMomentum = 0.9;
float MomentumAfter(uint64_t steps);

// Arrays, buffers and tables other than the one of `moves` have this size.
uint64_t WorkingBytes(const BenchOptions& options);

GpuOutcome BenchGpuDeviceFacts(const BenchOptions& options);
GpuOutcome BenchGpuMoves(const BenchOptions& options);    // random rows beside a copy
GpuOutcome BenchGpuRules(const BenchOptions& options);    // fused rules beside separate passes and a copy
GpuOutcome BenchGpuTables(const BenchOptions& options);   // a read in place; many small tables
GpuOutcome BenchGpuStep(const BenchOptions& options);     // tables beside plain buffers, and where tables may lie
GpuOutcome BenchGpuWorkers(const BenchOptions& options);  // two workers on one device

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_BENCH_GPU_H_
