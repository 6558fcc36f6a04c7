// SPDX-License-Identifier: Apache-2.0
// World: events in words.
#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace geeps::sim {

using protocol::Header;
using protocol::MessageType;

const char* NameOf(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::kNone:
      return "none";
    case Event::Kind::kProgram:
      return "program";
    case Event::Kind::kNotice:
      return "notice";
    case Event::Kind::kTaken:
      return "taken";
    case Event::Kind::kSent:
      return "sent";
    case Event::Kind::kArrive:
      return "arrive";
    case Event::Kind::kApplied:
      return "applied";
    case Event::Kind::kAbsorbed:
      return "absorbed";
    case Event::Kind::kFilled:
      return "filled";
    case Event::Kind::kDrained:
      return "drained";
    case Event::Kind::kSeeFired:
      return "see fired";
    case Event::Kind::kSeeAge:
      return "see age";
    case Event::Kind::kGet:
      return "get";
    case Event::Kind::kUp:
      return "tells the coordinator";
    case Event::Kind::kDown:
      return "hears the coordinator";
    case Event::Kind::kKill:
      return "is lost";
    case Event::Kind::kCount:
      break;
  }
  return "?";
}

std::string World::Describe(const Event& event) const {
  std::string text = absl::StrCat("worker ", event.worker, ": ", NameOf(event.kind));
  switch (event.kind) {
    case Event::Kind::kProgram: {
      const ProgramState& program = state_.workers[event.worker].program;
      absl::StrAppend(&text, " (pass ", program.pass_number, ", step ", program.step, ", clock ", program.clock, ")");
      if (program.finished || !program.in_pass) return text;
      const plan::PlannedPass& planned = spec_->workers[event.worker].layout.plans[PassOf(event.worker).set_id];
      if (program.step >= planned.steps.size()) return text;
      const plan::Step step = planned.steps[program.step];
      const plan::PlannedOp& op = planned.ops[step.op];
      static constexpr const char* kKinds[] = {"read", "update", "local access"};
      absl::StrAppend(&text, step.end ? " ends " : " begins ", kKinds[static_cast<int>(op.kind)], " ", step.op,
                      " of table ", op.table, op.in_place ? " in place" : "");
      for (size_t i = 0; i < op.subscriptions.size(); ++i) {
        const uint32_t p = spec_->workers[event.worker].tables[op.table].subscriptions[op.subscriptions[i]].partition;
        absl::StrAppend(
            &text, ", partition ", p, " version ",
            static_cast<int64_t>(state_.workers[event.worker].ops[PassOf(event.worker).set_id][step.op].ages[i]));
      }
      return text;
    }
    case Event::Kind::kArrive: {
      const Channel& channel = state_.channels[event.a];
      if (channel.messages.empty()) return text;
      const Header& header = channel.messages.front().header;
      static constexpr const char* kTypes[] = {"?",       "CONTRIB", "FIRE", "PUBLISH", "CREDIT", "WHO",
                                               "MISSING", "GET",     "GOT",  "SET",     "ACK"};
      absl::StrAppend(&text, " ", kTypes[static_cast<int>(header.type)], " from ", event.a / spec_->world, ", table ",
                      header.table);
      if (header.type != MessageType::kFire) absl::StrAppend(&text, ", partition ", header.partition);
      return absl::StrCat(text, ", clock ", header.clock,
                          header.flags == 0 ? "" : absl::StrCat(", flags ", header.flags));
    }
    case Event::Kind::kTaken:
      return absl::StrCat(text, " channel ", event.a / spec_->world, " to ", event.a % spec_->world, ", message ",
                          event.c);
    case Event::Kind::kSent:
      if (event.c == kAnswerSent) return absl::StrCat(text, " answer out of partition ", event.a);
      return event.c == kPublishSent
                 ? absl::StrCat(text, " publish of partition ", event.a, " to participant ", event.b)
                 : absl::StrCat(text, " contribution to partition ", event.a, ", clock ", event.c);
    case Event::Kind::kApplied:
      return absl::StrCat(text, " partition ", event.a, ", clock ", state_.keepers[event.a].clock);
    case Event::Kind::kSeeFired:
      return absl::StrCat(text, " of participant ", event.b, ", partition ", event.a);
    case Event::Kind::kAbsorbed:
    case Event::Kind::kSeeAge:
      return absl::StrCat(text, " table ", event.a, ", subscription ", event.b);
    case Event::Kind::kFilled:
    case Event::Kind::kDrained:
      return absl::StrCat(text, " plan ", event.a, ", operation ", event.b);
    default:
      return text;
  }
}

}  // namespace geeps::sim
