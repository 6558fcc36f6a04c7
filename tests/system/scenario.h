// SPDX-License-Identifier: Apache-2.0
// Scenario: a whole small training job drawn from a seed: tables of any mode and rule, each worker's plans with any row
// sets and any order of calls, which plan each worker walks in which clock, what it leaves out, a second commit in the
// middle, fences, rows that are set and read outside plans. WalkScenario lets one worker live it over the C ABI and
// compares every read with what it may show (scenario_expect.h), which follows from the scenario alone.
// Thread contract: a Scenario is constant once made; WalkScenario runs in one thread for each worker.
#ifndef GEEPS_TESTS_SYSTEM_SCENARIO_H_
#define GEEPS_TESTS_SYSTEM_SCENARIO_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/system/reference.h"
#include "tests/system/threads.h"

namespace geeps::system_test {

// Numbers from a seed, the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint64_t Next();
  uint64_t Below(uint64_t n) { return Next() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

struct OpSpec {
  bool is_update = false;  // else a read
  uint32_t table = 0;
  std::vector<geeps_rows> rows;
  uint32_t slack = 0;
  uint32_t flags = 0;
};

struct StepSpec {
  uint32_t op = 0;
  bool end = false;
};

struct PlanSpec {
  std::string name;
  bool no_clock = false;
  std::vector<OpSpec> ops;
  std::vector<StepSpec> steps;
};

enum class Leave : uint8_t { kNothing, kFirstCall, kSecondCall };

// A get before a pass.
struct GetSpec {
  uint32_t table = 0;
  std::vector<geeps_rows> rows;
  uint64_t min_age = 0;
  bool beside = false;  // the pass goes on meanwhile
};

struct PassSpec {
  uint32_t plan = 0;
  uint64_t clock = 0;
  std::vector<Leave> leave;  // by operation
  bool ends_early = false;   // a plan without clock: as soon as nothing is open
  std::vector<GetSpec> gets;
};

// Rows set before a commit or a fence.
struct SetSpec {
  uint32_t table = 0;
  std::vector<geeps_rows> rows;
  bool keep_state = false;
};

// From one commit or fence to the next.
struct PhaseSpec {
  bool by_fence = false;  // begun by a fence: with the plans of the phase before
  uint64_t first_clock = 0;
  uint64_t end_clock = 0;
  std::vector<std::vector<SetSpec>> sets;     // [rank]
  std::vector<std::vector<PlanSpec>> plans;   // [rank][plan]
  std::vector<std::vector<PassSpec>> passes;  // [rank]
};

struct ScenarioOptions {
  uint64_t seed = 0;
  uint32_t world = 1;
  uint32_t slack_max = 0;
  uint64_t first_clock = 0;
  uint64_t num_clocks = 8;
  bool large_tables = true;  // shards on all workers; else everything is kept by one
  bool sparse_rows = false;  // row sets are never one run
  bool every_clock = false;  // no worker skips or walks an empty plan
  bool modes = false;        // async tables, read-my-writes, observers, rules of plugins, too
  bool streams = false;      // every other call names a stream: the program's own, or 0 where it has none. REQUIRES: an
                             // asynchronous device
  bool row_calls = false;    // rows are set and read outside plans, and fences stand between commits
};

struct TableMode {
  bool async = false;
  bool read_my_writes = false;
  uint32_t observer = UINT32_MAX;  // the rank that only looks, if any

  // Its rows count what they contain (scenario_expect.h); the others are compared bit by bit.
  bool counts() const { return async || read_my_writes; }
};

struct Scenario {
  ScenarioOptions options;
  std::vector<TableSpec> tables;
  std::vector<TableMode> modes;  // by table
  std::vector<uint32_t> born;    // by table: the phase before whose commit it is created
  std::vector<PhaseSpec> phases;
};

Scenario MakeScenario(const ScenarioOptions& options);
// The learning rate in a clock of every table whose rule has one.
double RateOf(const Scenario& scenario, uint64_t clock);

class Expected;

// The whole life of one worker after start, shutdown not included. Empty, or what differed first.
std::string WalkScenario(const Scenario& scenario, const Expected& expected, Worker& worker);

// A scenario by threads.
std::string RunScenario(const ScenarioOptions& options, Setup setup);

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_SCENARIO_H_
