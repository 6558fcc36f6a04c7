// SPDX-License-Identifier: Apache-2.0
// Frames that come late, in pieces or byte by byte, and connections that stall for less than the heartbeat limit, lose
// nothing: every read has the bits that it must have.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "tests/network/drawn.h"
#include "tests/network/job.h"
#include "tests/network/script.h"

namespace geeps::network_test {

TEST_CASE("drawn jobs whose frames come late and in pieces show what they may") {
  for (uint64_t seed = 1; seed <= 10; ++seed) CHECK(RunDrawnDelays(seed) == "");
}

TEST_CASE("short stalls of any connection below the heartbeat limit lose nothing") {
  JobSpec spec;
  spec.world = 4;
  spec.more = {{"heartbeat_ms", "10000"}};
  CHECK(NotWell(RunJob(spec, Delays(1, 400, std::chrono::milliseconds(400)))) == "");
}

}  // namespace geeps::network_test
