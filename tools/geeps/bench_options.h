// SPDX-License-Identifier: Apache-2.0
// The command line of `geeps bench` and its output: a line for people, or one JSON object a line.
#ifndef GEEPS_TOOLS_GEEPS_BENCH_OPTIONS_H_
#define GEEPS_TOOLS_GEEPS_BENCH_OPTIONS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace geeps::tool {

struct BenchOptions {
  std::string transport = "tcp";
  uint32_t workers = 2;
  std::vector<uint64_t> bytes = {4096, 409600, uint64_t{4} << 20, uint64_t{64} << 20};  // of the table, by measurement
  uint64_t clocks = 0;                                                                  // 0: by size
  uint64_t passes = 200;
  uint64_t operations = 1000;
  uint64_t ids = 10000000;
  uint64_t rows = 10000000;
  bool json = false;
  // gpu
  std::string device = "cuda";
  uint64_t gpu_bytes = uint64_t{8} << 30;  // of the table of `moves`; everything else follows from it
  uint64_t samples = 9;
  uint64_t sample_us = 5000;
  uint64_t tables = 1000;
  uint64_t work = 150;
  std::vector<std::string> sections;  // none: all
};

using BenchFields = std::vector<std::pair<std::string, double>>;

// Prints one measurement: `text`, or with --json {"bench": name, labels.., fields..}, where labels are texts.
void PrintMeasurement(const BenchOptions& options, const std::string& name,
                      const std::vector<std::pair<std::string, std::string>>& labels, const BenchFields& fields,
                      const std::string& text);

// The benches. Each prints its measurements as they come and returns "" or what went wrong.
std::string BenchClock(const BenchOptions& options);
std::string BenchAccess(const BenchOptions& options);
std::string BenchPlan(const BenchOptions& options);
std::string BenchRules(const BenchOptions& options);
std::string BenchGpu(const BenchOptions& options);

// The sections of BenchGpu.
bool IsGpuSection(const std::string& name);
std::string GpuSectionNames();  // separated by commas

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_BENCH_OPTIONS_H_
