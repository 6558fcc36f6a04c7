// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/set.h"

#include <doctest/doctest.h>

namespace geeps::protocol {
namespace {

std::vector<SetPart> Parts(uint32_t count) {
  std::vector<SetPart> parts;
  for (uint32_t i = 0; i < count; ++i) parts.push_back({1, i % 2, i, 0, 1, false});
  return parts;
}

StagedSet Staged(uint32_t rank, uint64_t call, uint32_t place, bool keep_state = false) {
  return {rank, call, 5, 0, 1, keep_state, place};
}

std::vector<uint32_t> PlacesOf(const std::vector<StagedSet>& sets) {
  std::vector<uint32_t> places;
  for (const StagedSet& set : sets) places.push_back(set.place);
  return places;
}

}  // namespace

TEST_CASE("Set: calls are pending until a fence has taken them in; later ones wait for the next fence") {
  SetExchange sets;
  CHECK_FALSE(sets.has_pending());
  CHECK(sets.OnSet() == 1);
  CHECK(sets.OnSet() == 2);
  CHECK(sets.has_pending());
  sets.OnEnter();
  CHECK(sets.first_offered() == 1);
  CHECK(sets.end_offered() == 3);
  CHECK(sets.OnSet() == 3);
  sets.OnGo();
  CHECK(sets.done() == 3);
  CHECK(sets.has_pending());
  sets.OnEnter();
  CHECK(sets.first_offered() == 3);
  CHECK(sets.end_offered() == 4);
  sets.OnGo();
  CHECK_FALSE(sets.has_pending());
}

TEST_CASE("Set: a fence that fails leaves calls pending, and keepers forget what they were sent") {
  SetExchange sets;
  sets.OnSet();
  sets.OnEnter();
  std::vector<uint32_t> send;
  sets.Begin(Parts(1), &send);
  CHECK(sets.OnSetMessage(Staged(0, 1, 10)));
  sets.OnFail();
  CHECK(sets.has_pending());
  sets.OnEnter();
  CHECK(sets.first_offered() == 1);
  CHECK(sets.OnSetMessage(Staged(0, 1, 11)));
  CHECK(PlacesOf(sets.OnGo()) == std::vector<uint32_t>{11});
  CHECK_FALSE(sets.has_pending());
}

TEST_CASE("Set: a keeper applies by rank and call, the runs of a call as they came") {
  SetExchange sets;
  CHECK(sets.OnSetMessage(Staged(2, 1, 30)));
  CHECK(sets.OnSetMessage(Staged(0, 4, 10)));
  CHECK(sets.OnSetMessage(Staged(2, 1, 31)));
  CHECK(sets.OnSetMessage(Staged(0, 9, 11, true)));
  const std::vector<StagedSet> order = sets.OnGo();
  CHECK(PlacesOf(order) == std::vector<uint32_t>{10, 11, 30, 31});
  CHECK_FALSE(order[0].keep_state);
  CHECK(order[1].keep_state);
  CHECK(sets.OnGo().empty());
}

TEST_CASE("Set: an older call of a rank behind a younger one is refused, in one fence") {
  SetExchange sets;
  CHECK(sets.OnSetMessage(Staged(2, 4, 1)));
  CHECK_FALSE(sets.OnSetMessage(Staged(2, 3, 2)));
  CHECK(sets.OnSetMessage(Staged(1, 3, 3)));
  sets.OnFail();
  CHECK(sets.OnSetMessage(Staged(2, 3, 2)));
}

TEST_CASE("Set: as many SETs as allowed are under way; each acknowledgement lets one more leave") {
  SetExchange sets;
  std::vector<uint32_t> send;
  CHECK(sets.CanEnter());
  sets.Begin(Parts(kSetsInFlight + 1), &send);
  REQUIRE(send.size() == kSetsInFlight);
  CHECK(send.front() == 0);
  CHECK_FALSE(sets.CanEnter());
  send.clear();
  CHECK(sets.OnAck(1, 1, 1, &send));
  CHECK(send == std::vector<uint32_t>{kSetsInFlight});
  for (uint32_t i : {0u, 2u, 3u, 4u, 5u, 6u, 7u}) CHECK(sets.OnAck(i % 2, i, 1, &send));
  CHECK_FALSE(sets.CanEnter());
  CHECK(sets.OnAck(0, kSetsInFlight, 1, &send));
  CHECK(sets.CanEnter());
}

TEST_CASE("Set: an acknowledgement of what is not the oldest SET to that keeper is refused") {
  SetExchange sets;
  std::vector<uint32_t> send;
  CHECK_FALSE(sets.OnAck(0, 0, 1, &send));
  sets.Begin(Parts(4), &send);
  CHECK_FALSE(sets.OnAck(0, 2, 1, &send));
  CHECK_FALSE(sets.OnAck(0, 0, 2, &send));
  CHECK_FALSE(sets.OnAck(2, 0, 1, &send));
  CHECK(sets.OnAck(0, 0, 1, &send));
  CHECK_FALSE(sets.OnAck(0, 0, 1, &send));
}

TEST_CASE("Set: a worker that stops enters when what was sent is acknowledged") {
  SetExchange sets;
  std::vector<uint32_t> send;
  sets.Begin(Parts(kSetsInFlight + 5), &send);
  sets.Stop();
  for (uint32_t i = 0; i < kSetsInFlight; ++i) {
    CHECK_FALSE(sets.CanEnter());
    CHECK(sets.OnAck(i % 2, i, 1, &send));
  }
  CHECK(sets.CanEnter());
  CHECK(send.size() == kSetsInFlight);
}

}  // namespace geeps::protocol
