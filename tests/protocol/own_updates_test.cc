// SPDX-License-Identifier: Apache-2.0
// Read-my-writes: subscriber (R7) and contributor (R10). The sequencer's part is in sequencer_own_test.cc.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "runtime/protocol/contributor.h"
#include "runtime/protocol/subscriber.h"
#include "tests/protocol/describe.h"

namespace geeps::protocol {
namespace {

constexpr SubscriberOptions kOwn{.read_my_writes = true};

// A subscriber that has absorbed `age`.
SubscriberPartition At(Age age, bool async = false) {
  SubscriberOptions options = kOwn;
  options.async = async;
  SubscriberPartition subscriber(options);
  subscriber.OnPublish(age, true, false, age);
  subscriber.OnAbsorbed();
  return subscriber;
}

// Operation `op` of clock `clock` is added to the cache.
std::string Add(SubscriberPartition* subscriber, Clock clock, uint32_t op = 0) {
  subscriber->OnAddBegun();
  return Describe(subscriber->OnAddDone({clock, 0, op}));
}

// "3.0 3.1": clock and operation of what an absorb adds again.
std::string Again(const SubscriberPartition& subscriber) {
  std::string text;
  for (const OwnUpdate& update : subscriber.own_updates()) {
    text += (text.empty() ? "" : " ") + std::to_string(update.clock) + "." + std::to_string(update.op);
  }
  return text;
}

}  // namespace

TEST_CASE("R7: an absorb adds the own updates again that the version does not contain, in the order they came") {
  SubscriberPartition subscriber = At(3);
  Add(&subscriber, 3, 0);
  Add(&subscriber, 3, 2);
  Add(&subscriber, 4, 0);
  CHECK(Again(subscriber) == "3.0 3.2 4.0");
  CHECK(Describe(subscriber.OnPublish(4, true, false)) == "absorb");
  CHECK(Again(subscriber) == "4.0");
  CHECK(Describe(subscriber.OnAbsorbed()) == "changed credit 4");
  CHECK(Again(subscriber) == "4.0");
  CHECK(Describe(subscriber.OnPublish(5, true, false)) == "absorb");
  CHECK(Again(subscriber) == "");
}

TEST_CASE("R7: an update that is not in the cache yet is not added again") {
  SubscriberPartition subscriber = At(3);
  Add(&subscriber, 3);
  subscriber.OnAddBegun();
  CHECK(Again(subscriber) == "3.0");
}

TEST_CASE("R7: an absorb waits for an own update that is being added, and then adds it again") {
  SubscriberPartition subscriber = At(3);
  subscriber.OnAddBegun();
  CHECK(Describe(subscriber.OnPublish(4, true, false)) == "");
  CHECK(Describe(subscriber.OnAddDone({4, 0, 1})) == "absorb");
  CHECK(Again(subscriber) == "4.1");
}

TEST_CASE("R7: nothing is added while a version is written, and it may be while one waits for fills") {
  SubscriberPartition subscriber = At(3);
  subscriber.OnFillBegun();
  CHECK(Describe(subscriber.OnPublish(4, true, false)) == "");
  CHECK(subscriber.CanAdd());
  CHECK(Describe(subscriber.OnFillDone()) == "absorb");
  CHECK_FALSE(subscriber.CanAdd());
  subscriber.OnAbsorbed();
  CHECK(subscriber.CanAdd());
}

TEST_CASE("R7: a version without values forgets what it contains and leaves the rest in the cache") {
  SubscriberPartition subscriber = At(3);
  Add(&subscriber, 3);
  Add(&subscriber, 4);
  CHECK(Describe(subscriber.OnPublish(4, false, false)) == "changed credit 4");
  CHECK(Again(subscriber) == "4.0");
}

TEST_CASE("R7: in an async table the own clock tells what a version contains") {
  SubscriberPartition subscriber = At(3, true);
  Add(&subscriber, 3);
  Add(&subscriber, 4);
  CHECK(Describe(subscriber.OnPublish(20, true, false, 4)) == "absorb");
  CHECK(Again(subscriber) == "4.0");
}

TEST_CASE("R7: a new epoch begins without own updates") {
  SubscriberPartition subscriber = At(3);
  Add(&subscriber, 3);
  subscriber.Reset();
  CHECK(Again(subscriber) == "");
}

TEST_CASE("R10: with read-my-writes a log entry is free when it is out and a version with its clock is absorbed") {
  ContributorOptions options;
  options.partitions = {{100, 0, {true, true}}, {101, 0, {true, false}}};
  options.num_keepers = 1;
  options.read_my_writes = true;
  Contributor machine(options);
  std::vector<ContributorEffect> effects;
  const auto taken = [&] {
    const std::string text = DescribeAll(effects);
    CHECK(effects.size() <= machine.MaxEffects());
    effects.clear();
    return text;
  };
  for (uint32_t index : {0u, 1u}) machine.OnAge(index, 0, &effects);
  machine.OnData(0, 0, &effects);
  machine.OnFired(0, 0, &effects);
  machine.OnSent(0, 0, &effects);
  machine.OnSent(1, 0, &effects);
  CHECK(taken() == "send 0 c0 q0; send 1 c0 q0; fire k0 c0 q0");
  machine.OnAge(1, 1, &effects);
  CHECK(taken() == "");
  CHECK_FALSE(machine.EntryFree(2));
  machine.OnAge(0, 1, &effects);
  CHECK(taken() == "free c0");
  CHECK(machine.EntryFree(2));
  // Where the set has no data, nothing is kept.
  machine.OnData(1, 1, &effects);
  machine.OnFired(1, 1, &effects);
  machine.OnSent(0, 1, &effects);
  CHECK(taken() == "send 0 c1 q1; fire k0 c1 q1");
  machine.OnAge(0, 2, &effects);
  CHECK(taken() == "free c1");
}

}  // namespace geeps::protocol
