// SPDX-License-Identifier: Apache-2.0
// World: what the movers of a worker execute: allocator, reclaimer, pusher, puller.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace geeps::sim {

using protocol::Clock;
using protocol::ContributorEffect;
using protocol::MessageType;
using protocol::SequencerEffect;
using protocol::SubscriberEffects;

void World::RunSequencer(uint32_t w) {
  WorkerState& worker = state_.workers[w];
  // Effects of effects are appended behind.
  for (size_t i = 0; i < worker.effects.size(); ++i) {
    const SequencerEffect effect = worker.effects[i];
    switch (effect.kind) {
      case SequencerEffect::Kind::kFill:
        BeginFill(w, effect);
        break;
      case SequencerEffect::Kind::kReady: {
        worker.ops[effect.set_id][effect.op].ready_pass = effect.pass;
        ProgramState& program = worker.program;
        const bool awaited = program.waiting && program.pass_number == effect.pass &&
                             PassOf(w).set_id == effect.set_id &&
                             spec_->workers[w].layout.plans[effect.set_id].steps[program.step].op == effect.op;
        if (awaited) {
          program.waiting = false;
          ScheduleProgram(w);
        }
        break;
      }
      case SequencerEffect::Kind::kUnready:
        Unready(w, effect);
        break;
      case SequencerEffect::Kind::kDrain:
        for (uint32_t s : OpOf(w, effect).subscriptions) worker.subscribers[effect.table][s].OnAddBegun();
        worker.drains.push_back(effect);
        if (worker.drains.size() == 1) BeginDrain(w);
        break;
      case SequencerEffect::Kind::kData: {
        std::vector<ContributorEffect> effects;
        worker.contributors[effect.table].OnData(effect.clock, effect.set_id, &effects);
        RunContributor(w, effect.table, effects);
        break;
      }
      case SequencerEffect::Kind::kFire: {
        if (checker_ != nullptr) {
          std::string wrong = checker_->OnFired(w, effect.table, effect.clock);
          if (!wrong.empty()) Fail(std::move(wrong));
        }
        std::vector<ContributorEffect> effects;
        worker.contributors[effect.table].OnFired(effect.clock, effect.set_id, &effects);
        RunContributor(w, effect.table, effects);
        break;
      }
    }
  }
  worker.effects.clear();
}

void World::Unready(uint32_t w, const SequencerEffect& effect) {
  WorkerState& worker = state_.workers[w];
  OpState& op = worker.ops[effect.set_id][effect.op];
  const bool taken_back = op.ready_pass == effect.pass && op.taken_pass != effect.pass;
  if (taken_back) op.ready_pass = 0;
  worker.sequencer->OnTakenBack(effect.set_id, effect.op, taken_back, &worker.effects);
}

protocol::RuleParams World::Params(uint32_t t, Clock clock) const {
  const std::vector<double> values = ParamsAt(spec_->checked.seed, t, clock);
  protocol::RuleParams params;
  params.num = static_cast<uint32_t>(spec_->input.tables[t].schema.rule->num_params);
  std::copy_n(values.begin(), params.num, params.values.begin());
  return params;
}

void World::RunContributor(uint32_t w, uint32_t t, const std::vector<ContributorEffect>& effects) {
  WorkerState& worker = state_.workers[w];
  const WorkerTableSpec& table = spec_->workers[w].tables[t];
  for (const ContributorEffect& effect : effects) {
    switch (effect.kind) {
      case ContributorEffect::Kind::kSend:
        SendContribution(w, t, effect);
        break;
      case ContributorEffect::Kind::kFire: {
        Message message;
        message.header.type = MessageType::kFire;
        message.header.table = t;
        message.header.set_id = effect.set_id;
        message.header.clock = effect.clock;
        Send(w, table.keepers[effect.index], std::move(message));
        break;
      }
      case ContributorEffect::Kind::kStoreFired:
        StoreFired(w, t, effect);
        break;
      case ContributorEffect::Kind::kEntryFree: {
        const uint32_t num_values =
            static_cast<uint32_t>(spec_->workers[w].layout.tables[t].log_rows_max) * spec_->lanes(t);
        const uint32_t entry = table.log[worker.contributors[t].EntryOf(effect.clock)];
        if (BeginWrite(entry, num_values, "freeing a log entry")) state_.memory.Poison(entry, num_values);
        state_.memory.EndWrite(entry, num_values);
        worker.sequencer->OnEntryFree(t, &worker.effects);
        break;
      }
    }
  }
}

