// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace geeps::sim {

using protocol::Header;
using protocol::KeeperEffect;
using protocol::MessageType;

void EventPool::Schedule(const Event& event) {
  uint32_t index = static_cast<uint32_t>(events.size());
  if (!free.empty()) {
    index = free.back();
    free.pop_back();
    events[index] = event;
  } else {
    events.push_back(event);
  }
  if (sink != nullptr) sink->OnScheduled(index);
}

Event EventPool::Take(uint32_t index) {
  const Event event = events[index];
  events[index].kind = Event::Kind::kNone;
  free.push_back(index);
  return event;
}

World::World(std::shared_ptr<const WorldSpec> spec, WorldMode mode, uint32_t stage, EventPool* pool, WorldHost* host)
    : spec_(std::move(spec)), mode_(mode), stage_(stage), pool_(pool), host_(host), state_(spec_->map.size()) {
  const uint32_t world = spec_->world;
  state_.channels.resize(world * world);
  state_.keepers.resize(spec_->partitions.size());
  for (uint32_t p = 0; p < state_.keepers.size(); ++p) {
    KeeperState& keeper = state_.keepers[p];
    keeper.machine.emplace(spec_->partitions[p].options);
    keeper.seen_fired.assign(spec_->partitions[p].participants.size(), spec_->input.first_clock);
    keeper.fired_noticed.assign(spec_->partitions[p].participants.size(), false);
  }
  state_.workers.resize(world);
  for (uint32_t w = 0; w < world; ++w) {
    const WorkerSpec& worker_spec = spec_->workers[w];
    WorkerState& worker = state_.workers[w];
    worker.program.clock = spec_->input.first_clock;
    worker.waiting_gets.emplace(world);
    worker.gets.list = spec_->input.workers[w].gets;
    for (uint32_t t = 0; t < worker_spec.tables.size(); ++t) {
      const WorkerTableSpec& table = worker_spec.tables[t];
      const WorldInput::Table& input = spec_->input.tables[t];
      protocol::SubscriberOptions options;
      options.mapped = table.mapped;
      options.async = input.async;
      options.read_my_writes = input.read_my_writes;
      options.observer = input.IsObserver(w);
      options.lands_in_cache =
          !table.mapped && spec_->slack_max[t] == 0 && !options.read_my_writes && !options.observer;
      worker.subscribers.emplace_back(table.subscriptions.size(), protocol::SubscriberPartition(options));
      worker.contributors.emplace_back(table.contributor);
      worker.log_headers.emplace_back(table.log.size());
      worker.fired_words.push_back(spec_->input.first_clock);
      worker.age_noticed.emplace_back(table.subscriptions.size(), false);
    }
    for (const plan::PlannedPass& pass : worker_spec.layout.plans) {
      std::vector<OpState> ops(pass.ops.size());
      for (size_t op = 0; op < ops.size(); ++op) ops[op].ages.resize(pass.ops[op].subscriptions.size());
      worker.ops.push_back(std::move(ops));
    }
    std::vector<protocol::SequencerTable> tables;
    for (uint32_t t = 0; t < worker_spec.tables.size(); ++t) {
      tables.push_back({&worker.subscribers[t], &worker.contributors[t]});
    }
    worker.sequencer.emplace(worker_spec.sequencer, std::move(tables));
  }
}

void World::SetJudge(Checker* checker, const Reference* reference) {
  checker_ = checker;
  reference_ = reference;
}

void World::FillInitial() {
  for (uint32_t p = 0; p < spec_->partitions.size(); ++p) {
    const PartitionSpec& partition = spec_->partitions[p];
    KeeperState& keeper = state_.keepers[p];
    const uint32_t first = partition.versions[keeper.machine->VersionBuffer(spec_->input.first_clock)];
    const std::vector<double>& initial = spec_->checked.partitions[p].initial;
    std::copy(initial.begin(), initial.end(), state_.memory.at(first));
    for (uint32_t states : partition.states) std::fill_n(state_.memory.at(states), partition.num_values, 0.0);
  }
}

void World::Begin(uint32_t w) {
  for (uint32_t p = 0; p < spec_->partitions.size(); ++p) {
    if (spec_->partitions[p].where.keeper != w) continue;
    std::vector<KeeperEffect> effects;
    state_.keepers[p].machine->Begin(&effects);
    RunKeeper(p, &effects);
  }
}

