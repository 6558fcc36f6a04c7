// SPDX-License-Identifier: Apache-2.0
// fake_contract SEEDS: the device contract on the CUDA back end and the fake driver with each of these seeds, such as
// 1-1000; prints those with which it fails, and why. Exit status 0: none.
#include <chrono>
#include <cinttypes>
#include <cstdio>

#include "tests/cuda/seed_runner.h"

int main(int argc, char** argv) {
  uint64_t first = 0, last = 0;
  if (argc != 2 || !geeps::test::ParseSeeds(argv[1], &first, &last)) {
    std::fprintf(stderr, "usage: fake_contract SEEDS, such as 1-1000 or 7\n");
    return 2;
  }
  const auto begun = std::chrono::steady_clock::now();
  uint64_t num_failed = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const std::string why = geeps::test::RunSeed(seed);
    if (why.empty()) continue;
    ++num_failed;
    std::printf("seed %" PRIu64 ": %s\n", seed, why.c_str());
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  std::printf("seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " failed, %.1f s\n", first, last, num_failed,
              seconds.count());
  return num_failed == 0 ? 0 : 1;
}
