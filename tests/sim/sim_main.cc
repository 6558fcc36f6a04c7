// SPDX-License-Identifier: Apache-2.0
// geeps-sim: simulates seeds. Exit status 0: no violation, 1: a violation, 2: usage.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "tests/sim/membership.h"
#include "tests/sim/mutant_names.h"
#include "tests/sim/random.h"
#include "tests/sim/refusals.h"
#include "tests/sim/simulator.h"

namespace {

constexpr char kUsage[] =
    "usage: geeps-sim [--seeds A..B] [--hash] [--deep] [--verbose SEED] [--mutant NAME]\n"
    "  --seeds A..B     simulate seeds A to B (default 1..1000)\n"
    "  --hash           print the hash of each seed's trace, too: the same with every compiler\n"
    "  --deep           fail unless the seeds are as hard as docs/reliability.md says: 1,000 messages a seed, 5 % of\n"
    "                   them with 16 workers or more, 80 % with a pause or a loss\n"
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

// Of one seed, all that happens in it.
uint64_t HashOf(const geeps::sim::SeedResult& result, const geeps::sim::MembershipResult& members) {
  return geeps::sim::HashOf(result.hash, members.hash);
}

// What a number of seeds amounted to.
struct Totals {
  uint64_t seeds = 0;
  uint64_t delivered = 0;
  uint64_t events = 0;
  uint64_t reads = 0;
  uint64_t stale = 0;
  uint64_t epochs = 0;
  uint64_t large = 0;
  uint64_t paused = 0;
  uint64_t lossy = 0;
  uint64_t disturbed = 0;  // paused or lossy
  uint64_t calmed = 0;
  uint64_t inputs = 0;    // of the coordinator alone
  uint64_t verdicts = 0;  // that it gave
  geeps::sim::Hasher traces;

  void Add(const geeps::sim::SeedResult& result, const geeps::sim::MembershipResult& members) {
    ++seeds;
    inputs += members.num_inputs;
    verdicts += members.verdict ? 1 : 0;
    delivered += result.num_delivered;
    events += result.num_events;
    reads += result.num_reads;
    stale += result.num_stale_reads;
    epochs += result.num_epochs;
    large += result.world >= 16 ? 1 : 0;
    paused += result.num_pauses > 0 ? 1 : 0;
    lossy += result.loses ? 1 : 0;
    disturbed += result.num_pauses > 0 || result.loses ? 1 : 0;
    calmed += result.num_late_events > 0 ? 1 : 0;
    traces.Add(HashOf(result, members));
  }
  double PerSeed(uint64_t count) const { return static_cast<double>(count) / static_cast<double>(seeds); }
  double Percent(uint64_t count) const { return 100 * PerSeed(count); }
  bool IsDeep() const { return PerSeed(delivered) >= 1000 && Percent(large) >= 5 && Percent(disturbed) >= 80; }

  void Print(double seconds) const {
    std::printf("%" PRIu64 " seeds, no violation, %.1f s\n", seeds, seconds);
    std::printf("per seed: %.0f messages, %.0f events, %.0f reads (%.1f %% older than their clock), %.1f epochs\n",
                PerSeed(delivered), PerSeed(events), PerSeed(reads),
                reads == 0 ? 0.0 : 100.0 * static_cast<double>(stale) / static_cast<double>(reads), PerSeed(epochs));
    std::printf(
        "of the seeds: %.1f %% with 16 workers or more, %.1f %% with a pause, %.1f %% with a loss, %.1f %% with one "
        "or the other, %.1f %% with a liveness phase\n",
        Percent(large), Percent(paused), Percent(lossy), Percent(disturbed), Percent(calmed));
    std::printf("the coordinator alone: %.0f inputs a seed, %.1f %% of the seeds with a verdict\n", PerSeed(inputs),
                Percent(verdicts));
    std::printf("all %" PRIu64 " reads were right; hash of all traces %016" PRIx64 "\n", reads, traces.value());
  }
};

int RunSeeds(uint64_t first, uint64_t last, bool hashes, bool deep) {
  uint32_t num_refused = 0;
  const std::string accepted = geeps::sim::FirstAccepted(&num_refused);
  if (!accepted.empty()) {
    std::printf("accepted, although it breaks a rule: %s\n", accepted.c_str());
    return 1;
  }
  Totals totals;
  const std::clock_t begun = std::clock();
  for (uint64_t seed = first; seed <= last; ++seed) {
    const geeps::sim::SeedResult result = geeps::sim::RunSeed(seed, 0);
    const geeps::sim::MembershipResult members = geeps::sim::RunMembership(seed);
    if (hashes) std::printf("%" PRIu64 " %016" PRIx64 "\n", seed, HashOf(result, members));
    if (!members.violation.empty()) {
      std::printf("seed %" PRIu64 ", the coordinator alone: %s\n", seed, members.violation.c_str());
      return 1;
    }
    if (!result.violation.empty()) {
      std::printf("seed %" PRIu64 ": %s\nthe last events:\n", seed, result.violation.c_str());
      PrintTrace(geeps::sim::RunSeed(seed, 40));
      return 1;
    }
    totals.Add(result, members);
  }
  totals.Print(static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC);
  std::printf("%u messages that break a rule were refused\n", num_refused);
  if (!deep || totals.IsDeep()) return 0;
  std::printf(
      "these seeds are not hard enough: 1,000 messages a seed, 5 %% with 16 workers or more, 80 %% with a pause or "
      "a loss are due\n");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t first = 1;
  uint64_t last = 1000;
  bool hashes = false;
  bool deep = false;
  uint64_t verbose = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (option == "--hash") {
      hashes = true;
    } else if (option == "--deep") {
      deep = true;
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
  return verbose != 0 ? Verbose(verbose) : RunSeeds(first, last, hashes, deep);
}
