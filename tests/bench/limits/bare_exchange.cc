// SPDX-License-Identifier: Apache-2.0
// bare_exchange: the least that a clock of two workers of one process has to do. Two threads; each waits until both
// contributions are there, sums its half in place, and waits until the other one has summed, too. A waiting thread
// sleeps (pthread_barrier does not spin).
#include <pthread.h>

#include <thread>

#include "tests/bench/limits/sum.h"
#include "tests/bench/measure.h"

int main(int argc, char** argv) {
  const geeps_bench::Arguments arguments(argc, argv);
  const uint64_t half = arguments.values / 2;
  pthread_barrier_t barrier;
  if (pthread_barrier_init(&barrier, nullptr, 2) != 0) return 1;
  std::vector<float> values(arguments.values), contributions[2];
  for (auto& contribution : contributions) contribution.assign(arguments.values, 1.0f);
  geeps_bench::Times times[2];
  const auto run = [&](int rank) {
    geeps_bench::BindToCore(arguments.cores[static_cast<size_t>(rank)]);
    const uint64_t first = rank == 0 ? 0 : half;
    times[rank] = geeps_bench::Measure(arguments, [&] {
      pthread_barrier_wait(&barrier);
      geeps_bench::SumInPlace(half, contributions[0].data() + first, contributions[1].data() + first,
                              values.data() + first);
      pthread_barrier_wait(&barrier);
    });
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  for (const float value : {values.front(), values.back()}) {
    geeps_bench::Expect(value, 2.0f * static_cast<float>(arguments.warm_up + arguments.clocks));
  }
  times[0].seconds = std::max(times[0].seconds, times[1].seconds);
  geeps_bench::Print(arguments, times[0]);
  return 0;
}
