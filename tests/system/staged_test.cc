// SPDX-License-Identifier: Apache-2.0
// Local data that does not fit into device memory is staged: whatever the budget, each access finds what was left.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "tests/system/staged_job.h"

namespace geeps::system_test {
namespace {

constexpr uint64_t kBytes = 128 << 10;

// Two local data take turns, and there is memory for little more than one. Each pass begins with the first one, adds 1
// to a byte of it that all others follow, or leaves that out.
std::string CountWithSkips(Worker& worker, uint64_t seed) {
  Random random(seed);
  const geeps::Local counted(worker.rt, "counted", 1, kBytes, worker.err);
  const geeps::Local scratch(worker.rt, "scratch", 1, kBytes, worker.err);
  const auto fill = [&](geeps::Walker& walker) {
    const geeps::Access access = walker.AccessLocal(counted, geeps::Rows::All(), GEEPS_LOCAL_KEEP);
    if (walker.live()) std::memset(access.view().data, 0, kBytes);
    walker.PostLocal(access);
  };
  uint8_t count = 0;
  std::string problem;
  const auto turn = [&](geeps::Walker& walker) {
    constexpr uint32_t kFlags = GEEPS_LOCAL_FETCH | GEEPS_LOCAL_KEEP | GEEPS_OP_OPTIONAL;
    if (walker.live() && random.OneIn(2)) {
      walker.SkipNext();
    } else {
      const geeps::Access access = walker.AccessLocal(counted, geeps::Rows::All(), kFlags);
      if (walker.live()) {
        uint8_t* const bytes = static_cast<uint8_t*>(access.view().data);
        const bool as_left = bytes[0] == count && std::memcmp(bytes, bytes + 1, kBytes - 1) == 0;
        if (!as_left && problem.empty()) problem = "not what was left after " + std::to_string(count) + " additions";
        std::memset(bytes, ++count, kBytes);
      }
      walker.PostLocal(access);
    }
    const geeps::Access access = walker.AccessLocal(scratch, geeps::Rows::All(), 0);
    if (walker.live()) std::memset(access.view().data, 0xee, kBytes);
    walker.PostLocal(access);
  };
  geeps::Walker first(worker.rt, "first", worker.err);
  geeps::Walker steady(worker.rt, "steady", worker.err);
  first.Record(fill, GEEPS_PLAN_NO_CLOCK);
  steady.Record(turn);
  worker.rt.Commit({first.plan(), steady.plan()}, worker.err);
  first.Walk(fill);
  for (uint32_t pass = 0; pass < 40 && worker.err.ok(); ++pass) steady.Walk(turn);
  return problem;
}

}  // namespace

TEST_CASE("what is skipped is as it was left, when its memory is needed at once") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Setup setup;
    setup.device = seed == 1 ? "host" : "deferred:seeded:" + std::to_string(seed);
    setup.more = {{"device_memory", std::to_string(kBytes + kBytes / 4)}};
    CAPTURE(seed);
    CHECK(RunWorkers(setup, [&](Worker& worker) { return CountWithSkips(worker, seed); }) == "");
  }
}

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
                                        "deferred:seeded:3:separate",
                                        "deferred:link:1GiB:512MiB:20"};
    setup.device = kDevices[seed % 7];
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
