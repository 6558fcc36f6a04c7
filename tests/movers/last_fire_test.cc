// SPDX-License-Identifier: Apache-2.0
// The moments by which a wait is divided into its causes.
#include "runtime/movers/last_fire.h"

#include <doctest/doctest.h>

namespace geeps::movers {

TEST_CASE("LastFires: of a clock's fires the last one counts, whatever the order in which they arrive") {
  LastFires fires(1);
  fires.Note(0, 2, 300);
  fires.Note(0, 0, 500);
  fires.Note(0, 1, 400);
  CHECK(fires.Of(1).ns == 500);
  CHECK(fires.Of(1).participant == 0);
}

TEST_CASE("LastFires: the first version has no clock, and one that is too old has lost its own") {
  LastFires fires(2);
  CHECK(fires.Of(0).ns == 0);
  for (protocol::Clock clock = 0; clock < 4; ++clock) fires.Note(clock, 1, 100 * (clock + 1));
  CHECK(fires.Of(0).ns == 0);
  CHECK(fires.Of(1).ns == 0);  // clock 3 has taken its place
  CHECK(fires.Of(2).ns == 200);
  CHECK(fires.Of(3).ns == 300);
  CHECK(fires.Of(4).ns == 400);
  CHECK(fires.Of(5).ns == 0);
}

TEST_CASE("LastFires: a late mark for an old clock changes nothing") {
  LastFires fires(1);
  fires.Note(4, 0, 100);
  fires.Note(2, 1, 900);
  CHECK(fires.Of(5).ns == 100);
  CHECK(fires.Of(3).ns == 0);
}

TEST_CASE("PeerTime: the fastest message says how far two clocks are apart") {
  constexpr uint64_t kApart = 1'000'000'000'000;  // the peer's clock is behind
  PeerTime time;
  time.Note(1'000, kApart + 1'000 + 700);
  CHECK(time.ToOwn(500) == kApart + 500 + 700);
  time.Note(2'000, kApart + 2'000 + 40);
  CHECK(time.ToOwn(500) == kApart + 500 + 40);
  time.Note(3'000, kApart + 3'000 + 9'000);  // slower: within the 1 ns that the clocks may have drifted
  CHECK(time.ToOwn(500) == kApart + 500 + 40 + (3'000 + 9'000 - 2'040) / 8192);
}

TEST_CASE("PeerTime: the peer's clock may be ahead, or wrap") {
  PeerTime time;
  time.Note(~uint64_t{0} - 10, 5'000);
  CHECK(time.ToOwn(~uint64_t{0} - 10) == 5'000);
  CHECK(time.ToOwn(89) == 5'100);
}

TEST_CASE("PeerTime: a clock that drifts is followed") {
  // The peer's clock loses 50 millionths: a message a millisecond for 100 s, each under way for 10 us.
  PeerTime time;
  uint64_t own = 1'000'000'000;
  for (int i = 0; i < 100'000; ++i) {
    own += 1'000'000;
    const uint64_t peer = own - own / 20'000;
    time.Note(peer, own + 10'000);
  }
  const uint64_t peer = own - own / 20'000;
  CHECK(time.ToOwn(peer) >= own + 9'000);
  CHECK(time.ToOwn(peer) <= own + 11'000);
}

}  // namespace geeps::movers
