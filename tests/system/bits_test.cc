// SPDX-License-Identifier: Apache-2.0
// Bit identity: what any worker reads is, bit by bit, what the sequential reference has at that clock; over every transport and device.
#include <doctest/doctest.h>

#include <cstring>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

std::string Run(uint64_t seed, uint32_t world, const char* transport, const char* device, bool large = true) {
  ScenarioOptions options;
  options.seed = seed;
  options.world = world;
  options.large_tables = large;
  Setup setup;
  setup.transport = transport;
  setup.device = device;
  const std::string complaints = RunScenario(options, setup);
  return complaints.empty() ? "" : "seed " + std::to_string(seed) + ", world " + std::to_string(world) + ":\n" + complaints;
}

}  // namespace

TEST_CASE("one worker alone reads the bits of the sequential reference") {
  for (const char* device : {"host", "deferred:lazy", "deferred:eager", "deferred:seeded:5"}) {
    for (uint64_t seed = 1; seed <= 6; ++seed) CHECK(Run(seed, 1, "inproc", device) == "");
  }
}

TEST_CASE("1 to 5 workers of one process read the bits of the sequential reference out of mapped memory") {
  for (uint32_t world = 2; world <= 5; ++world) {
    for (uint64_t seed = 1; seed <= 6; ++seed) CHECK(Run(100 * world + seed, world, "inproc", "host", seed % 2 == 0) == "");
  }
}

TEST_CASE("2 to 5 workers with deferred devices read the bits of the sequential reference") {
  const char* devices[] = {"deferred:lazy", "deferred:eager", "deferred:seeded:11"};
  for (uint32_t world = 2; world <= 5; ++world) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      CHECK(Run(200 * world + seed, world, "inproc", devices[seed % 3], seed % 2 == 0) == "");
    }
  }
}

TEST_CASE("2 to 5 workers over TCP read the bits of the sequential reference") {
  for (uint32_t world = 2; world <= 5; ++world) {
    for (uint64_t seed = 1; seed <= 4; ++seed) CHECK(Run(300 * world + seed, world, "tcp", "host", seed % 2 == 0) == "");
  }
}

TEST_CASE("workers over TCP with deferred devices read the bits of the sequential reference") {
  const char* devices[] = {"deferred:lazy", "deferred:eager", "deferred:seeded:3"};
  for (uint32_t world = 2; world <= 4; ++world) {
    for (uint64_t seed = 1; seed <= 3; ++seed) CHECK(Run(400 * world + seed, world, "tcp", devices[seed % 3], seed % 2 == 0) == "");
  }
}

TEST_CASE("reads with slack have the bits of one version within the slack in every row") {
  for (const char* transport : {"inproc", "tcp"}) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      ScenarioOptions options;
      options.seed = 500 + seed;
      options.world = 2 + static_cast<uint32_t>(seed % 3);
      options.slack_max = 1 + static_cast<uint32_t>(seed % 4);
      options.num_clocks = 16;
      Setup setup;
      setup.transport = transport;
      setup.device = seed % 2 == 0 ? "host" : "deferred:seeded:9";
      CAPTURE(seed);
      CHECK(RunScenario(options, setup) == "");
    }
  }
}

TEST_CASE("the reference depends on the order of a sum, so that these tests can fail") {
  TableSpec spec;
  spec.name = "order";
  spec.sum_group = 1;
  const float values[3] = {1e8f, -1e8f, 1.0f};
  const auto row = [&](int i) {
    const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(&values[i]);
    return RowValues{{0, std::vector<uint8_t>(bytes, bytes + 4)}};
  };
  Reference ranks(spec);
  ranks.Advance({row(0), row(1), row(2)}, 0);
  Reference reversed(spec);
  reversed.Advance({row(2), row(1), row(0)}, 0);
  float forwards = 0, backwards = 0;
  std::memcpy(&forwards, ranks.Row(1, 0), 4);
  std::memcpy(&backwards, reversed.Row(1, 0), 4);
  CHECK(forwards == 1.0f);
  CHECK(backwards == 0.0f);
}

}  // namespace geeps::system_test
