// SPDX-License-Identifier: Apache-2.0
// Drawn jobs whose tables have every mode and rule, with observers, and whose workers set and read rows outside plans,
// between commits and fences: every read and get shows what it may (scenario_expect.h). And that which judges them
// rejects what is wrong.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/system/counts.h"
#include "tests/system/scenario_expect.h"

namespace geeps::system_test {
namespace {

std::string Run(uint64_t seed, bool modes, bool row_calls, uint64_t first_clock = 0) {
  ScenarioOptions options;
  options.seed = seed;
  options.first_clock = first_clock;
  options.world = 1 + static_cast<uint32_t>(seed % 5);
  options.slack_max = seed % 2 == 0 ? 0 : static_cast<uint32_t>(seed % 4);
  options.num_clocks = 12;
  options.large_tables = seed % 3 == 0;
  options.modes = modes;
  options.row_calls = row_calls;
  const char* const devices[] = {"host",
                                 "deferred:lazy",
                                 "deferred:eager",
                                 "deferred:seeded:7",
                                 "deferred:lazy:separate",
                                 "deferred:seeded:8:separate",
                                 "deferred:link:1GiB:512MiB:20"};
  Setup setup;
  setup.transport = seed % 7 < 3 ? "inproc" : "tcp";
  setup.device = devices[seed / 2 % 7];
  const std::string complaints = RunScenario(options, setup);
  return complaints.empty() ? "" : "seed " + std::to_string(seed) + ":\n" + complaints;
}

// Two workers; two clocks before a phase and two in it; the second row is set in between.
Counts TwoByTwo() {
  TableSpec spec;
  spec.num_rows = 2;
  spec.row_values = 3;
  Counts counts(spec, 2);
  for (uint32_t phase = 0; phase < 2; ++phase) {
    counts.BeginPhase();
    if (phase == 1) counts.Set(1, 1000);
    for (uint64_t clock = 2 * phase; clock < 2 * phase + 2; ++clock) {
      for (uint32_t rank = 0; rank < 2; ++rank) {
        for (uint64_t row = 0; row < 2; ++row) {
          // Rank 1 updates twice in a clock.
          for (uint64_t i = 0; i <= rank; ++i) counts.Add(row, rank, {phase, clock, 10 * clock + i, 1.0 + rank});
        }
      }
    }
  }
  return counts;
}

std::vector<Counts::Prefix> Shown(const Counts& counts, uint32_t phase, uint64_t row, float own, float other,
                                  float mark) {
  const float values[] = {own, other, mark};
  return counts.PrefixesOf(phase, row, reinterpret_cast<const uint8_t*>(values));
}

}  // namespace

TEST_CASE("drawn jobs with async tables, read-my-writes, observers and rules of plugins") {
  for (uint64_t seed = 1; seed <= 30; ++seed) CHECK(Run(1000 + seed, true, false) == "");
}

TEST_CASE("drawn jobs that set and read rows outside plans, with fences between commits") {
  for (uint64_t seed = 1; seed <= 20; ++seed) CHECK(Run(2000 + seed, false, true) == "");
}

TEST_CASE("drawn jobs with all of that") {
  for (uint64_t seed = 1; seed <= 30; ++seed) CHECK(Run(3000 + seed, true, true) == "");
}

TEST_CASE("drawn jobs whose clocks pass 2^31, 2^32 and 2^63") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    for (const int bits : {31, 32, 63}) CHECK(Run(4000 + seed, true, true, (uint64_t{1} << bits) - 6) == "");
  }
}

