// SPDX-License-Identifier: Apache-2.0
// Each wait for the device matters: with any one of them left out by the runtime's test switch, the comparison with the
// sequential reference fails on a device that does its work as late as it may.
#include <doctest/doctest.h>

#include <string>

#include "tests/system/scenario.h"
#include "tests/system/staged_job.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kSeeds = 12;
constexpr const char* kWaits[] = {"allocator.fill", "reclaimer.drain", "keeper.apply",
                                  "keeper.gather",  "puller.absorb",   "pusher.download"};
// Of staged local data.
constexpr const char* kStagedWaits[] = {"stager.fetch", "stager.write_back"};

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
  setup.device = seed % 2 == 0 ? "deferred:lazy" : "deferred:lazy:separate";
  setup.limit_s = 30;
  if (site != nullptr) setup.more = {{"test.skip_wait", site}};
  return RunScenario(options, setup);
}

// A job in the least memory that it runs in.
std::string RunStagedWithout(const char* site, uint64_t seed) {
  const StagedJob job(seed);
  Setup setup;
  setup.device = seed % 2 == 0 ? "deferred:lazy" : "deferred:lazy:separate";
  setup.limit_s = 30;
  const MemoryNeeds needs = FindMemoryNeeds(job, setup);
  if (site != nullptr) setup.more = {{"test.skip_wait", site}};
  return job.Run(setup, needs.tables + needs.local + job.local_bytes() / 8);
}

}  // namespace

TEST_CASE("with every wait in place the scenarios of this file agree with the reference") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed)
    CHECK(RunWithout(nullptr, seed, seed % 3 == 0 ? "inproc" : "tcp") == "");
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) CHECK(RunStagedWithout(nullptr, seed) == "");
}

TEST_CASE("with one wait left out a scenario differs from the reference, whichever wait it is") {
  for (const char* site : kWaits) {
    std::string complaints;
    for (uint64_t seed = 1; seed <= kSeeds && complaints.empty(); ++seed) complaints = RunWithout(site, seed, "tcp");
    CAPTURE(std::string(site));
    CAPTURE(complaints);
    // A wrong value, not an option that nobody knows or a hang.
    CHECK(complaints.find(", column ") != std::string::npos);
  }
}

TEST_CASE("with one wait for staged data left out an access finds something else than what was kept") {
  for (const char* site : kStagedWaits) {
    std::string complaints;
    for (uint64_t seed = 1; seed <= kSeeds && complaints.empty(); ++seed) complaints = RunStagedWithout(site, seed);
    CAPTURE(std::string(site));
    CAPTURE(complaints);
    CHECK(complaints.find("not what was kept") != std::string::npos);
  }
}

TEST_CASE("a wait that does not exist is refused with those that do, which are the ones that this file leaves out") {
  const geeps_kv option = {"test.skip_wait", "keeper.aply"};
  geeps_config config = {};
  config.struct_size = sizeof config;
  config.abi_version = GEEPS_ABI_VERSION;
  config.options = &option;
  config.num_options = 1;
  geeps_error err = {};
  err.struct_size = sizeof err;
  geeps_runtime* rt = nullptr;
  CHECK(geeps_runtime_create(&config, &rt, &err) == GEEPS_E_INVALID);
  CHECK(rt == nullptr);
  std::string sentence = "option test.skip_wait = 'keeper.aply': the waits are";
  for (const char* wait : kWaits) sentence += (wait == kWaits[0] ? " " : ", ") + std::string(wait);
  for (const char* wait : kStagedWaits) sentence += ", " + std::string(wait);
  CHECK(std::string(err.message) == sentence);
}

}  // namespace geeps::system_test
