// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/refusals.h"

#include <functional>
#include <utility>
#include <vector>

#include "runtime/protocol/coordinator.h"
#include "runtime/protocol/get.h"
#include "runtime/protocol/keeper.h"
#include "runtime/protocol/set.h"
#include "runtime/protocol/subscriber.h"

namespace geeps::sim {
namespace {

using protocol::Age;
using protocol::Clock;
using protocol::KeeperEffect;
using protocol::KeeperPartition;
using protocol::kSetNothing;
using protocol::RuleParams;
using protocol::SubscriberPartition;

// A keeper of two participants, of which set 0 has data and set 1 has none, and whose next clock is 5.
struct Keeper {
  explicit Keeper(uint32_t slack_max) : machine(Options(slack_max)) { machine.Begin(&effects); }

  static protocol::KeeperOptions Options(uint32_t slack_max) {
    protocol::KeeperOptions options;
    options.slack_max = slack_max;
    options.first_age = 5;
    for (uint32_t rank : {0u, 3u}) {
      KeeperOptions::Participant participant;
      participant.rank = rank;
      participant.has_data = {true, false};
      options.participants.push_back(participant);
    }
    return options;
  }
  void Contribute(uint32_t participant, Clock clock, uint32_t set_id, bool empty, double lr = 0.5) {
    RuleParams params;
    params.num = 1;
    params.values[0] = lr;
    machine.OnContribution(participant, clock, set_id, empty, true, params, &effects);
  }
  bool Refused() const {
    for (const KeeperEffect& effect : effects) {
      if (effect.kind == KeeperEffect::Kind::kFail) return true;
    }
    return false;
  }

