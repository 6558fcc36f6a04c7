// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/job.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::sim {

using protocol::Clock;
using protocol::EpochVerdict;

const char* NameOf(Job::Member::State state) {
  static constexpr const char* kNames[] = {
      "runs", "drains", "has entered", "builds", "has entered again", "waits for the first versions", "is over"};
  return kNames[static_cast<int>(state)];
}

namespace {

// All have met, and the first commit is over: epoch 1 begins.
protocol::Coordinator MetCoordinator(uint32_t world, Clock clock) {
  protocol::Coordinator::Options options;
  options.world = world;
  protocol::Coordinator coordinator(options, 0);
  std::vector<protocol::CoordinatorEffect> effects;
  for (uint32_t rank = 0; rank < world; ++rank) {
    protocol::Hello hello;
    hello.rank = rank;
    hello.world = world;
    coordinator.OnHello(rank, hello, 0, &effects);
  }
  for (uint8_t phase : {1, 2}) {
    protocol::Enter enter;
    enter.kind = protocol::FenceKind::kCommit;
    enter.phase = phase;
    enter.clock = clock;
    for (uint32_t rank = 0; rank < world; ++rank) coordinator.OnEnter(rank, enter, 0, &effects);
  }
  return coordinator;
}

// Everything that the programs will contribute in a stage, known before they run.
void AddContributions(const WorldSpec& spec, Reference* reference) {
  for (uint32_t w = 0; w < spec.world; ++w) {
    Clock clock = spec.input.first_clock;
    for (const Pass& pass : spec.input.workers[w].passes) {
      const plan::RecordedPlan& plan = spec.input.workers[w].plans[pass.set_id];
      if (plan.no_clock) continue;
      for (const plan::Step& step : plan.steps) {
        const plan::Operation& op = plan.ops[step.op];
        if (!step.end || op.kind != plan::OpKind::kUpdate || (!pass.skipped.empty() && pass.skipped[step.op] != 0))
          continue;
        const uint32_t t = static_cast<uint32_t>(op.object - TableObject(0));
        op.rows.ForEachRow([&](uint64_t row) {
          std::vector<double> values;
          for (uint32_t lane = 0; lane < spec.lanes(t); ++lane) {
            values.push_back(UpdateValue(spec, w, clock, HashOf(pass.set_id, step.op), t, row, lane));
          }
          reference->Add(w, t, clock, row, values);
        });
      }
      for (uint32_t t = 0; t < spec.input.tables.size(); ++t) reference->Fire(w, t, clock);
      ++clock;
    }
  }
}

}  // namespace

absl::StatusOr<Job::Specs> Job::BuildSpecs(const JobInput& input) {
  Specs specs;
  for (WorldInput stage : input.stages) {
    for (size_t w = 0; !specs.empty() && w < stage.workers.size(); ++w) {
      const WorldInput::Worker& before = specs.back()->input.workers[w];
      stage.workers[w].gets_go_on = before.gets_go_on || !before.gets.empty();
    }
    GEEPS_ASSIGN_OR_RETURN(std::shared_ptr<const WorldSpec> spec, BuildSpec(std::move(stage)));
    specs.push_back(std::move(spec));
  }
  return specs;
}

Job::Job(JobInput input, Specs specs, WorldMode mode, bool checked)
    : input_(std::move(input)),
      checked_(checked),
      state_{{}, {}, MetCoordinator(specs[0]->world, specs[0]->input.first_clock), {}, 0, false, {}} {
  state_.members.resize(specs[0]->world);
  for (uint32_t stage = 0; stage < specs.size(); ++stage) {
    worlds_.push_back(std::make_unique<World>(specs[stage], mode, stage, &state_.pool, this));
  }
  checkers_.resize(worlds_.size());
  references_.resize(worlds_.size());
  if (!checked_) MakeReferences();
}

Job::~Job() = default;

void Job::Fail(const std::string& text) {
  if (state_.violation.empty()) state_.violation = text;
}

double Job::SetValue(const SetCall& call, uint64_t row, uint32_t lane) const {
  return static_cast<double>(HashOf(call.worker, call.table, call.first_row, call.num_rows, row, lane) & 0xffff);
}