void World::SendContribution(uint32_t w, uint32_t t, const ContributorEffect& effect) {
  const WorkerTableSpec& table = spec_->workers[w].tables[t];
  const uint32_t s = table.contributions[effect.index];
  const SubscriptionSpec& subscription = table.subscriptions[s];
  const PartitionSpec& partition = spec_->partitions[subscription.partition];
  const ParticipantSpec& participant = partition.participants[subscription.participant];
  const plan::Block& block = spec_->workers[w].layout.plans[effect.set_id].tables[t].contributions[s];
  Message message;
  message.header.type = MessageType::kContribution;
  message.header.flags = effect.fired ? protocol::kFlagFired : 0;
  message.header.table = t;
  message.header.partition = subscription.partition;
  message.header.set_id = effect.set_id;
  message.header.clock = effect.clock;
  message.header.params = Params(t, effect.clock);
  message.payload = true;
  message.source = table.log[state_.workers[w].contributors[t].EntryOf(effect.clock)] +
                   static_cast<uint32_t>(block.first) * spec_->lanes(t);
  message.destination = participant.landing[effect.clock % participant.landing.size()];
  message.num_values = static_cast<uint32_t>(block.rows) * spec_->lanes(t);
  message.index = effect.index;
  BeginRead(message.source, message.num_values, "a contribution");
  BeginWrite(message.destination, message.num_values, "a contribution");
  CopyHalf(message.source, message.destination, message.num_values, spec_->lanes(t), 0);
  Send(w, partition.where.keeper, std::move(message));
}

// The header is written just before the word: by R2 every keeper has read that of clock - L by then.
void World::StoreFired(uint32_t w, uint32_t t, const ContributorEffect& effect) {
  WorkerState& worker = state_.workers[w];
  LogHeader& header = worker.log_headers[t][effect.clock % worker.log_headers[t].size()];
  header.set_id = effect.set_id;
  header.params = Params(t, effect.clock);
  worker.fired_words[t] = effect.clock + 1;
  for (uint32_t s : spec_->workers[w].tables[t].contributions) {
    const SubscriptionSpec& subscription = spec_->workers[w].tables[t].subscriptions[s];
    KeeperState& keeper = state_.keepers[subscription.partition];
    if (keeper.fired_noticed[subscription.participant]) continue;
    keeper.fired_noticed[subscription.participant] = true;
    Schedule({Event::Kind::kSeeFired, spec_->partitions[subscription.partition].where.keeper, subscription.partition,
              subscription.participant});
  }
}

void World::DeliverPublish(const Message& message, uint32_t to) {
  const uint32_t p = message.header.partition;
  const uint32_t t = spec_->partitions[p].where.table;
  const uint32_t s = spec_->workers[to].tables[t].subscription_of_partition[p - spec_->first_partition[t]];
  const bool frozen = (message.header.flags & protocol::kFlagFrozen) != 0;
  OnSubscriber(to, t, s,
               state_.workers[to].subscribers[t][s].OnPublish(message.header.clock, message.payload, frozen,
                                                              message.header.own_clock));
  RunSequencer(to);
}

