// SPDX-License-Identifier: Apache-2.0
// geeps-search: every interleaving of small worlds. Exit status 0: no violation, 1: a violation, 2: usage.
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <string>

#include "tests/sim/search.h"

namespace {

constexpr char kUsage[] =
    "usage: geeps-search [--all] [--states N] [--world TEXT]\n"
    "  --all         every world to its end, however long it takes\n"
    "  --states N    give up a world behind N states (default 40000)\n"
    "  --world TEXT  only worlds whose names contain TEXT\n";

double Seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int argc, char** argv) {
  uint64_t num_states_max = 40000;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--all") {
      num_states_max = ~uint64_t{0};
    } else if (option == "--states" && i + 1 < argc && std::sscanf(argv[i + 1], "%" SCNu64, &num_states_max) == 1) {
      ++i;
    } else if (option == "--world" && i + 1 < argc) {
      only = argv[++i];
    } else {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  uint64_t num_worlds = 0;
  uint64_t num_complete = 0;
  uint64_t num_states = 0;
  const double begun = Seconds();
  for (const geeps::sim::SearchWorld& world : geeps::sim::SearchWorlds()) {
    if (world.name.find(only) == std::string::npos) continue;
    const double world_begun = Seconds();
    const geeps::sim::SearchResult result = geeps::sim::Search(world, num_states_max);
    ++num_worlds;
    num_complete += result.complete ? 1 : 0;
    num_states += result.num_states;
    std::printf("%9" PRIu64 " states%s %5.1f s  %s\n", result.num_states, result.complete ? "" : " (not all)",
                Seconds() - world_begun, world.name.c_str());
    std::fflush(stdout);
    if (result.violation.empty()) continue;
    std::printf("violation: %s\nafter %zu steps:\n", result.violation.c_str(), result.trace.size());
    for (const std::string& line : result.trace) std::printf("  %s\n", line.c_str());
    return 1;
  }
  std::printf("%" PRIu64 " worlds, %" PRIu64 " of them to the end, %" PRIu64 " states, no violation, %.1f s\n",
              num_worlds, num_complete, num_states, Seconds() - begun);
  return 0;
}
