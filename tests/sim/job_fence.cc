// SPDX-License-Identifier: Apache-2.0
// Job: what workers and coordinator tell one another, and a worker's way through a fence, as the movers go it.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "tests/sim/job.h"

namespace geeps::sim {

using protocol::CoordinatorEffect;
using protocol::EpochVerdict;
using protocol::FenceKind;
using protocol::JudgeEpoch;
using protocol::MessageType;

// To the coordinator, and from it: in order.
void Job::Tell(uint32_t w, Control control) {
  Member& member = state_.members[w];
  member.up.push_back(std::move(control));
  if (member.up.size() == 1) state_.pool.Schedule({Event::Kind::kUp, w, 0, 0, 0, kNone});
}

void Job::Say(uint32_t w, Control control) {
  Member& member = state_.members[w];
  member.down.push_back(std::move(control));
  if (member.down.size() == 1) state_.pool.Schedule({Event::Kind::kDown, w, 0, 0, 0, kNone});
}

void Job::TakeUp(uint32_t w) {
  Member& member = state_.members[w];
  const Control control = std::move(member.up.front());
  member.up.pop_front();
  if (!member.up.empty()) state_.pool.Schedule({Event::Kind::kUp, w, 0, 0, 0, kNone});
  if (state_.coordinator_lost) return;
  std::vector<CoordinatorEffect> effects;
  switch (control.kind) {
    case Control::Kind::kEnter:
      state_.coordinator.OnEnter(w, control.enter, 0, &effects);
      break;
    case Control::Kind::kBeat:
      state_.coordinator.OnBeat(w, control.clock, 0, &effects);
      break;
    case Control::Kind::kClosed:
      state_.coordinator.OnClosed(w, 0, &effects);
      break;
    default:
      return Say(control.destination, control);
  }
  Run(effects);
}

void Job::Run(const std::vector<CoordinatorEffect>& effects) {
  for (const CoordinatorEffect& effect : effects) {
    Control control;
    control.go = effect.go;
    control.cause = effect.cause.text;
    if (effect.kind == CoordinatorEffect::Kind::kGo) {
      control.kind = Control::Kind::kGo;
      const bool begins = effect.go.phase == 2;
      if (begins && state_.stages_begun < worlds_.size()) BeginStage(state_.stages_begun);
    } else if (effect.kind == CoordinatorEffect::Kind::kFail) {
      control.kind = Control::Kind::kFail;
    } else if (effect.kind == CoordinatorEffect::Kind::kDown) {
      control.kind = Control::Kind::kDown;
    } else {
      continue;
    }
    for (uint32_t w = 0; w < num_workers(); ++w) Say(w, control);
  }
}

void Job::TakeDown(uint32_t w) {
  Member& member = state_.members[w];
  const Control control = std::move(member.down.front());
  member.down.pop_front();
  if (!member.down.empty()) state_.pool.Schedule({Event::Kind::kDown, w, 0, 0, 0, kNone});
  if (member.lost) return;
  const bool ends = control.kind == Control::Kind::kDown || control.kind == Control::Kind::kCoordinatorLost;
  if (ends) return Latch(w, control.cause);
  if (!member.cause.empty()) return;
  switch (control.kind) {
    case Control::Kind::kGo:
      OnGo(w, control.go);
      break;
    case Control::Kind::kFail:
      // The program tries again.
      member.sets.OnFail();
      member.staged.clear();
      member.num_built = 0;
      member.exchanging = false;
      member.state = Member::State::kDraining;
      break;
    case Control::Kind::kBuilt:
      ++member.num_built;
      break;
    default:
      OnRelay(w, control);
      break;
  }
}

void Job::Latch(uint32_t w, const std::string& cause) {
  Member& member = state_.members[w];
  if (member.state == Member::State::kOver) return;
  if (!member.cause.empty()) return Fail(absl::StrCat("worker ", w, " hears a second cause: ", cause));
  member.cause = cause;
  for (const std::unique_ptr<World>& world : worlds_) world->Stop(w);
}

void Job::Lose(uint32_t w) {
  Member& member = state_.members[w];
  if (member.lost || member.state == Member::State::kOver) return;
  member.lost = true;
  for (const std::unique_ptr<World>& world : worlds_) world->Stop(w);
  if (w != 0) {
    Control closed;
    closed.kind = Control::Kind::kClosed;
    return Tell(w, closed);
  }
  state_.coordinator_lost = true;
  Control lost;
  lost.kind = Control::Kind::kCoordinatorLost;
  lost.cause = "the coordinator is lost";
  for (uint32_t other = 1; other < num_workers(); ++other) Say(other, lost);
}

bool Job::AtEndOfStage(uint32_t w) const { return worlds_[state_.members[w].stage]->finished(w); }

// Goes on in the fence as far as worker w can.
void Job::Step(uint32_t w) {
  Member& member = state_.members[w];
  if (member.lost || !member.cause.empty()) return;
  World* const world = worlds_[member.stage].get();
  if (member.state == Member::State::kAbsorbing && world->IsAbsorbed(w)) {
    member.state = Member::State::kRunning;
    world->Resume(w);
  }
  if (member.state == Member::State::kDraining && world->Drain(w)) Enter(w);
  if (member.state == Member::State::kBuilding && !member.exchanging && member.num_built == num_workers())
    BeginExchange(w);
  if (member.state == Member::State::kBuilding && member.exchanging && member.sets.CanEnter() &&
      world->ObserversDone(w))
    EnterAgain(w);
}

void Job::MakeSets(uint32_t w, size_t fence, bool late) {
  if (fence >= input_.fences.size()) return;
  Member& member = state_.members[w];
  for (const SetCall& call : input_.fences[fence].sets) {
    if (call.worker != w || call.late != late) continue;
    member.calls.push_back(call);
    if (member.sets.OnSet() != member.calls.size()) Fail("a call of set has an unexpected number");
  }
}

void Job::Enter(uint32_t w) {
  Member& member = state_.members[w];
  const bool end = AtEndOfStage(w);
  const bool first = end && !member.called;
  if (first) MakeSets(w, member.stage, false);
  member.called = member.called || end;
  Control control;
  control.kind = Control::Kind::kEnter;
  control.enter.clock = worlds_[member.stage]->state().workers[w].program.clock;
  control.enter.kind = FenceKind::kFence;
  if (end && member.stage == input_.fences.size()) control.enter.kind = FenceKind::kShutdown;
  if (end && member.stage < input_.fences.size() && input_.fences[member.stage].commit)
    control.enter.kind = FenceKind::kCommit;
  control.enter.sets = member.sets.has_pending();
  member.sets.OnEnter();
  member.state = Member::State::kEntered;
  Tell(w, control);
  if (first) MakeSets(w, member.stage + 1, true);
}

void Job::EnterAgain(uint32_t w) {
  Member& member = state_.members[w];
  Control control;
  control.kind = Control::Kind::kEnter;
  control.enter.clock = worlds_[member.stage]->state().workers[w].program.clock;
  control.enter.kind = input_.fences[member.stage].commit ? FenceKind::kCommit : FenceKind::kFence;
  control.enter.phase = 2;
  control.enter.failed = input_.fences[member.stage].fails == w && !member.failed;
  control.enter.cause.code = static_cast<int32_t>(Code::kNoMemory);
  member.failed = member.failed || control.enter.failed;
  member.state = Member::State::kReentered;
  Tell(w, control);
}

void Job::OnGo(uint32_t w, const protocol::Go& go) {
  Member& member = state_.members[w];
  const Member::State due = go.phase == 1 ? Member::State::kEntered : Member::State::kReentered;
  if (member.state != due) {
    return Fail(
        absl::StrCat("worker ", w, ": GO of phase ", static_cast<int>(go.phase), " while it ", NameOf(member.state)));
  }
  if (go.phase == 2) return BeginEpoch(w, go);
  if (go.kind == FenceKind::kShutdown) {
    member.state = Member::State::kOver;
    Control closed;
    closed.kind = Control::Kind::kClosed;
    return Tell(w, closed);
  }
  if (go.kind == FenceKind::kFence && !go.sets) {
    member.state = Member::State::kRunning;
    return worlds_[member.stage]->Resume(w);
  }
  member.state = Member::State::kBuilding;
  member.next_epoch = go.epoch;
  Control built;
  built.kind = Control::Kind::kBuilt;
  built.source = w;
  for (uint32_t other = 0; other < num_workers(); ++other) {
    built.destination = other;
    Tell(w, built);
  }
}

// All have built: what is set is cut by the next layout and sent.
void Job::BeginExchange(uint32_t w) {
  Member& member = state_.members[w];
  member.exchanging = true;
  std::vector<protocol::SetPart> parts;
  const WorldSpec& spec = worlds_[member.stage + 1]->spec();
  for (uint64_t number = member.sets.first_offered(); number < member.sets.end_offered(); ++number) {
    const SetCall& call = member.calls[number - 1];
    for (uint32_t p = 0; p < spec.partitions.size(); ++p) {
      const table::Partition& where = spec.partitions[p].where;
      const uint64_t first = std::max(where.first_row, call.first_row);
      const uint64_t end = std::min(where.end_row(), call.first_row + call.num_rows);
      if (where.table != call.table || first >= end) continue;
      parts.push_back({number, where.keeper, p, static_cast<uint32_t>(first - where.first_row),
                       static_cast<uint32_t>(end - first), call.keep_state});
    }
  }
  std::vector<uint32_t> send;
  member.sets.Begin(std::move(parts), &send);
  SendSets(w, send);
}

void Job::SendSets(uint32_t w, const std::vector<uint32_t>& indexes) {
  Member& member = state_.members[w];
  const WorldSpec& spec = worlds_[member.stage]->spec();
  for (uint32_t index : indexes) {
    const protocol::SetPart& part = member.sets.part(index);
    const SetCall& call = member.calls[part.call - 1];
    Control control;
    control.kind = Control::Kind::kRelay;
    control.source = w;
    control.destination = part.keeper;
    control.header.type = MessageType::kSet;
    control.header.flags = part.keep_state ? protocol::kFlagKeepState : 0;
    control.header.epoch = member.next_epoch;
    control.header.table = call.table;
    control.header.partition = part.partition;
    control.header.call = part.call;
    control.header.first_row = part.first_row;
    control.header.num_rows = part.num_rows;
    const uint64_t first_row = spec.partitions[part.partition].where.first_row + part.first_row;
    for (uint64_t row = first_row; row < first_row + part.num_rows; ++row) {
      for (uint32_t lane = 0; lane < spec.lanes(call.table); ++lane)
        control.values.push_back(SetValue(call, row, lane));
    }
    Tell(w, control);
  }
}

void Job::OnRelay(uint32_t w, const Control& control) {
  Member& member = state_.members[w];
  const protocol::Header& header = control.header;
  bool taken = JudgeEpoch(header.type, header.epoch, member.epoch) == EpochVerdict::kTake;
  if (taken && header.type == MessageType::kSet) {
    const bool keep_state = (header.flags & protocol::kFlagKeepState) != 0;
    taken = member.sets.OnSetMessage({control.source, header.call, header.partition, header.first_row, header.num_rows,
                                      keep_state, static_cast<uint32_t>(member.staged.size())});
    member.staged.push_back(control.values);
    Control ack;
    ack.kind = Control::Kind::kRelay;
    ack.source = w;
    ack.destination = control.source;
    ack.header.type = MessageType::kAck;
    ack.header.epoch = header.epoch;
    ack.header.table = header.table;
    ack.header.partition = header.partition;
    ack.header.call = header.call;
    if (taken) Tell(w, ack);
  } else if (taken) {
    std::vector<uint32_t> send;
    taken = member.sets.OnAck(control.source, header.partition, header.call, &send);
    SendSets(w, send);
  }
  if (taken) return;
  Fail(absl::StrCat("worker ", w, " in epoch ", member.epoch, ": a message of type ", static_cast<int>(header.type),
                    " of epoch ", header.epoch, " by worker ", control.source, " must be refused"));
}

// The second GO: from now on worker w is in the next world.
void Job::BeginEpoch(uint32_t w, const protocol::Go& go) {
  Member& member = state_.members[w];
  World* const before = worlds_[member.stage].get();
  World* const next = worlds_[member.stage + 1].get();
  if (go.epoch != member.epoch + 1 || go.epoch != member.next_epoch) {
    return Fail(absl::StrCat("worker ", w, ": GO into epoch ", go.epoch, " in epoch ", member.epoch));
  }
  next->TakeOver(*before, w);
  for (const protocol::StagedSet& set : member.sets.OnGo()) next->ApplySet(set, member.staged[set.place]);
  member.staged.clear();
  member.num_built = 0;
  member.exchanging = false;
  member.called = false;
  member.failed = false;
  member.epoch = go.epoch;
  ++member.stage;
  member.state = Member::State::kAbsorbing;
  before->MoveGets(w, next);
  next->Begin(w);
  next->ReleaseHeld(w);
}

}  // namespace geeps::sim