void World::OnSubscriber(uint32_t w, uint32_t t, uint32_t s, const SubscriberEffects& effects) {
  WorkerState& worker = state_.workers[w];
  const SubscriptionSpec& subscription = spec_->workers[w].tables[t].subscriptions[s];
  const uint32_t p = subscription.partition;
  if (effects.fail)
    Fail(absl::StrCat("worker ", w, ": publish of partition ", p, " is not newer or came without a credit"));
  if (effects.absorb) {
    BeginRead(subscription.landing, subscription.num_values, "an absorb");
    BeginWrite(subscription.cache, subscription.num_values, "an absorb");
    MarkReadded(w, t, s, true);
    CopyHalf(subscription.landing, subscription.cache, subscription.num_values, spec_->lanes(t), 0);
    ReaddHalf(w, t, s, 0);
    Schedule({Event::Kind::kAbsorbed, w, t, s});
  }
  if (effects.credit) {
    Message message;
    message.header.type = MessageType::kCredit;
    message.header.table = t;
    message.header.partition = p;
    message.header.clock = effects.credit_age;
    Send(w, spec_->partitions[p].where.keeper, std::move(message));
  }
  if (effects.age_changed) {
    if (subscription.contributor_index != kNone) {
      std::vector<ContributorEffect> contributor_effects;
      worker.contributors[t].OnAge(subscription.contributor_index, worker.subscribers[t][s].own_clock(),
                                   &contributor_effects);
      RunContributor(w, t, contributor_effects);
    }
    worker.sequencer->OnAge(t, s, &worker.effects);
  }
}

void World::EndAbsorb(uint32_t w, uint32_t t, uint32_t s) {
  const SubscriptionSpec& subscription = spec_->workers[w].tables[t].subscriptions[s];
  CopyHalf(subscription.landing, subscription.cache, subscription.num_values, spec_->lanes(t), 1);
  ReaddHalf(w, t, s, 1);
  MarkReadded(w, t, s, false);
  state_.memory.EndRead(subscription.landing, subscription.num_values);
  state_.memory.EndWrite(subscription.cache, subscription.num_values);
  if (state_.memory.Idle(subscription.landing, subscription.num_values)) {
    state_.memory.Poison(subscription.landing, subscription.num_values);
  }
  OnSubscriber(w, t, s, state_.workers[w].subscribers[t][s].OnAbsorbed());
  RunSequencer(w);
}

void World::SeeAge(uint32_t w, uint32_t t, uint32_t s) {
  const uint32_t p = spec_->workers[w].tables[t].subscriptions[s].partition;
  state_.workers[w].age_noticed[t][s] = false;
  const SubscriberEffects effects =
      state_.workers[w].subscribers[t][s].OnAgeWord(state_.keepers[p].age_word, spec_->partitions[p].options.frozen);
  OnSubscriber(w, t, s, effects);
  RunSequencer(w);
}

uint32_t World::CacheOffset(uint32_t w, uint32_t set_id, uint32_t op, uint64_t row) const {
  const plan::PlannedOp& planned = Planned(w, set_id, op);
  const uint32_t t = planned.table;
  const WorkerTableSpec& table = spec_->workers[w].tables[t];
  if (!table.mapped) return table.cache + static_cast<uint32_t>(row) * spec_->lanes(t);
  const uint32_t p = spec_->partition_of_row[t][row];
  const PartitionSpec& partition = spec_->partitions[p];
  const uint32_t s = table.subscription_of_partition[p - spec_->first_partition[t]];
  const auto place = std::lower_bound(planned.subscriptions.begin(), planned.subscriptions.end(), s);
  const protocol::Age age =
      state_.workers[w].ops[set_id][op].ages[static_cast<size_t>(place - planned.subscriptions.begin())];
  return partition.versions[state_.keepers[p].machine->VersionBuffer(age)] +
         static_cast<uint32_t>(row - partition.where.first_row) * spec_->lanes(t);
}

uint32_t World::ViewOffset(uint32_t w, uint32_t set_id, uint32_t op, uint64_t i) const {
  const plan::PlannedOp& planned = Planned(w, set_id, op);
  const uint32_t lanes = spec_->lanes(planned.table);
  if (!planned.in_place) return spec_->workers[w].arena + static_cast<uint32_t>(planned.buffer_offset / 8 + i * lanes);
  if (planned.kind == plan::OpKind::kRead) return CacheOffset(w, set_id, op, planned.place_row + i);
  const WorkerState& worker = state_.workers[w];
  const uint32_t entry = worker.contributors[planned.table].EntryOf(worker.ops[set_id][op].clock);
  return spec_->workers[w].tables[planned.table].log[entry] + static_cast<uint32_t>(planned.place_row + i) * lanes;
}

