// SPDX-License-Identifier: Apache-2.0
// Search: drives the shipped machines through every interleaving of a small world, breadth first, so that the first
// counter-example is a shortest one. States are told apart by a 64-bit digest of everything: machines, channels, words,
// values, marks, programs.
#ifndef GEEPS_TESTS_SIM_SEARCH_H_
#define GEEPS_TESTS_SIM_SEARCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/job.h"
#include "tests/sim/world.h"

namespace geeps::sim {

struct SearchWorld {
  std::string name;
  JobInput input;
  WorldMode mode;
};

// Small worlds, those with fences first, then the smallest first: 2 or 3 workers, 1 or 2 partitions, slack_max 0..2, 3
// or 4 clocks, by messages and mapped.
std::vector<SearchWorld> SearchWorlds();

struct SearchResult {
  std::string violation;           // empty: none
  std::vector<std::string> trace;  // from the beginning to the violation
  uint64_t num_states = 0;
  uint64_t num_steps = 0;  // executed, to old states too
  bool complete = false;   // every state was seen
};

// num_states_max: give up behind so many states.
SearchResult Search(const SearchWorld& world, uint64_t num_states_max);

}  // namespace geeps::sim

#endif  // GEEPS_TESTS_SIM_SEARCH_H_