void World::Resume(uint32_t w) {
  WorkerState& worker = state_.workers[w];
  const std::vector<Pass>& passes = spec_->input.workers[w].passes;
  const size_t next = worker.program.pass_index;
  worker.sequencer->Resume(worker.program.clock, next < passes.size() ? passes[next].expected : 0, &worker.effects);
  RunSequencer(w);
  worker.program.finished = next == passes.size();
  worker.program.fenced = true;
  if (!worker.program.finished) ScheduleProgram(w);
  if (worker.program.finished) host_->OnAtFence(w);
  PokeGets(w);
}

void World::Fail(std::string text) {
  if (state_.violation.empty()) state_.violation = std::move(text);
}

void World::Schedule(Event event) {
  event.stage = stage_;
  pool_->Schedule(event);
}

void World::ScheduleProgram(uint32_t w) { Schedule({Event::Kind::kProgram, w}); }

bool World::BeginRead(uint32_t offset, uint32_t count, const char* what) {
  if (state_.memory.BeginRead(offset, count)) return true;
  Fail(absl::StrCat(what, " reads what is being written: ", spec_->map.Describe(offset)));
  return false;
}

bool World::BeginWrite(uint32_t offset, uint32_t count, const char* what) {
  if (state_.memory.BeginWrite(offset, count)) return true;
  Fail(absl::StrCat(what, " writes what is held, sent, summed or absorbed: ", spec_->map.Describe(offset)));
  return false;
}

void World::CopyHalf(uint32_t from, uint32_t to, uint32_t num_values, uint32_t lanes, Half half) {
  const uint32_t middle = lanes / 2;
  const uint32_t begin = half == 0 ? 0 : middle;
  const uint32_t count = half == 0 ? middle : lanes - middle;
  for (uint32_t row = 0; row < num_values; row += lanes) {
    std::copy_n(state_.memory.at(from + row + begin), count, state_.memory.at(to + row + begin));
  }
}

void World::Send(uint32_t from, uint32_t to, Message message) {
  const uint32_t channel_index = from * spec_->world + to;
  Channel& channel = state_.channels[channel_index];
  Header header = message.header;
  header.epoch = stage_ + 1;
  header.sequence = channel.head + channel.messages.size();
  uint8_t bytes[protocol::kHeaderBytes];
  protocol::EncodeHeader(header, bytes);
  const absl::Status decoded = protocol::DecodeHeader(bytes, &message.header);
  if (!decoded.ok()) Fail(absl::StrCat("a header is not understood: ", decoded.message()));
  message.taken = !message.payload;
  const bool payload = message.payload;
  const uint64_t sequence = header.sequence;
  channel.messages.push_back(std::move(message));
  if (payload) {
    Schedule({Event::Kind::kTaken, from, channel_index, 0, sequence});
  } else {
    ArriveIfTaken(channel_index);
  }
}

void World::OnTaken(uint32_t channel_index, uint64_t sequence) {
  Channel& channel = state_.channels[channel_index];
  Message& message = channel.messages[sequence - channel.head];
  message.taken = true;
  if (message.header.type == MessageType::kPublish) {
    CopyPublishHalf(message, 1);
    const uint32_t lanes = spec_->lanes(message.header.table);
    for (uint32_t row : spec_->partitions[message.header.partition].participants[message.index].read_rows) {
      state_.memory.EndRead(message.source + row * lanes, lanes);
    }
  } else {
    CopyHalf(message.source, message.destination, message.num_values, spec_->lanes(message.header.table), 1);
    state_.memory.EndRead(message.source, message.num_values);
  }
  Event sent{Event::Kind::kSent, channel_index / spec_->world, message.header.partition, message.index,
             message.header.clock};
  if (message.header.type == MessageType::kPublish) sent.c = kPublishSent;
  if (message.header.type == MessageType::kGot) sent.c = kAnswerSent;
  if (mode_.late_sent) Schedule(sent);
  ArriveIfTaken(channel_index);
  if (!mode_.late_sent) ReportSent(sent.worker, sent.a, sent.b, sent.c);
}

void World::ReportSent(uint32_t w, uint32_t p, uint32_t index, uint64_t clock) {
  if (clock == kAnswerSent) return AnswerSent(p);
  if (clock == kPublishSent) {
    std::vector<KeeperEffect> effects;
    state_.keepers[p].machine->OnSent(index, &effects);
    return RunKeeper(p, &effects);
  }
  const uint32_t t = spec_->partitions[p].where.table;
  std::vector<protocol::ContributorEffect> effects;
  state_.workers[w].contributors[t].OnSent(index, clock, &effects);
  RunContributor(w, t, effects);
  RunSequencer(w);
}

