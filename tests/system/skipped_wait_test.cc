// SPDX-License-Identifier: Apache-2.0
// Each wait for the device matters: with any one of them left out by the runtime's test switch, the comparison with the
// sequential reference fails on a device that does its work as late as it may.
#include <doctest/doctest.h>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kSeeds = 12;

std::string RunWithout(const char* site, uint64_t seed, const char* transport) {
  ScenarioOptions options;
  options.seed = 800 + seed;
  options.world = 2;
  options.sparse_rows = true;  // so that reads are gathered, updates drained, and publishes staged
  options.every_clock = true;
  options.num_clocks = 6;
  options.large_tables = seed % 2 == 0;
  Setup setup;
  setup.transport = transport;
  setup.device = "deferred:lazy";
  setup.limit_s = 30;
  if (site != nullptr) setup.more = {{"test.skip_wait", site}};
  return RunScenario(options, setup);
}

}  // namespace

TEST_CASE("with every wait in place the scenarios of this file agree with the reference") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed)
    CHECK(RunWithout(nullptr, seed, seed % 3 == 0 ? "inproc" : "tcp") == "");
}

TEST_CASE("with one wait left out a scenario differs from the reference, whichever wait it is") {
  for (const char* site : {"allocator.fill", "reclaimer.drain", "keeper.apply", "puller.absorb", "keeper.gather"}) {
    std::string complaints;
    for (uint64_t seed = 1; seed <= kSeeds && complaints.empty(); ++seed) complaints = RunWithout(site, seed, "tcp");
    CAPTURE(std::string(site));
    CAPTURE(complaints);
    // A wrong value, not an option that nobody knows or a hang.
    CHECK(complaints.find(", column ") != std::string::npos);
  }
}

}  // namespace geeps::system_test
