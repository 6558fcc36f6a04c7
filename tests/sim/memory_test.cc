// SPDX-License-Identifier: Apache-2.0
// Marks of the simulated memory, the refusals of the machines, and that a seed is a seed. One thread.
#include "tests/sim/memory.h"

#include <doctest/doctest.h>

#include "tests/sim/refusals.h"
#include "tests/sim/search.h"
#include "tests/sim/simulator.h"

namespace geeps::sim {

TEST_CASE("Memory: a write is refused while somebody reads or writes, a read while somebody writes") {
  Memory memory(8);
  CHECK(memory.BeginRead(0, 4));
  CHECK(memory.BeginRead(2, 4));
  CHECK_FALSE(memory.BeginWrite(3, 1));
  CHECK(memory.BeginWrite(6, 2));
  CHECK_FALSE(memory.BeginRead(5, 2));
}

TEST_CASE("Memory: after the last end it is idle") {
  Memory memory(4);
  memory.BeginRead(0, 4);
  memory.BeginRead(0, 4);
  memory.EndRead(0, 4);
  CHECK_FALSE(memory.Idle(0, 4));
  CHECK_FALSE(memory.BeginWrite(1, 1));
  memory.EndWrite(1, 1);
  memory.EndRead(0, 4);
  CHECK(memory.Idle(0, 4));
  CHECK(memory.BeginWrite(0, 4));
}

TEST_CASE("MemoryMap: a value is named by its buffer") {
  MemoryMap map;
  CHECK(map.Allocate(3, "a") == 0);
  CHECK(map.Allocate(0, "empty") == 3);
  CHECK(map.Allocate(2, "b") == 3);
  CHECK(map.Describe(2) == "a, value 2");
  CHECK(map.Describe(4) == "b, value 1");
  CHECK(map.size() == 5);
}

TEST_CASE("Machines refuse every message that a correct peer never sends") {
  uint32_t num_refused = 0;
  CHECK(FirstAccepted(&num_refused) == "");
  CHECK(num_refused >= 24);
}

TEST_CASE("Simulator: a seed gives the same trace twice, another seed another one") {
  const SeedResult first = RunSeed(11, 0);
  CHECK(first.violation == "");
  CHECK(first.num_reads > 0);
  CHECK(RunSeed(11, 5).hash == first.hash);
  CHECK(RunSeed(12, 0).hash != first.hash);
}

TEST_CASE("Search: the smallest world is searched to its end") {
  const std::vector<SearchWorld> worlds = SearchWorlds();
  REQUIRE(!worlds.empty());
  const SearchResult result = Search(worlds.front(), 100'000);
  CHECK(result.violation == "");
  CHECK(result.complete);
  CHECK(result.num_states > 1000);
}

}  // namespace geeps::sim