void World::ArriveIfTaken(uint32_t channel_index) {
  Channel& channel = state_.channels[channel_index];
  if (channel.arriving || channel.messages.empty() || !channel.messages.front().taken) return;
  if (host_->IsBehind(stage_, channel_index)) return;
  channel.arriving = true;
  Schedule({Event::Kind::kArrive, channel_index % spec_->world, channel_index});
}

void World::Arrive(uint32_t channel_index) {
  Channel& channel = state_.channels[channel_index];
  const uint32_t from = channel_index / spec_->world;
  const uint32_t to = channel_index % spec_->world;
  channel.arriving = false;
  const protocol::EpochVerdict verdict = host_->Judge(stage_, channel.messages.front().header, to);
  // It waits where it landed, and what follows waits behind it: ReleaseHeld.
  if (verdict == protocol::EpochVerdict::kWait) return;
  const Message message = std::move(channel.messages.front());
  channel.messages.erase(channel.messages.begin());
  ++channel.head;
  ++num_delivered_;
  if (channel.messages.empty()) host_->OnChannelEmpty(stage_, channel_index);
  ArriveIfTaken(channel_index);
  if (message.payload) state_.memory.EndWrite(message.destination, message.num_values);
  if (verdict == protocol::EpochVerdict::kDrop) return;
  if (verdict == protocol::EpochVerdict::kRefuse) {
    return Fail(absl::StrCat("worker ", to, ": a message of type ", static_cast<int>(message.header.type), " of epoch ",
                             message.header.epoch, " by worker ", from, " must be refused"));
  }
  host_->Current(to)->Deliver(message, from, to);
}

void World::Deliver(const Message& message, uint32_t from, uint32_t to) {
  switch (message.header.type) {
    case MessageType::kContribution:
      return DeliverContribution(message, from);
    case MessageType::kFire:
      return DeliverFire(message, from, to);
    case MessageType::kPublish:
      return DeliverPublish(message, to);
    case MessageType::kCredit:
      return DeliverCredit(message, from);
    case MessageType::kGet:
      return DeliverGet(message, from, to);
    case MessageType::kGot:
      return DeliverGot(message, from, to);
    case MessageType::kWho:
    case MessageType::kMissing:
    case MessageType::kSet:
    case MessageType::kAck:
      return;  // nobody asks here: they only serve the log
  }
}

void World::Execute(const Event& event) {
  if (state_.workers[event.worker].stopped) return;
  switch (event.kind) {
    case Event::Kind::kProgram:
      StepProgram(event.worker);
      break;
    case Event::Kind::kNotice:
      TakeNotices(event.worker);
      break;
    case Event::Kind::kTaken:
      OnTaken(event.a, event.c);
      break;
    case Event::Kind::kSent:
      ReportSent(event.worker, event.a, event.b, event.c);
      break;
    case Event::Kind::kArrive:
      Arrive(event.a);
      break;
    case Event::Kind::kApplied:
      EndApply(event.a);
      break;
    case Event::Kind::kAbsorbed:
      EndAbsorb(event.worker, event.a, event.b);
      break;
    case Event::Kind::kFilled:
      EndFill(event.worker, event.a, event.b);
      break;
    case Event::Kind::kDrained:
      EndDrain(event.worker);
      break;
    case Event::Kind::kSeeFired:
      SeeFired(event.a, event.b);
      break;
    case Event::Kind::kSeeAge:
      SeeAge(event.worker, event.a, event.b);
      break;
    case Event::Kind::kGet:
      BeginGet(event.worker);
      break;
    case Event::Kind::kNone:
    case Event::Kind::kUp:
    case Event::Kind::kDown:
    case Event::Kind::kKill:
    case Event::Kind::kCount:
      break;
  }
  CheckWaiting(event.worker);
}

bool World::finished() const {
  for (uint32_t w = 0; w < state_.workers.size(); ++w) {
    const WorkerState& worker = state_.workers[w];
    if (!worker.program.finished || worker.gets.next < worker.gets.list.size()) return false;
  }
  return true;
}

}  // namespace geeps::sim
