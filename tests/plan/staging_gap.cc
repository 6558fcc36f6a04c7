// SPDX-License-Identifier: Apache-2.0
// How far the planner of staging is from the best schedule of small drawn problems, all of whose schedules are tried,
// and whether it is ever worse than the paper's rule. Exit code 1: it is, a plan is wrong, or fewer than 99.5 % are the
// best.
//
// usage: staging-gap FIRST LAST [MAX_OPS MAX_ITEMS MAX_SCHEDULES]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "tests/plan/staging_reference.h"

using geeps::plan::StagingProblem;

namespace {

struct Gaps {
  std::vector<double> gaps;
  uint64_t worst_seed = 0;
  double worst = -1;
  uint64_t skipped = 0;  // too many schedules
  uint64_t wrong = 0;    // refused, or faster than possible
  uint64_t worse_than_paper = 0;
};

void Measure(uint64_t seed, const StagingProblem& problem, uint64_t max_schedules, Gaps* gaps) {
  uint64_t tried = 0;
  const std::optional<uint64_t> shortest = geeps::test::ShortestPassNs(problem, max_schedules, &tried);
  if (!shortest) {
    ++gaps->skipped;
    return;
  }
  const auto schedule = geeps::plan::StageData(problem);
  if (!schedule.ok()) {
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), schedule.status().ToString().c_str());
    ++gaps->wrong;
    return;
  }
  const uint64_t pass_ns = geeps::plan::TimeStaging(problem, *schedule)->pass_ns;
  const auto paper = geeps::plan::TimeStaging(problem, geeps::test::PaperStaging(problem));
  if (paper.ok() && paper->pass_ns < pass_ns) ++gaps->worse_than_paper;
  if (pass_ns < *shortest || geeps::plan::BoundStaging(problem) > *shortest) {
    std::printf("seed %llu: planned %llu ns, shortest %llu ns, bound %llu ns\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(pass_ns), static_cast<unsigned long long>(*shortest),
                static_cast<unsigned long long>(geeps::plan::BoundStaging(problem)));
    ++gaps->wrong;
  }
  const double gap = static_cast<double>(pass_ns) / static_cast<double>(*shortest) - 1;
  gaps->gaps.push_back(gap);
  if (gap > gaps->worst) {
    gaps->worst = gap;
    gaps->worst_seed = seed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 6) {
    std::fprintf(stderr, "usage: staging-gap FIRST LAST [MAX_OPS MAX_ITEMS MAX_SCHEDULES]\n");
    return 2;
  }
  const uint64_t first = std::strtoull(argv[1], nullptr, 10);
  const uint64_t last = std::strtoull(argv[2], nullptr, 10);
  const uint32_t max_ops = argc == 6 ? static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10)) : 7;
  const uint32_t max_items = argc == 6 ? static_cast<uint32_t>(std::strtoul(argv[4], nullptr, 10)) : 5;
  const uint64_t max_schedules = argc == 6 ? std::strtoull(argv[5], nullptr, 10) : 3000;
  if (max_ops < 3 || max_items < 2) {
    std::fprintf(stderr, "staging-gap: MAX_OPS is at least 3, MAX_ITEMS at least 2\n");
    return 2;
  }
  Gaps gaps;
  for (uint64_t seed = first; seed <= last; ++seed) {
    Measure(seed, geeps::test::DrawStaging(seed, max_ops, max_items), max_schedules, &gaps);
    if (seed % 100 == 0) std::fprintf(stderr, "\rseed %llu", static_cast<unsigned long long>(seed));
  }
  std::fprintf(stderr, "\r");
  if (gaps.gaps.empty()) {
    std::printf("no problem of these seeds has as few as %llu schedules\n",
                static_cast<unsigned long long>(max_schedules));
    return 1;
  }
  std::sort(gaps.gaps.begin(), gaps.gaps.end());
  double sum = 0;
  for (double gap : gaps.gaps) sum += gap;
  const size_t exact =
      static_cast<size_t>(std::upper_bound(gaps.gaps.begin(), gaps.gaps.end(), 0.0) - gaps.gaps.begin());
  std::printf("%zu problems (%llu more have over %llu schedules); the best schedule for %zu of them\n",
              gaps.gaps.size(), static_cast<unsigned long long>(gaps.skipped),
              static_cast<unsigned long long>(max_schedules), exact);
  std::printf("above the best: mean %.4f %%, 99th percentile %.3f %%, worst %.2f %% (seed %llu)\n",
              100 * sum / static_cast<double>(gaps.gaps.size()), 100 * gaps.gaps[gaps.gaps.size() * 99 / 100],
              100 * gaps.worst, static_cast<unsigned long long>(gaps.worst_seed));
  std::printf("worse than the paper's rule: %llu; wrong: %llu\n",
              static_cast<unsigned long long>(gaps.worse_than_paper), static_cast<unsigned long long>(gaps.wrong));
  if (1000 * exact < 995 * gaps.gaps.size()) {
    std::printf("fewer than 99.5 %% have the best schedule\n");
    return 1;
  }
  return gaps.wrong != 0 || gaps.worse_than_paper != 0 ? 1 : 0;
}
