// SPDX-License-Identifier: Apache-2.0
// geeps-mutants: leaves out one rule of the protocol after the other and looks who notices: simulator, exhaustive
// search, messages that must be refused. Exit status 0: every mutant was found, 1: one survived, 2: usage. Each mutant
// runs in a process of its own, for a broken machine may end it.
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/sim/membership.h"
#include "tests/sim/mutant_names.h"
#include "tests/sim/refusals.h"
#include "tests/sim/search.h"
#include "tests/sim/simulator.h"

namespace {

constexpr char kUsage[] =
    "usage: geeps-mutants [--seeds N] [--states N] [--mutant NAME] [--all]\n"
    "  --seeds N      seeds simulated for a mutant before the simulator gives up (default 1000)\n"
    "  --states N     states of each world searched (default 8000)\n"
    "  --mutant NAME  only this one\n"
    "  --all          every way of finding it, also when one has found it\n";

// What a mutant's process may take.
constexpr unsigned kSecondsMax = 120;

struct Effort {
  uint64_t num_seeds = 1000;
  uint64_t num_states = 8000;
};

std::string Cut(const std::string& text) { return text.size() <= 110 ? text : text.substr(0, 110) + " ..."; }

// The first seed that finds the mutant, as a line; empty when none does.
std::string BySimulator(const Effort& effort) {
  for (uint64_t seed = 1; seed <= effort.num_seeds; ++seed) {
    const geeps::sim::SeedResult result = geeps::sim::RunSeed(seed, 0);
    if (!result.violation.empty()) return absl::StrCat("seed ", seed, ": ", Cut(result.violation));
    const geeps::sim::MembershipResult members = geeps::sim::RunMembership(seed);
    if (!members.violation.empty()) return absl::StrCat("seed ", seed, ": ", Cut(members.violation));
  }
  return "";
}

std::string BySearch(const Effort& effort) {
  for (const geeps::sim::SearchWorld& world : geeps::sim::SearchWorlds()) {
    const geeps::sim::SearchResult result = geeps::sim::Search(world, effort.num_states);
    if (!result.violation.empty()) {
      return absl::StrCat("world '", world.name, "', ", result.trace.size(), " steps: ", Cut(result.violation));
    }
  }
  return "";
}

std::string ByRefusals(const Effort& /*effort*/) {
  uint32_t num_refused = 0;
  const std::string accepted = geeps::sim::FirstAccepted(&num_refused);
  return accepted.empty() ? "" : absl::StrCat("accepted: ", accepted);
}

// Runs one way of finding the current mutant in a child. True when it was found.
bool Found(const char* way, std::string (*find)(const Effort&), const Effort& effort) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    alarm(kSecondsMax);
    const std::string line = find(effort);
    std::printf("  %-9s  %s\n", way, line.empty() ? "-" : line.c_str());
    std::fflush(stdout);
    _exit(line.empty() ? 0 : 1);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return false;
  if (WIFSIGNALED(status)) {
    const bool timeout = WTERMSIG(status) == SIGALRM;
    std::printf("  %-9s  %s (signal %d)\n", way, timeout ? "not within its time" : "a machine's own check",
                WTERMSIG(status));
    return !timeout;
  }
  return WEXITSTATUS(status) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  Effort effort;
  std::string only;
  bool all = false;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (option == "--seeds" && value != nullptr && std::sscanf(value, "%" SCNu64, &effort.num_seeds) == 1) {
      ++i;
    } else if (option == "--states" && value != nullptr && std::sscanf(value, "%" SCNu64, &effort.num_states) == 1) {
      ++i;
    } else if (option == "--mutant" && value != nullptr && geeps::sim::SetMutant(value)) {
      only = value;
      ++i;
    } else if (option == "--all") {
      all = true;
    } else {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  uint32_t num_mutants = 0;
  uint32_t num_simulated = 0;
  uint32_t num_searched = 0;
  uint32_t num_refused = 0;
  uint32_t num_survived = 0;
  for (uint32_t i = 0; i < geeps::sim::NumMutants(); ++i) {
    const char* name = geeps::sim::MutantName(i);
    if (!only.empty() && only != name) continue;
    geeps::sim::SetMutant(name);
    std::printf("%s\n", name);
    const bool simulated = Found("simulator", BySimulator, effort);
    const bool refused = (all || !simulated) && Found("refusals", ByRefusals, effort);
    const bool searched = (all || (!simulated && !refused)) && Found("search", BySearch, effort);
    ++num_mutants;
    num_simulated += simulated ? 1 : 0;
    num_searched += searched ? 1 : 0;
    num_refused += refused ? 1 : 0;
    if (simulated || searched || refused) continue;
    ++num_survived;
    std::printf("  SURVIVED\n");
  }
  std::printf(
      "%u mutants: %u found by the simulator, %u by the search, %u by messages that must be refused; %u survived\n",
      num_mutants, num_simulated, num_searched, num_refused, num_survived);
  return num_survived == 0 && num_mutants > 0 ? 0 : 1;
}
