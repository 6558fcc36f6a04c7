// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/subscriber.h"

#include <doctest/doctest.h>

#include "tests/protocol/describe.h"

namespace geeps::protocol {
namespace {

constexpr SubscriberOptions kCopied{};
constexpr SubscriberOptions kMapped{.mapped = true};
constexpr SubscriberOptions kLandsInCache{.lands_in_cache = true};

// A subscriber that has absorbed `age`.
SubscriberPartition At(Age age, const SubscriberOptions& options = kCopied) {
  SubscriberPartition subscriber(options);
  subscriber.OnPublish(age, true, false);
  subscriber.OnAbsorbed();
  return subscriber;
}

}  // namespace

TEST_CASE("R7: a version is absorbed, and the credit leaves when the write is complete") {
  SubscriberPartition subscriber(kCopied);
  CHECK_FALSE(subscriber.Serves(0, 0));
  CHECK(Describe(subscriber.OnPublish(0, true, false)) == "absorb");
  CHECK(subscriber.absorbed() == kNoAge);
  CHECK(Describe(subscriber.OnAbsorbed()) == "changed credit 0");
  CHECK(subscriber.absorbed() == 0);
}

TEST_CASE("R7: a version without values needs no write") {
  SubscriberPartition subscriber = At(3);
  subscriber.OnFillBegun();
  CHECK(Describe(subscriber.OnPublish(5, false, false)) == "changed credit 5");
  CHECK(subscriber.absorbed() == 5);
}

TEST_CASE("R7: a version that landed in the cache needs no further write") {
  SubscriberPartition subscriber(kLandsInCache);
  CHECK(Describe(subscriber.OnPublish(0, true, false)) == "changed credit 0");
  CHECK(subscriber.CanFill());
}

TEST_CASE("R7: versions only get newer") {
  for (bool payload : {false, true}) {
    SubscriberPartition subscriber = At(3);
    CHECK(Describe(subscriber.OnPublish(3, payload, false)) == "fail");
    CHECK(Describe(subscriber.OnPublish(2, payload, false)) == "fail");
    CHECK(subscriber.absorbed() == 3);
    CHECK_FALSE(subscriber.OnPublish(4, payload, false).fail);
  }
}

TEST_CASE("R6: a second version without a credit is refused") {
  SubscriberPartition subscriber(kCopied);
  CHECK(Describe(subscriber.OnPublish(1, true, false)) == "absorb");
  CHECK(Describe(subscriber.OnPublish(2, true, false)) == "fail");
  CHECK(Describe(subscriber.OnAbsorbed()) == "changed credit 1");
}

TEST_CASE("R7: a write waits for the fills that read the cache, all of them") {
  SubscriberPartition subscriber = At(0);
  subscriber.OnFillBegun();
  subscriber.OnFillBegun();
  CHECK(Describe(subscriber.OnPublish(1, true, false)) == "");
  CHECK(Describe(subscriber.OnFillDone()) == "");
  CHECK(subscriber.absorbed() == 0);
  CHECK(Describe(subscriber.OnFillDone()) == "absorb");
  CHECK(Describe(subscriber.OnAbsorbed()) == "changed credit 1");
}

TEST_CASE("R7: no fill begins while a version waits or is being written") {
  SubscriberPartition subscriber = At(0);
  CHECK(subscriber.CanFill());
  subscriber.OnFillBegun();
  CHECK(subscriber.CanFill());
  subscriber.OnPublish(1, true, false);
  CHECK_FALSE(subscriber.CanFill());
  subscriber.OnFillDone();
  CHECK_FALSE(subscriber.CanFill());
  subscriber.OnAbsorbed();
  CHECK(subscriber.CanFill());
}

TEST_CASE("R7: the end of a fill moves nothing when no version waits") {
  SubscriberPartition subscriber = At(0);
  subscriber.OnFillBegun();
  CHECK(Describe(subscriber.OnFillDone()) == "");
  CHECK(Describe(subscriber.OnAbsorbed()) == "");
  CHECK(subscriber.absorbed() == 0);
}

TEST_CASE("R8: a subscriber serves clocks up to its age plus the slack") {
  const SubscriberPartition subscriber = At(4);
  CHECK(subscriber.Serves(4, 0));
  CHECK_FALSE(subscriber.Serves(5, 0));
  CHECK(subscriber.Serves(6, 2));
  CHECK_FALSE(subscriber.Serves(7, 2));
}

TEST_CASE("R8: a frozen partition serves every clock, returns no credit and takes no further version") {
  SubscriberPartition subscriber(kCopied);
  CHECK(Describe(subscriber.OnPublish(2, true, true)) == "absorb");
  CHECK_FALSE(subscriber.Serves(2, 0));
  CHECK(Describe(subscriber.OnAbsorbed()) == "changed");
  CHECK(subscriber.frozen());
  CHECK(subscriber.Serves(1'000'000, 0));
  CHECK(Describe(subscriber.OnPublish(3, true, true)) == "fail");
}

TEST_CASE("Subscriber: mapped memory is followed by age words") {
  SubscriberPartition subscriber(kMapped);
  CHECK(Describe(subscriber.OnAgeWord(kNoAge, false)) == "");
  CHECK(Describe(subscriber.OnAgeWord(0, false)) == "changed");
  CHECK(Describe(subscriber.OnAgeWord(0, false)) == "");
  CHECK(Describe(subscriber.OnAgeWord(3, false)) == "changed");
  CHECK(Describe(subscriber.OnAgeWord(2, false)) == "fail");
  CHECK(subscriber.absorbed() == 3);
  CHECK(subscriber.CanFill());
  CHECK(Describe(subscriber.OnPublish(4, true, false)) == "fail");
  CHECK(Describe(SubscriberPartition(kCopied).OnAgeWord(1, false)) == "fail");
}

TEST_CASE("Subscriber: a frozen age word serves every clock") {
  SubscriberPartition subscriber(kMapped);
  CHECK(Describe(subscriber.OnAgeWord(5, true)) == "changed");
  CHECK(subscriber.Serves(99, 0));
}

TEST_CASE("Subscriber: a new epoch begins with nothing absorbed, and any age may come") {
  SubscriberPartition subscriber(kCopied);
  subscriber.OnPublish(9, true, true);
  subscriber.OnAbsorbed();
  subscriber.Reset();
  CHECK_FALSE(subscriber.frozen());
  CHECK_FALSE(subscriber.Serves(0, 0));
  CHECK(Describe(subscriber.OnPublish(9, true, false)) == "absorb");
  CHECK(Describe(subscriber.OnAbsorbed()) == "changed credit 9");
}

TEST_CASE("Subscriber: each step changes the digest") {
  SubscriberPartition subscriber(kCopied);
  const uint64_t fresh = subscriber.StateDigest();
  subscriber.OnPublish(0, true, false);
  const uint64_t writing = subscriber.StateDigest();
  subscriber.OnAbsorbed();
  const uint64_t absorbed = subscriber.StateDigest();
  subscriber.OnFillBegun();
  const uint64_t filling = subscriber.StateDigest();
  CHECK(fresh != writing);
  CHECK(writing != absorbed);
  CHECK(absorbed != filling);
  subscriber.OnFillDone();
  CHECK(subscriber.StateDigest() == absorbed);
}

}  // namespace geeps::protocol