// The checker's world of a stage: what the stage before has left, and on top of it what is set, in the order (rank,
// call).
CheckedWorld Job::CheckedAt(uint32_t stage, const std::vector<std::vector<double>>& values,
                            const std::vector<std::vector<std::vector<double>>>& states) const {
  const WorldSpec& spec = worlds_[stage]->spec();
  CheckedWorld checked = spec.checked;
  for (uint32_t p = 0; p < checked.partitions.size(); ++p) {
    checked.partitions[p].initial = values[p];
    checked.partitions[p].initial_states = states[p];
  }
  for (uint32_t w = 0; w < spec.world; ++w) {
    for (const bool late : {true, false}) {
      for (const SetCall& call : input_.fences[stage - 1].sets) {
        if (call.worker != w || call.late != late) continue;
        for (uint64_t row = call.first_row; row < call.first_row + call.num_rows; ++row) {
          CheckedPartition& partition = checked.partitions[spec.partition_of_row[call.table][row]];
          const uint32_t lanes = spec.lanes(call.table);
          for (uint32_t lane = 0; lane < lanes; ++lane) {
            const size_t place = (row - partition.first_row) * lanes + lane;
            partition.initial[place] = SetValue(call, row, lane);
            for (std::vector<double>& state : partition.initial_states) {
              if (!call.keep_state) state[place] = 0.0;
            }
          }
        }
      }
    }
  }
  return checked;
}

void Job::MakeReferences() {
  for (uint32_t stage = 0; stage < worlds_.size(); ++stage) {
    const WorldSpec& spec = worlds_[stage]->spec();
    CheckedWorld checked = spec.checked;
    if (stage > 0) {
      std::vector<std::vector<double>> values;
      std::vector<std::vector<std::vector<double>>> states;
      const Reference& before = *references_[stage - 1];
      for (uint32_t p = 0; p < checked.partitions.size(); ++p) {
        values.push_back(before.Last(p));
        states.push_back(before.LastStates(p));
      }
      checked = CheckedAt(stage, values, states);
    }
    references_[stage] = std::make_unique<Reference>(std::move(checked));
    AddContributions(spec, references_[stage].get());
    worlds_[stage]->SetJudge(nullptr, references_[stage].get());
  }
}

// Everybody has drained: what the stage before leaves is what its reference says, and what the next one begins with.
void Job::BeginStage(uint32_t stage) {
  ++state_.stages_begun;
  if (stage > 0) {
    worlds_[stage - 1]->CheckCopiesOfAll();
    if (!worlds_[stage - 1]->violation().empty()) Fail(worlds_[stage - 1]->violation());
  }
  if (!checked_) return;
  CheckedWorld checked = worlds_[stage]->spec().checked;
  if (stage > 0) {
    std::vector<std::vector<double>> values;
    std::vector<std::vector<std::vector<double>>> states;
    for (uint32_t p = 0; p < checked.partitions.size(); ++p) {
      values.push_back(worlds_[stage - 1]->KeptValues(p));
      states.push_back(worlds_[stage - 1]->KeptStates(p));
    }
    checked = CheckedAt(stage, values, states);
  }
  checkers_[stage] = std::make_unique<Checker>(std::move(checked));
  worlds_[stage]->SetJudge(checkers_[stage].get(), nullptr);
}

void Job::Start() {
  BeginStage(0);
  worlds_[0]->FillInitial();
  if (input_.lost != kNone) state_.pool.Schedule({Event::Kind::kKill, input_.lost, 0, 0, 0, kNone});
  for (uint32_t w = 0; w < num_workers(); ++w) MakeSets(w, 0, true);
  for (uint32_t w = 0; w < num_workers(); ++w) worlds_[0]->Begin(w);
  for (uint32_t w = 0; w < num_workers(); ++w) worlds_[0]->Resume(w);
  for (uint32_t w = 0; w < num_workers(); ++w) Step(w);
}

