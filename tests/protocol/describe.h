// SPDX-License-Identifier: Apache-2.0
// Effects of the machines as one line of text each, so that a test compares a whole step with one sentence.
#ifndef GEEPS_TESTS_PROTOCOL_DESCRIBE_H_
#define GEEPS_TESTS_PROTOCOL_DESCRIBE_H_

#include <string>
#include <vector>

#include "runtime/protocol/contributor.h"
#include "runtime/protocol/keeper.h"
#include "runtime/protocol/message.h"
#include "runtime/protocol/subscriber.h"

namespace geeps::protocol {

inline std::string Numbered(const char* word, uint64_t number) { return std::string(word) + std::to_string(number); }

// "publish 1 v3 b0 unchanged", "apply c2 b0>b1", "answer v3 b0 to 3", "age 3", "fail clock p1 got 4 want 2"; async: "publish 1 v3 b0 own 2",
// "apply p1 c2".
inline std::string Describe(const KeeperEffect& effect) {
  static constexpr const char* kFaults[] = {"none",   "clock",  "set",     "empty", "params", "fire-without-data",
                                            "credit", "frozen", "observer"};
  switch (effect.kind) {
    case KeeperEffect::Kind::kApply:
      if (effect.alone) return Numbered("apply p", effect.participant) + Numbered(" c", effect.clock);
      return Numbered("apply c", effect.clock) + Numbered(" b", effect.from) + Numbered(">b", effect.to);
    case KeeperEffect::Kind::kPublish:
      return Numbered("publish ", effect.participant) + Numbered(" v", effect.age) + Numbered(" b", effect.from) +
             (effect.own_clock > 0 ? Numbered(" own ", effect.own_clock) : "") +
             ((effect.flags & kFlagHeaderOnly) != 0 ? " header-only" : "") +
             ((effect.flags & kFlagUnchanged) != 0 ? " unchanged" : "") +
             ((effect.flags & kFlagFrozen) != 0 ? " frozen" : "");
    case KeeperEffect::Kind::kAnswer:
      return Numbered("answer v", effect.age) + Numbered(" b", effect.from) +
             (effect.clock == kNoAge ? " all" : Numbered(" to ", effect.clock)) +
             ((effect.flags & kFlagFrozen) != 0 ? " frozen" : "");
    case KeeperEffect::Kind::kStoreAge:
      return Numbered("age ", effect.age) + ((effect.flags & kFlagFrozen) != 0 ? " frozen" : "");
    case KeeperEffect::Kind::kFail:
      return std::string("fail ") + kFaults[static_cast<int>(effect.fault)] + Numbered(" p", effect.participant) +
             (effect.fault == KeeperEffect::Fault::kParams ? Numbered(" other p", effect.other) : "") +
             Numbered(" got ", effect.clock) + Numbered(" want ", effect.age);
  }
  return "?";
}

// "send 0 c1 q0 fired", "fire k0 c1 q0", "fire k0 c1 nothing", "store c1 q0", "free c1".
inline std::string Describe(const ContributorEffect& effect) {
  const std::string set = effect.set_id == kSetNothing ? " nothing" : Numbered(" q", effect.set_id);
  switch (effect.kind) {
    case ContributorEffect::Kind::kSend:
      return Numbered("send ", effect.index) + Numbered(" c", effect.clock) + set + (effect.fired ? " fired" : "");
    case ContributorEffect::Kind::kFire:
      return Numbered("fire k", effect.index) + Numbered(" c", effect.clock) + set;
    case ContributorEffect::Kind::kStoreFired:
      return Numbered("store c", effect.clock) + set;
    case ContributorEffect::Kind::kEntryFree:
      return Numbered("free c", effect.clock);
  }
  return "?";
}

// "absorb", "changed credit 3", "fail", "" for nothing.
inline std::string Describe(const SubscriberEffects& effects) {
  std::string text;
  auto add = [&text](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  if (effects.absorb) add("absorb");
  if (effects.age_changed) add("changed");
  if (effects.credit) add(Numbered("credit ", effects.credit_age));
  if (effects.fail) add("fail");
  return text;
}

// All effects, separated by "; ".
template <typename Effect>
std::string DescribeAll(const std::vector<Effect>& effects) {
  std::string text;
  for (const Effect& effect : effects) text += (text.empty() ? "" : "; ") + Describe(effect);
  return text;
}

}  // namespace geeps::protocol

#endif  // GEEPS_TESTS_PROTOCOL_DESCRIBE_H_
