// SPDX-License-Identifier: Apache-2.0
// Random jobs: tables, partitions, recorded plans, passes, gets, fences and faults from one seed.
#ifndef GEEPS_TESTS_SIM_GENERATE_H_
#define GEEPS_TESTS_SIM_GENERATE_H_

#include <cstdint>

#include "tests/sim/job.h"

namespace geeps::sim {

// The job of `seed`: 1 to 3 epochs of 1..16 workers, 1..4 tables, slacks 0..3, rules add and sgd, shards mapped,
// reached by messages, or both; commits and fences with sets between them; in some a worker is lost, or makes a clock
// less.
JobInput GenerateJob(uint64_t seed);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_GENERATE_H_