void World::MarkView(uint32_t w, uint32_t set_id, uint32_t op, bool begin, const char* what) {
  const plan::PlannedOp& planned = Planned(w, set_id, op);
  const uint32_t lanes = spec_->lanes(planned.table);
  const bool write = planned.kind == plan::OpKind::kUpdate;
  for (uint64_t i = 0; i < planned.num_rows; ++i) {
    const uint32_t offset = ViewOffset(w, set_id, op, i);
    if (begin && write) BeginWrite(offset, lanes, what);
    if (begin && !write) BeginRead(offset, lanes, what);
    if (!begin && write) state_.memory.EndWrite(offset, lanes);
    if (!begin && !write) state_.memory.EndRead(offset, lanes);
    if (!begin && !planned.in_place && !write && state_.memory.Idle(offset, lanes)) state_.memory.Poison(offset, lanes);
  }
}

void World::BeginFill(uint32_t w, const SequencerEffect& effect) {
  WorkerState& worker = state_.workers[w];
  OpState& op = worker.ops[effect.set_id][effect.op];
  const plan::PlannedOp& planned = Planned(w, effect.set_id, effect.op);
  const uint32_t lanes = spec_->lanes(planned.table);
  op.filling = true;
  op.ready_pass = 0;
  op.clock = effect.clock;
  if (planned.kind == plan::OpKind::kRead) {
    for (size_t i = 0; i < planned.subscriptions.size(); ++i) {
      protocol::SubscriberPartition& subscriber = worker.subscribers[planned.table][planned.subscriptions[i]];
      op.ages[i] = subscriber.own_clock();
      subscriber.OnFillBegun();
      if (op.ages[i] == protocol::kNoAge)
        return Fail(absl::StrCat("worker ", w, ": a fill reads a partition never absorbed"));
    }
    ForEachRow(planned.gather, [&](uint64_t /*to*/, uint64_t from) {
      BeginRead(CacheOffset(w, effect.set_id, effect.op, from), lanes, "a fill");
    });
  }
  for (uint64_t i = 0; i < planned.num_rows; ++i)
    BeginWrite(ViewOffset(w, effect.set_id, effect.op, i), lanes, "a fill");
  FillHalf(w, effect.set_id, effect.op, 0);
  Schedule({Event::Kind::kFilled, w, effect.set_id, effect.op});
}

void World::FillHalf(uint32_t w, uint32_t set_id, uint32_t op, Half half) {
  const plan::PlannedOp& planned = Planned(w, set_id, op);
  const uint32_t lanes = spec_->lanes(planned.table);
  if (planned.kind == plan::OpKind::kRead) {
    ForEachRow(planned.gather, [&](uint64_t to, uint64_t from) {
      CopyHalf(CacheOffset(w, set_id, op, from), ViewOffset(w, set_id, op, to), lanes, lanes, half);
    });
    return;
  }
  const uint32_t begin = half == 0 ? 0 : lanes / 2;
  const uint32_t count = half == 0 ? lanes / 2 : lanes - lanes / 2;
  for (uint64_t i = 0; i < planned.num_rows; ++i) {
    std::fill_n(state_.memory.at(ViewOffset(w, set_id, op, i) + begin), count, 0.0);
  }
}

void World::EndFill(uint32_t w, uint32_t set_id, uint32_t op_index) {
  WorkerState& worker = state_.workers[w];
  const plan::PlannedOp& planned = Planned(w, set_id, op_index);
  const uint32_t lanes = spec_->lanes(planned.table);
  FillHalf(w, set_id, op_index, 1);
  for (uint64_t i = 0; i < planned.num_rows; ++i) state_.memory.EndWrite(ViewOffset(w, set_id, op_index, i), lanes);
  worker.ops[set_id][op_index].filling = false;
  std::vector<SubscriberEffects> effects;
  if (planned.kind == plan::OpKind::kRead) {
    ForEachRow(planned.gather, [&](uint64_t /*to*/, uint64_t from) {
      state_.memory.EndRead(CacheOffset(w, set_id, op_index, from), lanes);
    });
    for (uint32_t s : planned.subscriptions) effects.push_back(worker.subscribers[planned.table][s].OnFillDone());
  }
  worker.sequencer->OnFillDone(set_id, op_index, &worker.effects);
  RunSequencer(w);
  for (size_t i = 0; i < effects.size(); ++i) OnSubscriber(w, planned.table, planned.subscriptions[i], effects[i]);
  RunSequencer(w);
}

