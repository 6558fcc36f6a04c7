// SPDX-License-Identifier: Apache-2.0
// Random worlds: tables, partitions, recorded plans and passes from one seed.
#ifndef GEEPS_TESTS_SIM_GENERATE_H_
#define GEEPS_TESTS_SIM_GENERATE_H_

#include <cstdint>

#include "tests/sim/spec.h"

namespace geeps::sim {

// The world of `seed`: 1..16 workers, 1..4 tables, slacks 0..3, rules add and sgd, shards mapped, reached by messages,
// or both.
WorldInput GenerateWorld(uint64_t seed);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_GENERATE_H_