TEST_CASE("a row that counts shows prefixes, and nothing else is taken for one") {
  const Counts counts = TwoByTwo();
  const std::vector<Counts::Prefix> all = Shown(counts, 1, 0, 4, 8, 4 + 16);
  REQUIRE(all.size() == 2);
  CHECK(all[0].count == 4);
  CHECK(all[0].least == 4);
  CHECK(all[0].most == UINT64_MAX);
  const std::vector<Counts::Prefix> some = Shown(counts, 1, 0, 3, 5, 3 + 10);
  REQUIRE(some.size() == 2);
  CHECK((some[0].whole && some[0].least == 3 && some[0].most == 3));
  CHECK(!some[1].whole);                                 // one of two updates of clock 2
  CHECK(Shown(counts, 1, 0, 3, 5, 3 + 10 + 1).empty());  // one was taken in twice, or another one
  CHECK(Shown(counts, 1, 0, 5, 8, 5 + 16).empty());      // more than there are
  CHECK(Shown(counts, 1, 0, 2.5f, 4, 2.5f + 8).empty());
  CHECK(Shown(counts, 1, 0, -1, 4, 7).empty());
  // What was set begins the count anew, in its phase.
  CHECK(Shown(counts, 1, 1, 2, 4, 1000 + 2 + 8).size() == 2);
  CHECK(Shown(counts, 1, 1, 4, 8, 4 + 16).empty());
  CHECK(Shown(counts, 0, 1, 2, 4, 2 + 8).size() == 2);
}

TEST_CASE("own updates before a place are counted in the phase since the row was set") {
  const Counts counts = TwoByTwo();
  CHECK(counts.CountBefore(1, 0, 1, 20) == 4);
  CHECK(counts.CountBefore(1, 0, 1, 21) == 5);
  CHECK(counts.CountBefore(1, 1, 1, 21) == 1);
  CHECK(counts.CountBefore(1, 1, 0, 20) == 0);
}

TEST_CASE("what a read may not show is refused: another bit, another age, an older one than before") {
  ScenarioOptions options;
  options.seed = 3;
  options.world = 2;
  const Scenario scenario = MakeScenario(options);
  const Expected expected(scenario);
  const TableSpec& table = scenario.tables[0];
  std::vector<uint8_t> values(table.num_rows * table.row_bytes());
  for (uint64_t i = 0; i < table.num_rows * table.row_values; ++i)
    StoreNumber(table.dtype, table.initial, values.data() + i * table.value_bytes());
  Sight sight;
  for (uint64_t row = 0; row < table.num_rows; ++row) sight.rows.push_back(row);
  sight.values = values.data();
  std::vector<uint64_t> before;
  CHECK(expected.Check(sight, &before) == "");
  before = {1, 1};
  CHECK(expected.Check(sight, &before).find("after ages 1 to 1") != std::string::npos);
  before.clear();
  values.back() ^= 1;
  CHECK(expected.Check(sight, &before).find(", column ") != std::string::npos);
  values.back() ^= 1;
  sight.max_age = 1;  // at clock 0
  CHECK(expected.Check(sight, &before).find("has ages 0 to 1") != std::string::npos);
}

TEST_CASE("with read-my-writes a read that lacks an own update, or has one too many, is refused") {
  ScenarioOptions options;
  options.seed = 3;
  options.world = 2;
  options.every_clock = true;
  Scenario scenario = MakeScenario(options);
  TableSpec& table = scenario.tables[0];
  table.dtype = GEEPS_F64;
  table.row_values = 3;
  scenario.modes[0].read_my_writes = true;
  const Expected expected(scenario);
  std::vector<double> values(table.num_rows * 3, 0.0);
  Sight sight;
  for (uint64_t row = 0; row < table.num_rows; ++row) sight.rows.push_back(row);
  sight.values = reinterpret_cast<const uint8_t*>(values.data());
  std::vector<uint64_t> before;
  CHECK(expected.Check(sight, &before) == "");
  sight.place = PlaceOf(0, 1000, 0);  // behind all that the worker does in the phase
  CHECK(expected.Check(sight, &before).find(" shows 0 of rank 0") != std::string::npos);
  sight.place = 0;
  values[0] = 1;  // one of nobody's marks
  CHECK(expected.Check(sight, &before) != "");
}

}  // namespace geeps::system_test
