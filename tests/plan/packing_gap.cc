// SPDX-License-Identifier: Apache-2.0
// How far packings are from the smallest one: packing-gap FIRST LAST [--all]
// Draws a small problem for each seed, finds the smallest packing of all, and prints how many more bytes PackBlocks
// needs; --all: each seed that is above. Exit code 1 when fewer than 99 % are the smallest, or one is none.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "tests/plan/packing_reference.h"

int main(int argc, char** argv) {
  using namespace geeps::test;
  if (argc < 3) {
    std::fprintf(stderr, "usage: packing-gap FIRST LAST [--all]\nexample: packing-gap 1 2000\n");
    return 2;
  }
  const uint64_t first = std::strtoull(argv[1], nullptr, 10);
  const uint64_t last = std::strtoull(argv[2], nullptr, 10);
  const bool all = argc > 3 && std::strcmp(argv[3], "--all") == 0;
  uint64_t num = 0, num_best = 0, num_wrong = 0, num_above_peak = 0, worst_seed = 0;
  double sum = 0, worst = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const geeps::plan::PackingProblem problem = DrawPacking(seed, 8, 8, 6);
    const std::optional<uint64_t> fewest = FewestBytes(problem, 2000000);
    if (!fewest.has_value()) continue;
    const geeps::plan::Packing packing = geeps::plan::PackBlocks(problem, 0);
    const std::string wrong = Judge(problem, packing);
    if (!wrong.empty() || packing.bytes < *fewest) {
      std::printf("seed %llu is wrong: %s\n", static_cast<unsigned long long>(seed), wrong.c_str());
      ++num_wrong;
      continue;
    }
    const double gap = 100 * (static_cast<double>(packing.bytes) / static_cast<double>(*fewest) - 1);
    if (all && gap > 0) std::printf("seed %llu: %.2f %%\n", static_cast<unsigned long long>(seed), gap);
    ++num;
    num_best += gap == 0;
    num_above_peak += *fewest > geeps::plan::PeakBytes(problem);
    sum += gap;
    if (gap > worst) worst = gap, worst_seed = seed;
  }
  std::printf(
      "%llu problems, %llu of them small enough for all packings: the smallest one for %llu, mean gap %.4f %%, worst "
      "%.2f %% (seed %llu)\nthe smallest packing is above the peak of held bytes for %llu\n",
      static_cast<unsigned long long>(last - first + 1), static_cast<unsigned long long>(num),
      static_cast<unsigned long long>(num_best), num == 0 ? 0 : sum / static_cast<double>(num), worst,
      static_cast<unsigned long long>(worst_seed), static_cast<unsigned long long>(num_above_peak));
  return num_wrong == 0 && num > 0 && num_best * 100 >= num * 99 ? 0 : 1;
}
