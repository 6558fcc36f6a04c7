// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/types.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace geeps::protocol {

TEST_CASE("R8: a version serves a reader when it is at most slack clocks behind") {
  for (Clock clock = 0; clock < 12; ++clock) {
    for (uint32_t slack = 0; slack < 6; ++slack) {
      for (Age age = 0; age < 14; ++age) {
        CAPTURE(clock);
        CAPTURE(slack);
        CAPTURE(age);
        CHECK(AgeServes(age, clock, slack) == (age + slack >= clock));
      }
    }
  }
}

TEST_CASE("R8: nothing serves before a version has been absorbed") {
  CHECK_FALSE(AgeServes(kNoAge, 0, 0));
  CHECK_FALSE(AgeServes(kNoAge, 5, kSlackMax));
}

TEST_CASE("R8: the arithmetic wraps neither at clock 0 nor near 2^63 and 2^64") {
  CHECK(AgeServes(0, 0, 5));
  CHECK(AgeServes(0, 5, 5));
  CHECK_FALSE(AgeServes(0, 6, 5));
  const Clock large = uint64_t{1} << 63;
  CHECK(AgeServes(large - 3, large, 3));
  CHECK_FALSE(AgeServes(large - 4, large, 3));
  const Clock largest = kNoAge - 1;
  CHECK(AgeServes(largest, largest, kSlackMax));
  CHECK_FALSE(AgeServes(0, largest, kSlackMax));
}

TEST_CASE("Capacities follow from the largest slack: W = s + 1, L = s + 2, V = s + 1") {
  for (uint32_t slack = 0; slack <= kSlackMax; ++slack) {
    CHECK(NumLandingSlots(slack) == slack + 1);
    CHECK(NumLogEntries(slack) == slack + 2);
    CHECK(NumMappedVersions(slack) == slack + 1);
  }
}

TEST_CASE("R3: rule parameters are compared by their bits") {
  RuleParams a;
  a.num = 2;
  a.values = {0.5, 0.0};
  RuleParams b = a;
  CHECK(SameBits(a, b));
  b.values[1] = -0.0;
  CHECK_FALSE(SameBits(a, b));
  b = a;
  b.num = 1;
  CHECK_FALSE(SameBits(a, b));
  b = a;
  b.values[2] = 7;  // beyond num
  CHECK(SameBits(a, b));
  a.values[0] = b.values[0] = std::numeric_limits<double>::quiet_NaN();
  CHECK(SameBits(a, b));
}

TEST_CASE("A digest depends on every value and on their order") {
  CHECK(MixDigest(0, 1) != MixDigest(0, 2));
  CHECK(MixDigest(1, 0) != MixDigest(2, 0));
  CHECK(MixDigest(MixDigest(0, 1), 2) != MixDigest(MixDigest(0, 2), 1));
}

}  // namespace geeps::protocol
