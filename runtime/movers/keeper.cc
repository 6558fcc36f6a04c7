// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/keeper.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/links.h"
#include "runtime/movers/mapped_shape.h"
#include "runtime/movers/puller.h"
#include "runtime/movers/pusher.h"
#include "runtime/movers/row_calls.h"
#include "runtime/movers/wait_sites.h"

namespace geeps::movers {
namespace {

uint32_t ParticipantOf(const Kept& kept, uint32_t rank) {
  for (uint32_t i = 0; i < kept.participants.size(); ++i) {
    if (kept.participants[i].rank == rank) return i;
  }
  return kNone;
}

}  // namespace

void Keeper::Queue(uint32_t kept) {
  for (const protocol::KeeperEffect& effect : effects_) context_->actions.Push(KeeperAction{kept, effect});
  effects_.clear();
}

void Keeper::Begin() {
  for (uint32_t i = 0; i < context_->epoch->kept.size(); ++i) {
    context_->epoch->kept[i].machine->Begin(&effects_);
    Queue(i);
  }
}

Kept* Keeper::FindKept(uint32_t rank, const protocol::Header& header, uint32_t* participant) {
  Epoch* const epoch = context_->epoch;
  if (header.partition >= epoch->kept_of_partition.size() || epoch->kept_of_partition[header.partition] == kNone) {
    context_->Refuse(rank, absl::StrCat("a message for partition ", header.partition, ", which rank ", context_->rank,
                                        " does not keep"));
    return nullptr;
  }
  Kept* const kept = &epoch->kept[epoch->kept_of_partition[header.partition]];
  if (epoch->tables[kept->table].mapped) {
    context_->Refuse(rank, absl::StrCat("a message for partition ", header.partition, ", whose memory is mapped"));
    return nullptr;
  }
  *participant = ParticipantOf(*kept, rank);
  if (*participant == kNone) {
    context_->Refuse(rank, absl::StrCat("a message for partition ", header.partition, " of table '",
                                        epoch->tables[kept->table].schema.name, "', in which it takes no part"));
    return nullptr;
  }
  return kept;
}

void Keeper::OnContributionMessage(uint32_t rank, uint32_t slot, const protocol::Header& header,
                                   uint64_t payload_bytes) {
  uint32_t participant = 0;
  Kept* const kept = FindKept(rank, header, &participant);
  if (kept == nullptr) return;
  const EpochTable& table = context_->epoch->tables[kept->table];
  const Kept::Participant& peer = kept->participants[participant];
  if (header.set_id >= peer.updates.size() || header.table != kept->table) {
    context_->Refuse(
        rank, absl::StrCat("a contribution under plan ", header.set_id, " of ", peer.updates.size(), " to table ",
                           header.table, " at partition ", kept->partition, " of table ", kept->table));
    return;
  }
  const bool empty = (header.flags & protocol::kFlagEmpty) != 0;
  const uint64_t wanted = empty ? 0 : peer.updates[header.set_id].NumRows() * table.schema.row_bytes();
  const uint32_t wanted_slot =
      wanted == 0 ? GEEPS_TP_MAILBOX : protocol::SlotOfContribution(kept->partition, header.clock, table.slack_max);
  if (payload_bytes != wanted || slot != wanted_slot) {
    context_->Refuse(rank, absl::StrCat("a contribution of ", payload_bytes, " bytes in slot ", slot, " to table '",
                                        table.schema.name, "' partition ", kept->partition, " at clock ", header.clock,
                                        ", where ", wanted, " bytes in slot ", wanted_slot, " were due"));
    return;
  }
  context_->statistics->contribution_bytes_received.Add(payload_bytes);
  table.counters->contribution_bytes_received.Add(payload_bytes);
  const uint32_t place = header.clock % peer.slots.size();
  if (peer.uploads.empty() || payload_bytes == 0) return OnContribution(rank, header, peer.slots[place]);
  // The step that uses it is put into the same stream.
  uint8_t* const values = peer.uploads[place].bytes();
  MoverStream* const stream = context_->KeepStream(*kept->shard->home);
  if (!context_->Check(stream->Copy(values, peer.slots[place], payload_bytes))) return;
  const uint32_t index = context_->epoch->kept_of_partition[header.partition];
  context_->Await(stream, kWaitForUpload, {Done::Kind::kUpload, index, participant, GEEPS_OK, header.clock});
  OnContribution(rank, header, values);
}

void Keeper::OnContribution(uint32_t rank, const protocol::Header& header, const uint8_t* values) {
  const uint32_t index = context_->epoch->kept_of_partition[header.partition];
  Kept* const kept = &context_->epoch->kept[index];
  const uint32_t participant = ParticipantOf(*kept, rank);
  Kept::Participant* const peer = &kept->participants[participant];
  const bool empty = (header.flags & protocol::kFlagEmpty) != 0 || peer->updates[header.set_id].IsEmpty();
  const uint32_t num_params = static_cast<uint32_t>(context_->epoch->tables[kept->table].schema.rule->num_params);
  if (!empty && header.params.num != num_params) {
    context_->Refuse(rank, absl::StrCat(header.params.num, " rule parameters where ", num_params,
                                        " were due, in clock ", header.clock, " of partition ", header.partition));
    return;
  }
  if ((header.flags & protocol::kFlagFired) != 0) kept->last_fires->Note(header.clock, participant, header.sent_ns);
  const uint8_t** const arrived = &peer->arrived[header.clock % peer->arrived.size()];
  if (*arrived == nullptr && !empty) context_->epoch->tables[kept->table].slots->landed.Add();
  *arrived = empty ? nullptr : values;
  if (!empty) context_->TraceEnd(TraceEvent::Kind::kArrived, header.partition, rank, header.clock);
  kept->machine->OnContribution(participant, header.clock, header.set_id, empty,
                                (header.flags & protocol::kFlagFired) != 0, header.params, &effects_);
  Queue(index);
}

void Keeper::OnFire(uint32_t rank, const protocol::Header& header) {
  if (header.table >= context_->epoch->tables.size()) {
    context_->Refuse(rank, absl::StrCat("FIRE for table ", header.table, " of ", context_->epoch->tables.size()));
    return;
  }
  if (context_->epoch->tables[header.table].mapped) {
    context_->Refuse(rank, absl::StrCat("FIRE for table ", header.table, ", whose memory is mapped"));
    return;
  }
  for (uint32_t index : context_->epoch->kept_of_table[header.table]) {
    Kept* const kept = &context_->epoch->kept[index];
    const uint32_t participant = ParticipantOf(*kept, rank);
    if (participant == kNone || kept->machine->options().frozen) continue;
    kept->last_fires->Note(header.clock, participant, header.sent_ns);
    kept->machine->OnFire(participant, header.clock, header.set_id, &effects_);
    Queue(index);
  }
}

protocol::Header Keeper::MissingAt(uint32_t partition) const {
  const Kept& kept = context_->epoch->kept[context_->epoch->kept_of_partition[partition]];
  std::vector<uint32_t> ranks;
  kept.machine->Missing(&ranks);
  protocol::Header header;
  header.type = protocol::MessageType::kMissing;
  header.partition = partition;
  header.clock = kept.machine->age();
  header.num_missing = static_cast<uint32_t>(ranks.size());
  for (uint32_t i = 0; i < ranks.size() && i < protocol::kMissingListed; ++i) header.missing[i] = ranks[i];
  return header;
}

void Keeper::OnWho(uint32_t rank, const protocol::Header& header) {
  if (header.partition >= context_->epoch->kept_of_partition.size() ||
      context_->epoch->kept_of_partition[header.partition] == kNone) {
    context_->Refuse(rank, absl::StrCat("it asked who is missing at partition ", header.partition, ", which rank ",
                                        context_->rank, " does not keep"));
    return;
  }
  context_->links->Send(rank, GEEPS_TP_MAILBOX, MissingAt(header.partition), nullptr, 0, Sent{});
}

void Keeper::OnCredit(uint32_t rank, const protocol::Header& header) {
  uint32_t participant = 0;
  Kept* const kept = FindKept(rank, header, &participant);
  if (kept == nullptr) return;
  kept->machine->OnCredit(participant, header.clock, &effects_);
  Queue(context_->epoch->kept_of_partition[header.partition]);
}

void Keeper::ScanFired(uint32_t t) {
  EpochTable* const table = &context_->epoch->tables[t];
  for (uint32_t rank : table->watched) {
    const protocol::Clock fired = table->fired[rank]->load(std::memory_order_acquire);
    const protocol::Clock seen = table->fired_seen[rank];
    if (fired < seen || fired - seen > protocol::NumLandingSlots(table->slack_max)) {
      context_->Refuse(
          rank, absl::StrCat("it says that table '", table->schema.name, "' is fired up to clock ", fired, ", where ",
                             seen, " to ", seen + protocol::NumLandingSlots(table->slack_max), " were possible"));
      return;
    }
    while (table->fired_seen[rank] < fired) ReadLogEntry(t, rank, table->fired_seen[rank]++);
  }
}

// What a participant shows in its log stands for a contribution message, fired, to each partition. The log is a peer's
// memory: checked.
void Keeper::ReadLogEntry(uint32_t t, uint32_t rank, protocol::Clock clock) {
  EpochTable* const table = &context_->epoch->tables[t];
  const cache::UpdateLog& log = table->peer_logs[rank];
  const uint32_t set_id = log.header(clock)->set_id;
  const bool has_data = set_id != protocol::kSetNothing;
  if (log.header(clock)->clock != clock || (has_data && set_id >= context_->epoch->plans.size())) {
    context_->Refuse(rank,
                     absl::StrCat("its log of table '", table->schema.name, "' holds clock ", log.header(clock)->clock,
                                  " of plan ", set_id, " where clock ", clock, " was due"));
    return;
  }
  protocol::Header header;
  header.type = protocol::MessageType::kContribution;
  header.table = t;
  header.set_id = set_id;
  header.clock = clock;
  header.params = log.Params(clock);
  header.sent_ns = log.header(clock)->fired_ns;
  for (uint32_t index : context_->epoch->kept_of_table[t]) {
    const Kept& kept = context_->epoch->kept[index];
    const uint32_t participant = ParticipantOf(kept, rank);
    if (participant == kNone || kept.machine->options().frozen) continue;
    const Kept::Participant& peer = kept.participants[participant];
    const bool data_here = has_data && !peer.updates[set_id].IsEmpty();
    header.partition = kept.partition;
    header.flags = protocol::kFlagFired | (data_here ? 0 : protocol::kFlagEmpty);
    const uint8_t* const values =
        data_here ? log.values(clock) + peer.log_first[set_id] * table->schema.row_bytes() : nullptr;
    OnContribution(rank, header, values);
  }
}

void Keeper::Execute(const KeeperAction& action) {
  switch (action.effect.kind) {
    case protocol::KeeperEffect::Kind::kApply:
      Apply(action.kept, action.effect);
      break;
    case protocol::KeeperEffect::Kind::kPublish:
      Publish(action.kept, action.effect);
      break;
    case protocol::KeeperEffect::Kind::kAnswer:
      context_->rows->Answer(action.kept, action.effect);
      break;
    case protocol::KeeperEffect::Kind::kStoreAge:
      StoreAge(&context_->epoch->kept[action.kept], action.effect.age);
      break;
    case protocol::KeeperEffect::Kind::kFail:
      Fail(context_->epoch->kept[action.kept], action.effect);
      break;
  }
}

uint8_t* Keeper::VersionValues(const Kept& kept, protocol::Age age) const {
  const EpochTable& table = context_->epoch->tables[kept.table];
  return table.mapped ? MappedValues(table, age, kept.first_row) : kept.shard->values;
}

void Keeper::Apply(uint32_t index, const protocol::KeeperEffect& effect) {
  const protocol::Clock clock = effect.clock;
  Kept* const kept = &context_->epoch->kept[index];
  const EpochTable& table = context_->epoch->tables[kept->table];
  sources_.clear();
  source_participant_.clear();
  const protocol::RuleParams* params = nullptr;
  for (uint32_t i = 0; i < kept->participants.size(); ++i) {
    if (kept->participants[i].observer || (effect.alone && i != effect.participant)) continue;
    const protocol::KeeperPartition::Delivery& delivery = kept->machine->delivery(i, clock);
    if (delivery.empty) continue;
    sources_.push_back({kept->participants[i].updates[delivery.set_id].runs()});
    source_participant_.push_back(i);
    if (params == nullptr) params = &delivery.params;
  }
  context_->statistics->applied.Add();
  table.counters->applied.Add();
  sweep_.Build(sources_);
  segments_.clear();
  inputs_.clear();
  const uint64_t row_bytes = table.schema.row_bytes();
  for (const table::Segment& segment : sweep_.segments()) {
    segments_.push_back({segment.first_row, segment.num_rows, inputs_.size(), segment.num_inputs});
    for (const table::SegmentInput& input : sweep_.InputsOf(segment)) {
      const Kept::Participant& peer = kept->participants[source_participant_[input.source]];
      const uint8_t* const values = peer.arrived[clock % peer.arrived.size()] + input.row_offset * row_bytes;
      inputs_.push_back({values, peer.rank / table.schema.sum_group, 0});
    }
  }
  geeps_apply apply = device::MakeApply();
  apply.rule = static_cast<uint32_t>(table.schema.rule->id);
  apply.functions = table.schema.rule->functions;
  apply.dtype = static_cast<uint32_t>(AccumulateDType(table.schema.dtype));
  apply.input_dtype = static_cast<uint32_t>(table.schema.dtype);
  apply.reduce = static_cast<uint32_t>(table.schema.reduce);
  apply.num_rows = kept->num_rows;
  apply.row_values = table.schema.row_values;
  const void* const version_in = VersionValues(*kept, clock);
  void* const version_out = VersionValues(*kept, clock + 1);
  if (kept->shard->masters != nullptr) {
    apply.values_in = apply.values_out = kept->shard->masters->data();
    apply.rounded_in = version_in;
    apply.rounded_out = version_out;
  } else {
    apply.values_in = version_in;
    apply.values_out = version_out;
  }
  for (int i = 0; i < table.schema.rule->num_states; ++i) apply.states[i] = kept->shard->states[i]->data();
  if (kept->shard->steps != nullptr) apply.steps = static_cast<uint64_t*>(kept->shard->steps->data());
  for (uint32_t i = 0; params != nullptr && i < params->num; ++i) apply.params[i] = params->values[i];
  apply.segments = segments_.data();
  apply.num_segments = segments_.size();
  apply.inputs = inputs_.data();
  apply.num_inputs = inputs_.size();
  MoverStream* const stream = context_->KeepStream(*kept->shard->home);
  if (!context_->Check(stream->Apply(apply, kept->num_rows * row_bytes, index, MoverStream::Use::kWrites))) return;
  context_->Await(stream, kWaitForApply,
                  {Done::Kind::kApply, index, effect.alone ? effect.participant : kNone, GEEPS_OK, clock});
}

// The landing slots are open again before the version can be published: a publish is what lets the next contribution
// come.
void Keeper::OnApplied(uint32_t index, uint32_t alone, protocol::Clock clock) {
  Kept* const kept = &context_->epoch->kept[index];
  const EpochTable& table = context_->epoch->tables[kept->table];
  kept->shard->values = VersionValues(*kept, clock + 1);
  for (uint32_t i = 0; i < kept->participants.size(); ++i) {
    Kept::Participant& peer = kept->participants[i];
    const uint32_t place = clock % peer.arrived.size();
    if (peer.arrived[place] == nullptr || (alone != kNone && i != alone)) continue;
    peer.arrived[place] = nullptr;
    table.slots->landed.Subtract();
    if (table.mapped) continue;
    if (peer.rank == context_->rank) {
      context_->pusher->OnLocalApplied(kept->table, kept->partition, clock);
    } else if (context_->links->IsUp(peer.rank)) {
      context_->Check(
          context_->links->ArmSlot(peer.rank, protocol::SlotOfContribution(kept->partition, clock, table.slack_max)));
    }
  }
  kept->machine->OnApplied(&effects_);
  Queue(index);
}

void Keeper::Publish(uint32_t index, const protocol::KeeperEffect& effect) {
  Kept* const kept = &context_->epoch->kept[index];
  const EpochTable& table = context_->epoch->tables[kept->table];
  Kept::Participant* const peer = &kept->participants[effect.participant];
  const uint64_t row_bytes = table.schema.row_bytes();
  if ((effect.flags & (protocol::kFlagHeaderOnly | protocol::kFlagUnchanged)) != 0) {
    Deliver(kept, effect, nullptr, 0);
    kept->machine->OnSent(effect.participant, &effects_);
    Queue(index);
    return;
  }
  MoverStream* const stream = context_->KeepStream(*kept->shard->home);
  const table::RowRun run = peer->reads.runs()[0];
  const uint8_t* values = kept->shard->values + run.first * row_bytes;
  const uint64_t bytes = peer->reads.NumRows() * row_bytes;
  absl::Status status;
  if (peer->gather) {
    const geeps_row_move move =
        device::MakeRowMove(GEEPS_MOVE_COPY, static_cast<uint32_t>(table.schema.dtype), table.schema.row_values,
                            peer->staging.data(), kept->shard->values, peer->gather);
    status = stream->MoveRows(absl::MakeConstSpan(&move, 1), bytes, index, MoverStream::Use::kReads);
    values = peer->staging.bytes();
  } else if (!peer->download) {
    return Deliver(kept, effect, values, bytes);
  }
  if (status.ok() && peer->download) {
    status = stream->CopyBehind(peer->download.data(), values, bytes, index, MoverStream::Use::kReads);
  }
  if (!context_->Check(status)) return;
  peer->staged_effect = effect;
  context_->Await(stream, kWaitForGather, {Done::Kind::kGather, index, effect.participant, GEEPS_OK, effect.age});
}

// The values are in memory of their own, which is safe until the send is over.
void Keeper::OnGathered(uint32_t index, uint32_t participant) {
  Kept* const kept = &context_->epoch->kept[index];
  Kept::Participant* const peer = &kept->participants[participant];
  const uint64_t bytes = peer->reads.NumRows() * context_->epoch->tables[kept->table].schema.row_bytes();
  Deliver(kept, peer->staged_effect, peer->download ? peer->download.bytes() : peer->staging.bytes(), bytes);
}

void Keeper::Deliver(Kept* kept, const protocol::KeeperEffect& effect, const uint8_t* values, uint64_t bytes) {
  const Kept::Participant& peer = kept->participants[effect.participant];
  protocol::Header header;
  header.type = protocol::MessageType::kPublish;
  header.flags = effect.flags;
  header.table = kept->table;
  header.partition = kept->partition;
  header.clock = effect.age;
  header.own_clock = effect.own_clock;
  const LastFire last_fire = LastFireFor(*kept, effect.age);
  if (last_fire.participant != effect.participant) header.fired_ns = last_fire.ns;
  const uint32_t index = context_->epoch->kept_of_partition[kept->partition];
  if (peer.rank == context_->rank) {
    if (bytes > 0) {
      context_->statistics->publishes_local.Add();
      context_->statistics->publish_bytes_local.Add(bytes);
      context_->epoch->tables[kept->table].counters->publish_bytes_local.Add(bytes);
      context_->epoch->tables[kept->table].slots->publishing.Add();
    }
    context_->puller->OnPublish(header, values);
    return;
  }
  if (bytes == 0) {
    context_->links->Send(peer.rank, GEEPS_TP_MAILBOX, header, nullptr, 0, Sent{});
    return;
  }
  context_->statistics->publishes_sent.Add();
  context_->statistics->publish_bytes_sent.Add(bytes);
  context_->epoch->tables[kept->table].counters->publish_bytes_sent.Add(bytes);
  context_->epoch->tables[kept->table].slots->publishing.Add();
  context_->links->Send(peer.rank, protocol::SlotOfPublish(kept->partition), header, values, bytes,
                        Sent{Sent::Kind::kPublish, index, effect.participant, effect.age, context_->TraceTime()});
}

void Keeper::OnPublishSent(uint32_t index, uint32_t participant) {
  context_->epoch->tables[context_->epoch->kept[index].table].slots->publishing.Subtract();
  context_->epoch->kept[index].machine->OnSent(participant, &effects_);
  Queue(index);
}

void Keeper::OnGet(uint32_t index, protocol::Age age) {
  context_->epoch->kept[index].machine->OnGet(age, &effects_);
  Queue(index);
}

void Keeper::OnAnswered(uint32_t index, protocol::Age next) {
  context_->epoch->kept[index].machine->OnAnswered(next, &effects_);
  Queue(index);
}

void Keeper::OnLocalAbsorbed(uint32_t partition) {
  const uint32_t index = context_->epoch->kept_of_partition[partition];
  Kept* const kept = &context_->epoch->kept[index];
  context_->epoch->tables[kept->table].slots->publishing.Subtract();
  kept->machine->OnSent(ParticipantOf(*kept, context_->rank), &effects_);
  Queue(index);
}

// The ages of async tables count steps, not clocks: nobody waits for somebody's clock there.
LastFire Keeper::LastFireFor(const Kept& kept, protocol::Age age) {
  return kept.machine->options().async ? LastFire{} : kept.last_fires->Of(age);
}

// The word holds age + 1, so that 0, fresh memory, means that nothing was stored yet.
void Keeper::StoreAge(Kept* kept, protocol::Age age) {
  EpochTable* const table = &context_->epoch->tables[kept->table];
  context_->TraceEnd(TraceEvent::Kind::kPublish, kept->partition, context_->rank, age);
  const LastFire last_fire = LastFireFor(*kept, age);
  std::atomic<uint64_t>* const words = table->ages[kept->partition - table->first_partition];
  words[kFiredNsBehindAge].store(last_fire.ns, std::memory_order_relaxed);
  words[kFiredByBehindAge].store(kept->participants[last_fire.participant].rank, std::memory_order_relaxed);
  words->store(age + 1, std::memory_order_release);
  for (const Kept::Participant& peer : kept->participants) {
    if (peer.rank == context_->rank) {
      context_->puller->ScanAge(kept->table, context_->epoch->subscription_of_partition[kept->partition]);
    } else {
      context_->links->Notify(peer.rank);
    }
  }
}

void Keeper::Fail(const Kept& kept, const protocol::KeeperEffect& effect) {
  const EpochTable& table = context_->epoch->tables[kept.table];
  const uint32_t rank = kept.participants[effect.participant].rank;
  const std::string where =
      absl::StrCat("table '", table.schema.name, "', partition ", kept.partition, ", clock ", effect.clock);
  StatusDetail detail;
  detail.rank = static_cast<int32_t>(rank);
  detail.clock = effect.clock;
  if (effect.fault == protocol::KeeperEffect::Fault::kParams) {
    detail.code = Code::kMismatch;
    context_->fail(MakeStatus(detail, absl::StrCat("rule parameters of ", where, " differ between rank ", rank,
                                                   " and rank ", kept.participants[effect.other].rank,
                                                   ": every worker must set the same bits at the same clock")));
    return;
  }
  static constexpr const char* kFaults[] = {"no fault",
                                            "a clock that was not due",
                                            "an unknown plan",
                                            "data where its plan has none, or none where it has some",
                                            "parameters",
                                            "FIRE before its data",
                                            "a credit that was not due",
                                            "a clock of a frozen partition",
                                            "a clock of an observer"};
  detail.code = Code::kData;
  context_->fail(
      MakeStatus(detail, absl::StrCat("rank ", rank, " broke the protocol: ", kFaults[static_cast<int>(effect.fault)],
                                      " (", where, ", expected ", effect.age, ")")));
}

}  // namespace geeps::movers