void Job::Execute(uint32_t index) {
  const Event event = state_.pool.Take(index);
  switch (event.kind) {
    case Event::Kind::kUp:
      TakeUp(event.worker);
      break;
    case Event::Kind::kDown:
      TakeDown(event.worker);
      break;
    case Event::Kind::kKill:
      Lose(event.worker);
      break;
    default:
      worlds_[event.stage]->Execute(event);
      break;
  }
  Step(event.worker);
  for (const std::unique_ptr<World>& world : worlds_) {
    if (!world->violation().empty()) Fail(world->violation());
  }
}

EpochVerdict Job::Judge(uint32_t stage, const protocol::Header& header, uint32_t to) {
  const EpochVerdict verdict = JudgeEpoch(header.type, header.epoch, state_.members[to].epoch);
  const bool may_wait = header.type == protocol::MessageType::kPublish || header.type == protocol::MessageType::kGet;
  if (verdict == EpochVerdict::kWait && !may_wait) {
    Fail(absl::StrCat("worker ", to, ": a message of type ", static_cast<int>(header.type),
                      " comes before its epoch has begun"));
  }
  const bool is_mark = header.type == protocol::MessageType::kFire;
  if (verdict == EpochVerdict::kDrop && is_mark && !worlds_[stage]->spec().input.tables[header.table].async) {
    Fail(absl::StrCat("worker ", to, ": a mark of bounded table ", header.table, " comes when its epoch is over"));
  }
  return verdict;
}

bool Job::IsBehind(uint32_t stage, uint32_t channel) {
  for (uint32_t older = 0; older < stage; ++older) {
    if (!worlds_[older]->state().channels[channel].messages.empty()) return true;
  }
  return false;
}

void Job::OnChannelEmpty(uint32_t stage, uint32_t channel) {
  if (stage + 1 < worlds_.size()) worlds_[stage + 1]->ArriveIfTaken(channel);
}

void Job::OnClock(uint32_t w, Clock clock) {
  if (!input_.beats) return;
  Control beat;
  beat.kind = Control::Kind::kBeat;
  beat.clock = clock;
  Tell(w, beat);
}

void Job::OnAtFence(uint32_t w) {
  Member& member = state_.members[w];
  const bool ends = !input_.shutdown && AtEndOfStage(w) && member.stage + 1 == worlds_.size();
  member.state = ends ? Member::State::kOver : Member::State::kDraining;
}

void Job::CheckEnd() {
  std::string cause;
  bool over = false;
  for (uint32_t w = 0; w < num_workers(); ++w) {
    const Member& member = state_.members[w];
    if (member.lost) continue;
    const bool at_end = member.state == Member::State::kOver;
    if (!at_end && member.cause.empty()) return Fail(absl::StrCat("deadlock: ", DescribeWaits()));
    if (!member.cause.empty() && !cause.empty() && member.cause != cause) {
      return Fail(absl::StrCat("two causes: '", cause, "' and '", member.cause, "'"));
    }
    if (!member.cause.empty()) cause = member.cause;
    over = over || at_end;
  }
  if (over && !cause.empty()) return Fail(absl::StrCat("some workers are over, others know of: ", cause));
  if (!cause.empty()) {
    for (const std::string& expected : ExpectedCauses()) {
      if (cause.find(expected) != std::string::npos) return;
    }
    return Fail(absl::StrCat("the job ends with: ", cause));
  }
  if (input_.uneven && input_.lost == kNone) return Fail("nobody has noticed that the clocks are uneven");
  if (input_.lost == kNone) worlds_.back()->CheckEnd();
  if (!worlds_.back()->violation().empty()) Fail(worlds_.back()->violation());
}

std::vector<std::string> Job::ExpectedCauses() const {
  std::vector<std::string> causes;
  if (input_.uneven) causes.push_back("all workers must end the same number of clocks");
  if (input_.lost == 0) causes.push_back("the coordinator is lost");
  if (input_.lost != kNone && input_.lost > 0) causes.push_back(absl::StrCat("rank ", input_.lost, " "));
  return causes;
}

Job::State Job::Save() const {
  State state = state_;
  for (const std::unique_ptr<World>& world : worlds_) state.worlds.push_back(world->state());
  return state;
}

void Job::Restore(const State& state) {
  for (size_t i = 0; i < worlds_.size(); ++i) worlds_[i]->Restore(state.worlds[i]);
  state_.members = state.members;
  state_.coordinator = state.coordinator;
  state_.pool = state.pool;
  state_.stages_begun = state.stages_begun;
  state_.coordinator_lost = state.coordinator_lost;
  state_.violation = state.violation;
}