  using KeeperOptions = protocol::KeeperOptions;
  KeeperPartition machine;
  std::vector<KeeperEffect> effects;
};

struct Case {
  const char* what;
  std::function<bool()> refused;
};

// A keeper with slack_max 1 that is told `wrong` after nothing.
bool KeeperRefuses(const std::function<void(Keeper*)>& wrong, uint32_t slack_max = 1) {
  Keeper keeper(slack_max);
  if (keeper.Refused()) return false;
  wrong(&keeper);
  return keeper.Refused();
}

// The same; the second participant is an observer.
bool ObserverRefused(const std::function<void(Keeper*)>& wrong) {
  protocol::KeeperOptions options = Keeper::Options(1);
  options.participants[1].observer = true;
  options.participants[1].has_data = {false, false};
  Keeper keeper(1);
  keeper.machine = KeeperPartition(options);
  wrong(&keeper);
  return keeper.Refused();
}

// A subscriber that has absorbed version 5 and is told `wrong`.
bool SubscriberRefuses(const std::function<bool(SubscriberPartition*)>& wrong, bool mapped = false) {
  protocol::SubscriberOptions options;
  options.mapped = mapped;
  SubscriberPartition subscriber(options);
  if (mapped) {
    subscriber.OnAgeWord(5, false);
  } else {
    subscriber.OnPublish(5, true, false);
    subscriber.OnAbsorbed();
  }
  return wrong(&subscriber);
}

std::vector<Case> KeeperCases() {
  return {
      {"data of a clock that was skipped",
       [] { return KeeperRefuses([](Keeper* k) { k->Contribute(0, 6, 0, false); }); }},
      {"data of a clock before the first",
       [] { return KeeperRefuses([](Keeper* k) { k->Contribute(0, 4, 0, false); }); }},
      {"data of one clock twice",
       [] {
         return KeeperRefuses([](Keeper* k) {
           k->Contribute(0, 5, 0, false);
           k->Contribute(0, 5, 0, false);
         });
       }},
      {"data of a clock for which there is no landing slot",
       [] {
         return KeeperRefuses([](Keeper* k) {
           k->Contribute(0, 5, 0, false);
           k->Contribute(0, 6, 0, false);
           k->Contribute(0, 7, 0, false);
         });
       }},
      {"EMPTY for a clock beyond the window",
       [] {
         return KeeperRefuses(
             [](Keeper* k) {
               k->machine.OnFire(0, 5, 1, &k->effects);
               k->machine.OnFire(0, 6, 1, &k->effects);
             },
             0);
       }},
      {"data of an unknown set", [] { return KeeperRefuses([](Keeper* k) { k->Contribute(0, 5, 2, false); }); }},
      {"data where the set has none", [] { return KeeperRefuses([](Keeper* k) { k->Contribute(0, 5, 1, false); }); }},
      {"other rule parameters than those of the clock",
       [] {
         return KeeperRefuses([](Keeper* k) {
           k->Contribute(0, 5, 0, false, 0.5);
           k->Contribute(1, 5, 0, false, 0.25);
         });
       }},
      {"parameters that differ in the sign of zero only",
       [] {
         return KeeperRefuses([](Keeper* k) {
           k->Contribute(0, 5, 0, false, 0.0);
           k->Contribute(1, 5, 0, false, -0.0);
         });
       }},
      {"FIRE of a clock that was skipped",
       [] { return KeeperRefuses([](Keeper* k) { k->machine.OnFire(0, 6, 1, &k->effects); }); }},
      {"FIRE of one clock twice",
       [] {
         return KeeperRefuses([](Keeper* k) {
           k->machine.OnFire(0, 5, 1, &k->effects);
           k->machine.OnFire(0, 5, 1, &k->effects);
         });
       }},
      {"FIRE for a set with data that never came",
       [] { return KeeperRefuses([](Keeper* k) { k->machine.OnFire(0, 5, 0, &k->effects); }); }},
      {"FIRE for an unknown set",
       [] { return KeeperRefuses([](Keeper* k) { k->machine.OnFire(0, 5, 9, &k->effects); }); }},
      {"CREDIT for a version that was not sent",
       [] { return KeeperRefuses([](Keeper* k) { k->machine.OnCredit(0, 4, &k->effects); }); }},
      {"CREDIT twice",
       [] {
         return KeeperRefuses([](Keeper* k) {
           k->machine.OnCredit(0, 5, &k->effects);
           k->machine.OnCredit(0, 5, &k->effects);
         });
       }},
      {"data of an observer", [] { return ObserverRefused([](Keeper* k) { k->Contribute(1, 5, 1, true); }); }},
      {"FIRE of an observer",
       [] { return ObserverRefused([](Keeper* k) { k->machine.OnFire(1, 5, kSetNothing, &k->effects); }); }},
      {"data for a frozen partition",
       [] {
         protocol::KeeperOptions options = Keeper::Options(1);
         options.frozen = true;
         KeeperPartition machine(options);
         std::vector<KeeperEffect> effects;
         machine.OnContribution(0, 5, 0, false, true, RuleParams{}, &effects);
         return !effects.empty() && effects.back().kind == KeeperEffect::Kind::kFail;
       }},
  };
}

std::vector<Case> SubscriberCases() {
  return {
      {"a version that was absorbed before",
       [] { return SubscriberRefuses([](SubscriberPartition* s) { return s->OnPublish(5, true, false).fail; }); }},
      {"an older version",
       [] { return SubscriberRefuses([](SubscriberPartition* s) { return s->OnPublish(4, true, false).fail; }); }},
      {"an older version without values",
       [] { return SubscriberRefuses([](SubscriberPartition* s) { return s->OnPublish(4, false, false).fail; }); }},
      {"a version before the one before is absorbed",
       [] {
         return SubscriberRefuses([](SubscriberPartition* s) {
           s->OnPublish(6, true, false);
           return s->OnPublish(7, true, false).fail;
         });
       }},
      {"a version of a frozen partition",
       [] {
         return SubscriberRefuses([](SubscriberPartition* s) {
           s->OnPublish(6, true, true);
           s->OnAbsorbed();
           return s->OnPublish(7, true, false).fail;
         });
       }},
      {"a publish where the shard is mapped",
       [] {
         return SubscriberRefuses([](SubscriberPartition* s) { return s->OnPublish(6, true, false).fail; }, true);
       }},
      {"an age word that goes back",
       [] { return SubscriberRefuses([](SubscriberPartition* s) { return s->OnAgeWord(4, false).fail; }, true); }},
      {"an age word where nothing is mapped",
       [] { return SubscriberRefuses([](SubscriberPartition* s) { return s->OnAgeWord(6, false).fail; }); }},
  };
}

std::vector<Case> GetCases() {
  return {
      {"more GETs of one worker than it may have",
       [] {
         protocol::WaitingGets waiting(1);
         for (uint32_t i = 0; i < protocol::kGetsInFlight; ++i) {
           if (!waiting.Add({0, i, 1, 0, 0, 1})) return false;
         }
         return !waiting.Add({0, 0, 1, 0, 0, 1});
       }},
      {"an answer that is older than asked for",
       [] {
         protocol::Getter getter;
         protocol::Getter::Effects effects;
         getter.Begin(1, 5, {{0, 0, 0, 1}}, &effects);
         protocol::Header got;
         got.type = protocol::MessageType::kGot;
         got.call = 1;
         got.num_rows = 1;
         got.clock = 4;
         return !getter.OnGot(0, got, &effects);
       }},
      {"a cause behind the verdict",
       [] {
         protocol::Coordinator::Options options;
         options.world = 3;
         protocol::Coordinator coordinator(options, 0);
         std::vector<protocol::CoordinatorEffect> effects;
         for (uint32_t rank = 0; rank < 3; ++rank) {
           protocol::Hello hello;
           hello.rank = rank;
           hello.world = 3;
           coordinator.OnHello(rank, hello, 0, &effects);
         }
         coordinator.OnClosed(1, 0, &effects);
         effects.clear();
         coordinator.OnClosed(2, 0, &effects);
         return effects.empty();
       }},
      {"an acknowledgement of what was not set",
       [] {
         protocol::SetExchange sets;
         std::vector<uint32_t> send;
         return !sets.OnAck(0, 0, 1, &send);
       }},
  };
}

}  // namespace

std::string FirstAccepted(uint32_t* num_refused) {
  *num_refused = 0;
  for (const auto& cases : {KeeperCases(), SubscriberCases(), GetCases()}) {
    for (const Case& bad : cases) {
      if (!bad.refused()) return bad.what;
      ++*num_refused;
    }
  }
  return "";
}

}  // namespace geeps::sim
