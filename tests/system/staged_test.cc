// SPDX-License-Identifier: Apache-2.0
// Local data that does not fit into device memory is staged: whatever the budget, each access finds what was left.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/system/staged_job.h"

namespace geeps::system_test {
TEST_CASE("drawn budgets, down to the smallest that is taken: every access finds what was left there") {
  uint32_t num_run = 0, num_refused = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const StagedJob job(seed);
    Setup setup;
    setup.world = 1 + seed % 3;
    setup.limit_s = 240;  // plans are made without optimization, too
    setup.transport = seed % 2 == 0 ? "tcp" : "inproc";
    constexpr const char* kDevices[] = {"host",
                                        "deferred:lazy",
                                        "deferred:eager",
                                        "deferred:seeded:7",
                                        "deferred:lazy:separate",
                                        "deferred:seeded:3:separate"};
    setup.device = kDevices[seed % 6];
    CAPTURE(seed);
    CAPTURE(setup.device);
    CHECK(job.Run(setup, 0) == "");
    const MemoryNeeds needs = FindMemoryNeeds(job, setup);
    REQUIRE(needs.tables > 0);
    REQUIRE(needs.local > 0);
    const uint64_t all = job.local_bytes();
    bool runs = false;
    for (uint32_t part = 0; part <= 8; part += runs ? 3 : 1) {
      const uint64_t budget = needs.tables + needs.local + (all - std::min(all, needs.local)) * part / 8;
      const std::string complaints = job.Run(setup, budget);
      if (complaints.find("the addresses found") != std::string::npos && !runs) {
        ++num_refused;
        continue;
      }
      CAPTURE(budget);
      CHECK(complaints == "");
      runs = true;
      ++num_run;
    }
  }
  CHECK(num_run > 35);
  CHECK(num_refused < 20);
}

}  // namespace geeps::system_test
