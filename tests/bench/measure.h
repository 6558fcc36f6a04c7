// SPDX-License-Identifier: Apache-2.0
// What limits and peers measure alike: a worker on a core of its own, repeated clocks, one JSON line at the end. The
// names of the fields are those of `geeps bench clock --json`. They know nothing of geeps.
#ifndef GEEPS_TESTS_BENCH_MEASURE_H_
#define GEEPS_TESTS_BENCH_MEASURE_H_

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace geeps_bench {

// Binds the calling thread, and those that it starts later, to a core; -1: leaves it to the kernel where they run.
inline void BindToCore(int core) {
  if (core < 0) return;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<unsigned>(core), &mask);
  if (sched_setaffinity(0, sizeof mask, &mask) != 0) {
    std::perror("sched_setaffinity");
    std::exit(1);
  }
}

// "PROGRAM BYTES CLOCKS CORE0 CORE1": size of the table, clocks to measure, core of each rank
struct Arguments {
  uint64_t values = 0;  // f32 of the table
  uint64_t clocks = 0;
  uint64_t warm_up = 0;
  std::vector<int> cores;  // by rank

  Arguments(int argc, char** argv) {
    if (argc != 5) {
      std::fprintf(stderr, "usage: %s BYTES CLOCKS CORE0 CORE1\n", argv[0]);
      std::exit(2);
    }
    values = std::strtoull(argv[1], nullptr, 10) / sizeof(float);
    clocks = std::strtoull(argv[2], nullptr, 10);
    warm_up = std::max<uint64_t>(4, clocks / 10);
    cores = {std::atoi(argv[3]), std::atoi(argv[4])};
    if (values < 2 || values % 2 != 0 || clocks == 0) {
      std::fprintf(stderr, "%s: BYTES is a multiple of 8, CLOCKS is at least 1\n", argv[0]);
      std::exit(2);
    }
  }
};

inline double SecondsNow() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Times {
  double seconds = 0;      // of a clock
  double cpu_seconds = 0;  // of a clock, of this process
};

// Calls clock() for the warm-up and then for the clocks that count.
template <typename Clock>
Times Measure(const Arguments& arguments, Clock&& clock) {
  for (uint64_t i = 0; i < arguments.warm_up; ++i) clock();
  const double begin_s = SecondsNow(), begin_cpu_s = CpuSeconds();
  for (uint64_t i = 0; i < arguments.clocks; ++i) clock();
  const double clocks = static_cast<double>(arguments.clocks);
  return {(SecondsNow() - begin_s) / clocks, (CpuSeconds() - begin_cpu_s) / clocks};
}

inline void Print(const Arguments& arguments, const Times& times) {
  std::printf("{\"bytes\": %llu, \"clocks\": %llu, \"seconds_per_clock\": %.9g, \"cpu_seconds_per_clock\": %.9g}\n",
              static_cast<unsigned long long>(arguments.values * sizeof(float)),
              static_cast<unsigned long long>(arguments.clocks), times.seconds, times.cpu_seconds);
}

// Ends the program when a result is not what all contributions add up to.
inline void Expect(float value, float expected) {
  if (value == expected) return;
  std::fprintf(stderr, "the sum is %g, expected %g\n", static_cast<double>(value), static_cast<double>(expected));
  std::exit(1);
}

}  // namespace geeps_bench

#endif  // GEEPS_TESTS_BENCH_MEASURE_H_
