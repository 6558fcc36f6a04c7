// SPDX-License-Identifier: Apache-2.0
// The sequencer allocates nothing once it runs: counted at operator new, which this program replaces.
#include <doctest/doctest.h>

#include <cstdlib>
#include <new>

#include "runtime/protocol/sequencer.h"

namespace {
size_t g_allocations = 0;
}

// Not inlined: g++ would otherwise see malloc and free behind new and delete and call them mismatched.
__attribute__((noinline)) void* operator new(size_t bytes) {
  ++g_allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace geeps::protocol {

TEST_CASE("Sequencer: passes in the steady state allocate nothing") {
  constexpr uint32_t kTables = 10;
  constexpr uint32_t kPartitions = 4;
  SequencerOptions options;
  options.num_tables = kTables;
  options.plans.resize(1);
  for (uint32_t t = 0; t < kTables; ++t) {
    SequencerOptions::Op read;
    read.table = t;
    read.subscriptions = {0, 1, 2, 3};
    SequencerOptions::Op update;
    update.table = t;
    update.is_update = true;
    options.plans[0].ops.push_back(read);
    options.plans[0].ops.push_back(update);
  }
  std::vector<std::vector<SubscriberPartition>> subscribers(
      kTables, std::vector<SubscriberPartition>(kPartitions, SubscriberPartition(SubscriberOptions())));
  std::vector<SequencerTable> tables;
  for (uint32_t t = 0; t < kTables; ++t) tables.push_back({&subscribers[t], nullptr});
  Sequencer sequencer(options, tables);
  std::vector<SequencerEffect> effects;
  effects.reserve(1000);
  size_t num_fired = 0;
  const auto carry = [&] {
    for (size_t i = 0; i < effects.size(); ++i) {
      const SequencerEffect effect = effects[i];
      if (effect.kind == SequencerEffect::Kind::kFill) sequencer.OnFillDone(effect.set_id, effect.op, &effects);
      if (effect.kind == SequencerEffect::Kind::kDrain) sequencer.OnDrained(effect.set_id, effect.op, &effects);
      if (effect.kind == SequencerEffect::Kind::kFire) ++num_fired;
    }
    effects.clear();
  };
  const auto pass = [&](Clock clock) {
    sequencer.OnPassBegin(0, &effects);
    for (uint32_t t = 0; t < kTables; ++t) {
      for (uint32_t p = 0; p < kPartitions; ++p) {
        subscribers[t][p].OnPublish(clock, false, false);
        sequencer.OnAge(t, p, &effects);
      }
    }
    carry();
    for (uint32_t op = 0; op < 2 * kTables; ++op) {
      sequencer.OnPosted(op, &effects);
      carry();
    }
    sequencer.OnPassEnd(0, &effects);
    carry();
  };
  for (Clock clock = 0; clock < 3; ++clock) pass(clock);
  const size_t before = g_allocations;
  for (Clock clock = 3; clock < 100; ++clock) pass(clock);
  CHECK(g_allocations == before);
  CHECK(num_fired == 100 * kTables);
}

}  // namespace geeps::protocol
