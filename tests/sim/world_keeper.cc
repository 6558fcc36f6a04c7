// SPDX-License-Identifier: Apache-2.0
// World: what a keeper executes.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "runtime/table/fold.h"
#include "runtime/table/segments.h"
#include "tests/sim/world.h"

namespace geeps::sim {

using protocol::Clock;
using protocol::Header;
using protocol::KeeperEffect;
using protocol::MessageType;

void World::RunKeeper(uint32_t p, std::vector<KeeperEffect>* effects) {
  for (size_t i = 0; i < effects->size(); ++i) {
    const KeeperEffect effect = (*effects)[i];
    switch (effect.kind) {
      case KeeperEffect::Kind::kApply:
        BeginApply(p, effect);
        break;
      case KeeperEffect::Kind::kPublish:
        Publish(p, effect, effects);
        break;
      case KeeperEffect::Kind::kAnswer:
        Answer(p, effect);
        break;
      case KeeperEffect::Kind::kStoreAge:
        state_.keepers[p].age_word = effect.age;
        for (const ParticipantSpec& participant : spec_->partitions[p].participants) {
          const uint32_t t = spec_->partitions[p].where.table;
          if (!participant.mapped || state_.workers[participant.rank].age_noticed[t][participant.subscription])
            continue;
          state_.workers[participant.rank].age_noticed[t][participant.subscription] = true;
          Schedule({Event::Kind::kSeeAge, participant.rank, t, participant.subscription});
        }
        break;
      case KeeperEffect::Kind::kFail:
        Fail(absl::StrCat("keeper of partition ", p, ": protocol error ", static_cast<int>(effect.fault),
                          " by participant ", effect.participant, ", got ", effect.clock, ", expected ", effect.age));
        break;
    }
  }
}

void World::BeginApply(uint32_t p, const KeeperEffect& effect) {
  const PartitionSpec& partition = spec_->partitions[p];
  KeeperState& keeper = state_.keepers[p];
  const uint32_t t = partition.where.table;
  keeper.inputs.clear();
  keeper.clock = effect.clock;
  keeper.from = effect.from;
  keeper.to = effect.to;
  for (uint32_t i = 0; i < partition.participants.size(); ++i) {
    if (effect.alone && i != effect.participant) continue;
    const protocol::KeeperPartition::Delivery& delivery = keeper.machine->delivery(i, effect.clock);
    if (!delivery.delivered || delivery.empty) continue;
    const ParticipantSpec& participant = partition.participants[i];
    uint32_t offset = 0;
    if (participant.mapped) {
      const WorkerState& worker = state_.workers[participant.rank];
      const plan::PlannedTable& planned = spec_->workers[participant.rank].layout.plans[delivery.set_id].tables[t];
      offset = spec_->workers[participant.rank].tables[t].log[worker.contributors[t].EntryOf(effect.clock)] +
               static_cast<uint32_t>(planned.contributions[participant.subscription].first) * spec_->lanes(t);
    } else {
      offset = participant.landing[effect.clock % participant.landing.size()];
    }
    keeper.inputs.push_back({i, delivery.set_id, offset});
    if (effect.alone && checker_ != nullptr && !spec_->checked.tables[t].lanes) {
      std::string wrong = checker_->OnApplied(participant.rank, p, effect.clock);
      if (!wrong.empty()) Fail(std::move(wrong));
    }
    BeginRead(offset, static_cast<uint32_t>(participant.updates[delivery.set_id].NumRows()) * spec_->lanes(t),
              "an apply");
  }
  if (effect.from != effect.to) BeginRead(partition.versions[effect.from], partition.num_values, "an apply");
  BeginWrite(partition.versions[effect.to], partition.num_values, "an apply");
  for (uint32_t states : partition.states) BeginWrite(states, partition.num_values, "an apply");
  ApplyHalf(p, 0);
  Schedule({Event::Kind::kApplied, partition.where.keeper, p});
}

void World::ApplyHalf(uint32_t p, Half half) {
  const PartitionSpec& partition = spec_->partitions[p];
  const KeeperState& keeper = state_.keepers[p];
  const uint32_t t = partition.where.table;
  const uint32_t lanes = spec_->lanes(t);
  const uint32_t begin = half == 0 ? 0 : lanes / 2;
  const uint32_t count = half == 0 ? lanes / 2 : lanes - lanes / 2;
  const uint32_t from = partition.versions[keeper.from];
  const uint32_t to = partition.versions[keeper.to];
  if (from != to) CopyHalf(from, to, partition.num_values, lanes, half);
  std::vector<table::SegmentSource> sources;
  for (const KeeperState::Input& input : keeper.inputs) {
    sources.push_back({partition.participants[input.participant].updates[input.set_id].runs()});
  }
  table::SegmentSweep sweep;
  sweep.Build(sources);
  const table::TableSchema& schema = spec_->input.tables[t].schema;
  const std::vector<double> params = ParamsAt(spec_->checked.seed, t, keeper.clock);
  table::FoldTarget target;
  target.rule = schema.rule;
  target.reduce = schema.reduce;
  target.params = absl::MakeConstSpan(params).subspan(0, static_cast<size_t>(schema.rule->num_params));
  std::vector<table::FoldInput> inputs;
  for (const table::Segment& segment : sweep.segments()) {
    for (uint64_t i = 0; i < segment.num_rows; ++i) {
      inputs.clear();
      for (const table::SegmentInput& input : sweep.InputsOf(segment)) {
        const KeeperState::Input& source = keeper.inputs[input.source];
        const uint32_t offset = source.offset + static_cast<uint32_t>(input.row_offset + i) * lanes + begin;
        inputs.push_back({state_.memory.at(offset), partition.participants[source.participant].rank});
      }
      const uint32_t place = static_cast<uint32_t>(segment.first_row + i) * lanes + begin;
      target.value_in = state_.memory.at(from + place);
      target.value_out = state_.memory.at(to + place);
      for (size_t s = 0; s < static_cast<size_t>(schema.rule->num_states); ++s)
        target.states[s] = state_.memory.at(partition.states[s] + place);
      double* const counts = schema.rule->counts_steps ? state_.memory.at(partition.states.back() + place) : nullptr;
      uint64_t steps = counts == nullptr ? 0 : static_cast<uint64_t>(counts[0]);
      target.row_values = count;  // halves of rows are stepped as rows of their own
      target.steps = counts == nullptr ? nullptr : &steps;
      table::FoldAndStep(table::DType::kF64, count, inputs, target);
      if (counts != nullptr) std::fill_n(counts, count, static_cast<double>(steps));
    }
  }
}

void World::EndApply(uint32_t p) {
  const PartitionSpec& partition = spec_->partitions[p];
  KeeperState& keeper = state_.keepers[p];
  const uint32_t lanes = spec_->lanes(partition.where.table);
  ApplyHalf(p, 1);
  for (const KeeperState::Input& input : keeper.inputs) {
    const ParticipantSpec& participant = partition.participants[input.participant];
    const uint32_t num_values = static_cast<uint32_t>(participant.updates[input.set_id].NumRows()) * lanes;
    state_.memory.EndRead(input.offset, num_values);
    const double* values = state_.memory.at(input.offset);
    if (std::find(values, values + num_values, kPoison) != values + num_values) {
      Fail(absl::StrCat("partition ", p, ": the contribution of worker ", participant.rank, " for clock ", keeper.clock,
                        " was not written"));
    }
    if (!participant.mapped) state_.memory.Poison(input.offset, num_values);
  }
  keeper.inputs.clear();
  if (keeper.from != keeper.to) state_.memory.EndRead(partition.versions[keeper.from], partition.num_values);
  state_.memory.EndWrite(partition.versions[keeper.to], partition.num_values);
  for (uint32_t states : partition.states) state_.memory.EndWrite(states, partition.num_values);
  std::vector<KeeperEffect> effects;
  keeper.machine->OnApplied(&effects);
  RunKeeper(p, &effects);
}

void World::Publish(uint32_t p, const KeeperEffect& effect, std::vector<KeeperEffect>* effects) {
  const PartitionSpec& partition = spec_->partitions[p];
  const ParticipantSpec& participant = partition.participants[effect.participant];
  const uint32_t t = partition.where.table;
  const SubscriptionSpec& subscription =
      spec_->workers[participant.rank].tables[t].subscriptions[participant.subscription];
  const uint32_t lanes = spec_->lanes(t);
  Message message;
  message.header.type = MessageType::kPublish;
  message.header.flags = effect.flags;
  message.header.table = t;
  message.header.partition = p;
  message.header.clock = effect.age;
  message.header.own_clock = effect.own_clock;
  message.payload = (effect.flags & (protocol::kFlagHeaderOnly | protocol::kFlagUnchanged)) == 0;
  message.source = partition.versions[effect.from];
  message.destination = subscription.landing == kNone ? subscription.cache : subscription.landing;
  message.num_values = subscription.num_values;
  message.index = effect.participant;
  if (message.payload) {
    for (uint32_t row : participant.read_rows) BeginRead(message.source + row * lanes, lanes, "a publish");
    BeginWrite(message.destination, message.num_values, "a publish");
    CopyPublishHalf(message, 0);
    return Send(partition.where.keeper, participant.rank, std::move(message));
  }
  Send(partition.where.keeper, participant.rank, std::move(message));
  state_.keepers[p].machine->OnSent(effect.participant, effects);
}

void World::CopyPublishHalf(const Message& message, Half half) {
  const uint32_t lanes = spec_->lanes(message.header.table);
  uint32_t to = message.destination;
  for (uint32_t row : spec_->partitions[message.header.partition].participants[message.index].read_rows) {
    CopyHalf(message.source + row * lanes, to, lanes, lanes, half);
    to += lanes;
  }
}

uint32_t World::ParticipantOf(uint32_t p, uint32_t rank) const {
  const std::vector<ParticipantSpec>& participants = spec_->partitions[p].participants;
  for (uint32_t i = 0; i < participants.size(); ++i) {
    if (participants[i].rank == rank) return i;
  }
  return kNone;
}

void World::DeliverContribution(const Message& message, uint32_t from) {
  const Header& header = message.header;
  std::vector<KeeperEffect> effects;
  state_.keepers[header.partition].machine->OnContribution(
      ParticipantOf(header.partition, from), header.clock, header.set_id, (header.flags & protocol::kFlagEmpty) != 0,
      (header.flags & protocol::kFlagFired) != 0, header.params, &effects);
  RunKeeper(header.partition, &effects);
}

void World::DeliverFire(const Message& message, uint32_t from, uint32_t to) {
  const Header& header = message.header;
  for (uint32_t p = spec_->first_partition[header.table]; p < spec_->partitions.size(); ++p) {
    const PartitionSpec& partition = spec_->partitions[p];
    if (partition.where.table != header.table) break;
    const uint32_t participant = ParticipantOf(p, from);
    if (partition.where.keeper != to || partition.options.frozen || participant == kNone) continue;
    std::vector<KeeperEffect> effects;
    state_.keepers[p].machine->OnFire(participant, header.clock, header.set_id, &effects);
    RunKeeper(p, &effects);
  }
}

void World::DeliverCredit(const Message& message, uint32_t from) {
  std::vector<KeeperEffect> effects;
  const uint32_t p = message.header.partition;
  state_.keepers[p].machine->OnCredit(ParticipantOf(p, from), message.header.clock, &effects);
  RunKeeper(p, &effects);
}

void World::SeeFired(uint32_t p, uint32_t participant_index) {
  const PartitionSpec& partition = spec_->partitions[p];
  const ParticipantSpec& participant = partition.participants[participant_index];
  KeeperState& keeper = state_.keepers[p];
  keeper.fired_noticed[participant_index] = false;
  const uint32_t t = partition.where.table;
  const WorkerState& worker = state_.workers[participant.rank];
  while (keeper.seen_fired[participant_index] < worker.fired_words[t]) {
    const Clock clock = keeper.seen_fired[participant_index]++;
    const LogHeader& header = worker.log_headers[t][clock % worker.log_headers[t].size()];
    const bool empty = header.set_id >= participant.updates.size() || participant.updates[header.set_id].IsEmpty();
    std::vector<KeeperEffect> effects;
    keeper.machine->OnContribution(participant_index, clock, header.set_id, empty, true, header.params, &effects);
    RunKeeper(p, &effects);
  }
}

}  // namespace geeps::sim
