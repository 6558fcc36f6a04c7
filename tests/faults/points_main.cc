// SPDX-License-Identifier: Apache-2.0
// fault-points: first a job without a fault counts which fault points (points.h) each of its workers passes; then jobs
// whose worker dies, or stops, at one of them. Each named point is taken once, and of those that have only a number a
// sample that the seed draws, in jobs of 2 to 5 workers; with --all every point of jobs of 2 and 3 workers, and the
// named ones of 4 and 5. Prints what was passed and what was done there; fails unless every job was as it must be.
//
// usage: fault-points [--seed N] [--all] [--one "WORLD VICTIM BLOW N POINT"]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/faults/job.h"
#include "tests/faults/trial.h"
#include "tests/system/scenario.h"

namespace geeps::fault_test {
namespace {

using system_test::Random;
using Counts = std::vector<std::map<std::string, uint64_t>>;  // [rank]

bool IsNumbered(const std::string& name) { return name == "send" || name == "sent" || name == "receive"; }
bool MayTear(const std::string& name) { return name.rfind("send", 0) == 0; }

std::vector<std::string> NamesOf(const Counts& counts) {
  std::vector<std::string> names;
  for (const auto& own : counts) {
    for (const auto& [name, count] : own) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

uint64_t CountOf(const Counts& counts, uint32_t rank, const std::string& name) {
  const auto it = counts[rank].find(name);
  return it == counts[rank].end() ? 0 : it->second;
}

TrialOptions MakeTrial(uint32_t world, uint32_t victim, Blow blow, const std::string& point, uint64_t n) {
  TrialOptions options;
  options.world = world;
  options.victim = victim;
  options.blow = blow;
  options.point = point;
  options.n = n;
  return options;
}

// Each named point of three workers, at a rank that passes it, in the first half of its times: which one is the last is
// not the same in every run. Every third gets a second blow.
void AddNamed(const Counts& counts, Random* random, std::vector<TrialOptions>* trials) {
  const uint32_t world = static_cast<uint32_t>(counts.size());
  uint64_t index = 0;
  for (const std::string& name : NamesOf(counts)) {
    if (IsNumbered(name)) continue;
    std::vector<uint32_t> ranks;
    for (uint32_t rank = 0; rank < world; ++rank) {
      if (CountOf(counts, rank, name) != 0) ranks.push_back(rank);
    }
    const uint32_t victim = ranks[random->Below(ranks.size())];
    const uint64_t n = 1 + random->Below((CountOf(counts, victim, name) + 1) / 2);
    trials->push_back(MakeTrial(world, victim, Blow::kKill, name, n));
    if (++index % 3 == 0) {
      trials->push_back(
          MakeTrial(world, victim, MayTear(name) && index % 2 == 0 ? Blow::kTear : Blow::kPause, name, n));
    }
  }
}

void AddDrawn(const std::vector<Counts>& by_world, Random* random, std::vector<TrialOptions>* trials) {
  static constexpr Blow kBlows[] = {Blow::kKill, Blow::kTear, Blow::kPause, Blow::kKill, Blow::kStop};
  for (int i = 0; i < 15; ++i) {
    const Blow blow = kBlows[i % 5];
    const Counts& counts = by_world[i % by_world.size()];
    const uint32_t world = static_cast<uint32_t>(counts.size());
    const uint32_t victim = static_cast<uint32_t>(random->Below(world));
    const char* const verbs[] = {"send", "receive", "sent"};
    const char* const verb = blow == Blow::kTear ? "send" : verbs[random->Below(3)];
    trials->push_back(MakeTrial(world, victim, blow, verb, 1 + random->Below(CountOf(counts, victim, verb))));
  }
}

void AddAll(const Counts& counts, std::vector<TrialOptions>* trials) {
  const uint32_t world = static_cast<uint32_t>(counts.size());
  for (uint32_t victim = 0; victim < world; ++victim) {
    for (const auto& [name, count] : counts[victim]) {
      if (IsNumbered(name)) {
        if (name == "sent" || world > 3) continue;  // after a send is before the next one
        for (uint64_t n = 1; n <= count; ++n) {
          trials->push_back(MakeTrial(world, victim, Blow::kKill, name, n));
          if (MayTear(name)) trials->push_back(MakeTrial(world, victim, Blow::kTear, name, n));
        }
        continue;
      }
      trials->push_back(MakeTrial(world, victim, Blow::kKill, name, 1));
      if (world > 3) continue;
      trials->push_back(MakeTrial(world, victim, Blow::kPause, name, 1));
      trials->push_back(MakeTrial(world, victim, Blow::kStop, name, 1));
    }
  }
}

std::string NameOf(const TrialOptions& options) {
  return std::to_string(options.world) + " " + std::to_string(options.victim) + " " +
         kBlowNames[static_cast<int>(options.blow)] + " " + std::to_string(options.n) + " " + options.point;
}

void PrintCounts(const Counts& counts) {
  std::printf("passed by each of %zu workers without a fault:\n", counts.size());
  for (const std::string& name : NamesOf(counts)) {
    std::printf("  %-32s", name.c_str());
    for (uint32_t rank = 0; rank < counts.size(); ++rank) {
      std::printf(" %5llu", static_cast<unsigned long long>(CountOf(counts, rank, name)));
    }
    std::printf("\n");
  }
}

int RunTrials(const std::vector<TrialOptions>& trials) {
  const Stopwatch watch;
  int hit = 0;
  int wrong = 0;
  for (const TrialOptions& options : trials) {
    const TrialResult result = RunTrial(options);
    hit += result.hit;
    wrong += !result.wrong.empty();
    std::printf("  %-42s %s%s%s\n", NameOf(options).c_str(), result.hit ? result.where.c_str() : "not met",
                result.wrong.empty() ? "" : "  WRONG: ", result.wrong.c_str());
    std::fflush(stdout);
  }
  std::printf("%zu jobs, %d met their fault, %d not, %d wrong, %.1f s\n", trials.size(), hit,
              static_cast<int>(trials.size()) - hit, wrong, watch.Seconds());
  return wrong == 0 && 2 * hit > static_cast<int>(trials.size()) ? 0 : 1;
}

bool ParseTrial(const std::string& text, TrialOptions* options) {
  std::istringstream words(text);
  std::string blow;
  words >> options->world >> options->victim >> blow >> options->n;
  std::getline(words >> std::ws, options->point);
  for (int i = 0; i < 4; ++i) {
    if (blow != kBlowNames[i]) continue;
    options->blow = static_cast<Blow>(i);
    return !options->point.empty() && options->victim < options->world;
  }
  return false;
}

int Run(uint64_t seed, bool all) {
  std::vector<Counts> by_world;
  for (uint32_t world = 2; world <= 5; ++world) {
    std::string wrong;
    by_world.push_back(CountPoints(world, &wrong));
    if (wrong.empty()) continue;
    std::printf("a job of %u workers without a fault: %s\n", world, wrong.c_str());
    return 1;
  }
  PrintCounts(by_world[1]);
  std::vector<TrialOptions> trials;
  if (all) {
    for (const Counts& counts : by_world) AddAll(counts, &trials);
  } else {
    Random random(seed);
    AddNamed(by_world[1], &random, &trials);
    AddDrawn(by_world, &random, &trials);
  }
  std::printf("seed %llu: workers, rank, fault, how many times the point was passed, point; where that was\n",
              static_cast<unsigned long long>(seed));
  return RunTrials(trials);
}

int Main(int argc, char** argv) {
  uint64_t seed = 1;
  bool all = false;
  for (int i = 1; i < argc; ++i) {
    TrialOptions one;
    if (std::strcmp(argv[i], "--all") == 0) {
      all = true;
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--one") == 0 && i + 1 < argc && ParseTrial(argv[++i], &one)) {
      return RunTrials({one});
    } else {
      std::fprintf(stderr,
                   "usage: fault-points [--seed N] [--all] [--one \"WORLD VICTIM kill|tear|pause|stop N POINT\"]\n");
      return 2;
    }
  }
  return Run(seed, all);
}

}  // namespace
}  // namespace geeps::fault_test

int main(int argc, char** argv) { return geeps::fault_test::Main(argc, argv); }
