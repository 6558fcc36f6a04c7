// SPDX-License-Identifier: Apache-2.0
// geeps-sim: simulates seeds. Exit status 0: no violation, 1: a violation, 2: usage.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "tests/sim/mutant_names.h"
#include "tests/sim/simulator.h"

namespace {

constexpr char kUsage[] =
    "usage: geeps-sim [--seeds A..B] [--hash] [--verbose SEED] [--mutant NAME]\n"
    "  --seeds A..B     simulate seeds A to B (default 1..1000)\n"
    "  --hash           print the hash of each seed's trace: the same with every compiler\n"
    "  --verbose SEED   print every event of one seed\n"
    "  --mutant NAME    leave out one rule; only in a build with mutants\n";

int Usage() {
  std::fputs(kUsage, stderr);
  return 2;
}

void PrintTrace(const geeps::sim::SeedResult& result) {
  for (const std::string& line : result.trace) std::printf("  %s\n", line.c_str());
}

int Verbose(uint64_t seed) {
  const geeps::sim::SeedResult result = geeps::sim::RunSeed(seed, size_t{1} << 40);
  PrintTrace(result);
  std::printf("seed %" PRIu64 ": %u workers, %" PRIu64 " events, %" PRIu64 " messages, %s\n", seed, result.world,
              result.num_events, result.num_delivered,
              result.violation.empty() ? "no violation" : result.violation.c_str());
  return result.violation.empty() ? 0 : 1;
}

int RunSeeds(uint64_t first, uint64_t last, bool hashes) {
  uint64_t num_delivered = 0;
  uint64_t num_events = 0;
  uint64_t num_reads = 0;
  uint64_t num_stale = 0;
  uint64_t num_epochs = 0;
  uint64_t num_large = 0;
  uint64_t num_paused = 0;
  uint64_t num_calm = 0;
  const std::clock_t begun = std::clock();
  for (uint64_t seed = first; seed <= last; ++seed) {
    const geeps::sim::SeedResult result = geeps::sim::RunSeed(seed, 0);
    if (hashes) std::printf("%" PRIu64 " %016" PRIx64 "\n", seed, result.hash);
    if (!result.violation.empty()) {
      std::printf("seed %" PRIu64 ": %s\nthe last events:\n", seed, result.violation.c_str());
      PrintTrace(geeps::sim::RunSeed(seed, 40));
      return 1;
    }
    num_delivered += result.num_delivered;
    num_events += result.num_events;
    num_reads += result.num_reads;
    num_stale += result.num_stale_reads;
    num_epochs += result.num_epochs;
    num_large += result.world >= 16 ? 1 : 0;
    num_paused += result.num_pauses > 0 ? 1 : 0;
    num_calm += result.num_late_events > 0 ? 1 : 0;
  }
  const double seeds = static_cast<double>(last - first + 1);
  const double seconds = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  std::printf(
      "%.0f seeds, no violation, %.1f s; per seed %.0f messages, %.0f events, %.0f reads (%.1f %% older than their "
      "clock), %.1f epochs; "
      "%.1f %% of the seeds with 16 workers or more, %.1f %% with a pause, %.1f %% with a liveness phase\n",
      seeds, seconds, static_cast<double>(num_delivered) / seeds, static_cast<double>(num_events) / seeds,
      static_cast<double>(num_reads) / seeds,
      num_reads == 0 ? 0.0 : 100.0 * static_cast<double>(num_stale) / static_cast<double>(num_reads),
      static_cast<double>(num_epochs) / seeds, 100.0 * static_cast<double>(num_large) / seeds,
      100.0 * static_cast<double>(num_paused) / seeds, 100.0 * static_cast<double>(num_calm) / seeds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t first = 1;
  uint64_t last = 1000;
  bool hashes = false;
  uint64_t verbose = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (option == "--hash") {
      hashes = true;
    } else if (option == "--seeds" && value != nullptr &&
               std::sscanf(value, "%" SCNu64 "..%" SCNu64, &first, &last) == 2) {
      ++i;
    } else if (option == "--verbose" && value != nullptr && std::sscanf(value, "%" SCNu64, &verbose) == 1) {
      ++i;
    } else if (option == "--mutant" && value != nullptr && geeps::sim::SetMutant(value)) {
      ++i;
    } else {
      return Usage();
    }
  }
  if (last < first) return Usage();
  return verbose != 0 ? Verbose(verbose) : RunSeeds(first, last, hashes);
}