void World::BeginDrain(uint32_t w) {
  const SequencerEffect effect = state_.workers[w].drains.front();
  const plan::PlannedOp& planned = Planned(w, effect.set_id, effect.op);
  const uint32_t t = planned.table;
  const uint32_t lanes = spec_->lanes(t);
  const uint32_t entry = spec_->workers[w].tables[t].log[state_.workers[w].contributors[t].EntryOf(effect.clock)];
  const auto begin = [&](uint64_t to, uint64_t from) {
    BeginRead(ViewOffset(w, effect.set_id, effect.op, from), lanes, "a drain");
    BeginWrite(entry + static_cast<uint32_t>(to) * lanes, lanes, "a drain");
  };
  ForEachRow(planned.store, begin);
  ForEachRow(planned.add, begin);
  MarkOwnRows(w, effect, true);
  DrainHalf(w, effect, 0);
  Schedule({Event::Kind::kDrained, w, effect.set_id, effect.op});
}

void World::DrainHalf(uint32_t w, const SequencerEffect& effect, Half half) {
  const plan::PlannedOp& planned = Planned(w, effect.set_id, effect.op);
  const uint32_t t = planned.table;
  const uint32_t lanes = spec_->lanes(t);
  const uint32_t entry = spec_->workers[w].tables[t].log[state_.workers[w].contributors[t].EntryOf(effect.clock)];
  ForEachRow(planned.store, [&](uint64_t to, uint64_t from) {
    CopyHalf(ViewOffset(w, effect.set_id, effect.op, from), entry + static_cast<uint32_t>(to) * lanes, lanes, lanes,
             half);
  });
  const uint32_t begin = half == 0 ? 0 : lanes / 2;
  const uint32_t end = half == 0 ? lanes / 2 : lanes;
  ForEachRow(planned.add, [&](uint64_t to, uint64_t from) {
    const double* source = state_.memory.at(ViewOffset(w, effect.set_id, effect.op, from));
    double* sum = state_.memory.at(entry + static_cast<uint32_t>(to) * lanes);
    for (uint32_t i = begin; i < end; ++i) sum[i] += source[i];
  });
  AddOwnRows(w, effect, half);
}

void World::EndDrain(uint32_t w) {
  WorkerState& worker = state_.workers[w];
  const SequencerEffect effect = worker.drains.front();
  const plan::PlannedOp& planned = Planned(w, effect.set_id, effect.op);
  const uint32_t t = planned.table;
  const uint32_t lanes = spec_->lanes(t);
  const uint32_t entry = spec_->workers[w].tables[t].log[worker.contributors[t].EntryOf(effect.clock)];
  DrainHalf(w, effect, 1);
  MarkOwnRows(w, effect, false);
  const auto end = [&](uint64_t to, uint64_t from) {
    const uint32_t source = ViewOffset(w, effect.set_id, effect.op, from);
    state_.memory.EndRead(source, lanes);
    state_.memory.Poison(source, lanes);
    state_.memory.EndWrite(entry + static_cast<uint32_t>(to) * lanes, lanes);
  };
  ForEachRow(planned.store, end);
  ForEachRow(planned.add, end);
  worker.drains.erase(worker.drains.begin());
  // The next one runs before new ones can come.
  if (!worker.drains.empty()) BeginDrain(w);
  worker.ops[effect.set_id][effect.op].draining = false;
  const std::vector<uint32_t>& added = OpOf(w, effect).subscriptions;
  std::vector<SubscriberEffects> effects;
  for (uint32_t s : added)
    effects.push_back(worker.subscribers[t][s].OnAddDone({effect.clock, effect.set_id, effect.op}));
  worker.sequencer->OnDrained(effect.set_id, effect.op, &worker.effects);
  RunSequencer(w);
  for (size_t i = 0; i < added.size(); ++i) OnSubscriber(w, t, added[i], effects[i]);
  RunSequencer(w);
}

}  // namespace geeps::sim