uint64_t Job::Digest() const {
  Hasher hasher;
  for (const std::unique_ptr<World>& world : worlds_) hasher.Add(world->Digest());
  hasher.Add(state_.coordinator.StateDigest());
  hasher.Add(state_.stages_begun * 2 + (state_.coordinator_lost ? 1 : 0));
  for (const Member& member : state_.members) {
    hasher.Add(static_cast<uint64_t>(member.state) * 4096 + member.epoch * 256 + member.num_built);
    hasher.Add((member.exchanging ? 1 : 0) + (member.called ? 2 : 0) + (member.failed ? 4 : 0) + (member.lost ? 8 : 0) +
               (member.cause.empty() ? 0 : 16));
    hasher.Add(member.sets.StateDigest());
    for (const auto* queue : {&member.up, &member.down}) {
      hasher.Add(queue->size());
      for (const Control& control : *queue) {
        const protocol::Enter& enter = control.enter;
        hasher.Add(HashOf(static_cast<uint64_t>(control.kind), control.source, control.destination, control.clock));
        hasher.Add(HashOf(static_cast<uint64_t>(enter.kind), enter.phase, enter.clock, enter.sets, enter.failed));
        hasher.Add(HashOf(static_cast<uint64_t>(control.header.type), control.header.partition, control.header.call));
        hasher.Add(HashOf(control.go.phase, control.go.epoch, control.go.sets));
      }
    }
  }
  uint64_t events = 0;
  for (const Event& event : state_.pool.events) {
    const bool own =
        event.kind == Event::Kind::kUp || event.kind == Event::Kind::kDown || event.kind == Event::Kind::kKill;
    if (own) events += HashOf(static_cast<uint64_t>(event.kind), event.worker);
  }
  hasher.Add(events);
  return hasher.value();
}

std::string Job::Describe(const Event& event) const {
  if (event.stage != kNone) {
    return absl::StrCat(event.stage > 0 ? absl::StrCat("epoch ", event.stage + 1, ": ") : "",
                        worlds_[event.stage]->Describe(event));
  }
  const Member& member = state_.members[event.worker];
  const std::deque<Control>& queue = event.kind == Event::Kind::kUp ? member.up : member.down;
  std::string text = absl::StrCat("worker ", event.worker, " ", NameOf(event.kind));
  if (event.kind == Event::Kind::kKill || queue.empty()) return text;
  const Control& control = queue.front();
  static constexpr const char* kNames[] = {"ENTER", "BEAT", "closed", "built", "relay", "GO", "FAIL", "DOWN", "lost"};
  absl::StrAppend(&text, ": ", kNames[static_cast<int>(control.kind)]);
  if (control.kind == Control::Kind::kEnter) absl::StrAppend(&text, ", phase ", static_cast<int>(control.enter.phase));
  if (control.kind == Control::Kind::kGo)
    absl::StrAppend(&text, ", phase ", static_cast<int>(control.go.phase), ", epoch ", control.go.epoch);
  if (control.kind == Control::Kind::kRelay) {
    absl::StrAppend(&text, control.header.type == protocol::MessageType::kSet ? ", SET" : ", ACK", " of partition ",
                    control.header.partition, ", call ", control.header.call, " from ", control.source);
  }
  return text;
}

std::string Job::DescribeWaits() const {
  std::string text;
  for (uint32_t w = 0; w < num_workers(); ++w) {
    const Member& member = state_.members[w];
    absl::StrAppend(&text, w == 0 ? "" : "; ", "worker ", w, " ", member.lost ? "is lost" : NameOf(member.state));
    if (member.state == Member::State::kDraining && !member.lost)
      absl::StrAppend(&text, " ", worlds_[member.stage]->DescribeDrain(w));
  }
  for (const std::unique_ptr<World>& world : worlds_) {
    const std::string waits = world->DescribeWaits();
    if (!waits.empty()) absl::StrAppend(&text, "; ", waits);
  }
  return text;
}

}  // namespace geeps::sim
