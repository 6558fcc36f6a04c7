// SPDX-License-Identifier: Apache-2.0
// Simulator: runs one random world under virtual time from one seed. First the safety phase: delays over three orders
// of magnitude, slow workers, pauses. Then the liveness phase: faults stop, every delay is short, and everything must
// be over within a bound.
#ifndef GEEPS_TESTS_SIM_SIMULATOR_H_
#define GEEPS_TESTS_SIM_SIMULATOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/spec.h"

namespace geeps::sim {

struct SeedResult {
  std::string violation;  // empty: none
  std::vector<std::string> trace;
  uint64_t hash = 0;  // of every event, its time, and all values at the end
  uint32_t world = 0;
  uint64_t num_events = 0;
  uint64_t num_delivered = 0;  // messages
  uint64_t num_epochs = 0;
  uint64_t num_reads = 0;
  uint64_t num_stale_reads = 0;
  uint64_t num_pauses = 0;
  bool loses = false;  // a worker is lost at some time, the coordinator's perhaps
  uint64_t num_late_events = 0;  // in the liveness phase
};

// trace_lines: how many of the last events are described; 0: none.
SeedResult RunSeed(uint64_t seed, size_t trace_lines);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_SIMULATOR_H_
