// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/pusher.h"

#include <algorithm>

#include "runtime/movers/keeper.h"
#include "runtime/movers/links.h"
#include "runtime/movers/wait_sites.h"

namespace geeps::movers {

void Pusher::Queue(uint32_t table) {
  for (const protocol::ContributorEffect& effect : effects_) context_->actions.Push(ContributorAction{table, effect});
  effects_.clear();
  NoteLog(&context_->epoch->tables[table]);
}

void Pusher::OnData(uint32_t t, protocol::Clock clock, uint32_t set_id) {
  EpochTable* const table = &context_->epoch->tables[t];
  table->log_complete = std::max(table->log_complete, clock + 1);
  table->contributor->OnData(clock, set_id, &effects_);
  Queue(t);
}

void Pusher::OnFire(uint32_t t, protocol::Clock clock, uint32_t set_id) {
  context_->TraceEnd(TraceEvent::Kind::kFired, t, 0, clock);
  EpochTable* const table = &context_->epoch->tables[t];
  table->log_complete = std::max(table->log_complete, clock + 1);
  table->contributor->OnFired(clock, set_id, &effects_);
  Queue(t);
}

void Pusher::OnAge(uint32_t t, uint32_t subscription, protocol::Age age) {
  EpochTable* const table = &context_->epoch->tables[t];
  const uint32_t lane = table->lane_of[subscription];
  if (lane == kNone) return;
  table->contributor->OnAge(lane, age, &effects_);
  Queue(t);
}

void Pusher::OnSent(uint32_t t, uint32_t lane, protocol::Clock clock) {
  context_->epoch->tables[t].contributor->OnSent(lane, clock, &effects_);
  Queue(t);
}

void Pusher::OnLocalApplied(uint32_t t, uint32_t partition, protocol::Clock clock) {
  OnSent(t, context_->epoch->tables[t].lane_of[context_->epoch->subscription_of_partition[partition]], clock);
}

void Pusher::Execute(const ContributorAction& action) {
  EpochTable* const table = &context_->epoch->tables[action.table];
  switch (action.effect.kind) {
    case protocol::ContributorEffect::Kind::kSend:
    case protocol::ContributorEffect::Kind::kFire:
      Leave(table, action.table, action.effect);
      break;
    case protocol::ContributorEffect::Kind::kStoreFired:
      StoreFired(table, action.table, action.effect);
      break;
    case protocol::ContributorEffect::Kind::kEntryFree: {
      protocol::Sequencer::Effects effects;
      context_->epoch->sequencer->OnEntryFree(action.table, &effects);
      context_->Queue(effects);
      break;
    }
  }
}

void Pusher::Leave(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect) {
  const bool sends = effect.kind == protocol::ContributorEffect::Kind::kSend;
  const bool downloads = sends && LeavesDevice(*table, effect);
  if (!downloads && table->outgoing.IsEmpty()) return Send(table, t, effect);
  table->outgoing.Push(Outgoing{effect, !downloads});
  if (downloads) Download(table, t, effect);
}

void Pusher::Send(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect) {
  if (effect.kind == protocol::ContributorEffect::Kind::kSend) {
    SendContribution(table, t, effect);
  } else {
    SendFire(table, t, effect);
  }
}

bool Pusher::LeavesDevice(const EpochTable& table, const protocol::ContributorEffect& effect) {
  return !table.leaves_device.empty() && table.leaves_device[effect.index];
}

uint32_t Pusher::KeeperOf(const EpochTable& table, const protocol::ContributorEffect& effect) {
  return table.keepers[table.contributor->options().partitions[effect.index].keeper];
}

const plan::Block& Pusher::BlockOf(const EpochTable& table, uint32_t t,
                                   const protocol::ContributorEffect& effect) const {
  return context_->epoch->layout.plans[effect.set_id].tables[t].contributions[table.subscription_of[effect.index]];
}

// The updates are in the log: its stream is the one that the copy waits in.
void Pusher::Download(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect) {
  const plan::Block& block = BlockOf(*table, t, effect);
  const uint64_t first = block.first * table->schema.row_bytes();
  uint8_t* const to = table->log_staging.bytes() + table->log.values_offset(effect.clock) + first;
  if (!context_->Check(context_->drain_stream.Copy(to, table->log.values(effect.clock) + first,
                                                   block.rows * table->schema.row_bytes(), t,
                                                   MoverStream::Use::kReads))) {
    return;
  }
  context_->Await(&context_->drain_stream, kWaitForDownload,
                  {Done::Kind::kDownload, t, effect.index, GEEPS_OK, effect.clock});
}

void Pusher::OnDownloaded(uint32_t t, uint32_t lane, protocol::Clock clock) {
  EpochTable* const table = &context_->epoch->tables[t];
  RingQueue<Outgoing>* const outgoing = &table->outgoing;
  for (size_t i = 0; i < outgoing->size(); ++i) {
    Outgoing* const one = &outgoing->at(i);
    if (one->is_here || one->effect.index != lane || one->effect.clock != clock) continue;
    one->is_here = true;
    break;
  }
  Outgoing next;
  while (!outgoing->IsEmpty() && outgoing->at(0).is_here) {
    outgoing->Pop(&next);
    Send(table, t, next.effect);
  }
}

void Pusher::SendContribution(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect) {
  const uint32_t partition = table->contributor->options().partitions[effect.index].partition;
  const uint32_t keeper = KeeperOf(*table, effect);
  const plan::Block& block = BlockOf(*table, t, effect);
  const uint64_t row_bytes = table->schema.row_bytes();
  const uint8_t* const entry = LeavesDevice(*table, effect)
                                   ? table->log_staging.bytes() + table->log.values_offset(effect.clock)
                                   : table->log.values(effect.clock);
  const uint8_t* const values = entry + block.first * row_bytes;
  const uint64_t bytes = block.rows * row_bytes;

  protocol::Header header;
  header.type = protocol::MessageType::kContribution;
  header.flags = effect.fired ? protocol::kFlagFired : 0;
  header.table = t;
  header.partition = partition;
  header.set_id = effect.set_id;
  header.clock = effect.clock;
  header.params = table->log.Params(effect.clock);
  if (keeper == context_->rank) {
    header.sent_ns = SteadyNs();
    context_->statistics->contributions_local.Add();
    context_->statistics->contribution_bytes_local.Add(bytes);
    table->counters->contribution_bytes_local.Add(bytes);
    context_->keeper->OnContribution(keeper, header, values);
    return;
  }
  context_->statistics->contributions_sent.Add();
  context_->statistics->contribution_bytes_sent.Add(bytes);
  table->counters->contribution_bytes_sent.Add(bytes);
  context_->links->Send(keeper, protocol::SlotOfContribution(partition, effect.clock, table->slack_max), header, values,
                        bytes, Sent{Sent::Kind::kContribution, t, effect.index, effect.clock, context_->TraceTime()});
}

void Pusher::SendFire(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect) {
  protocol::Header header;
  header.type = protocol::MessageType::kFire;
  header.table = t;
  header.set_id = effect.set_id;
  header.clock = effect.clock;
  const uint32_t keeper = table->keepers[effect.index];
  if (keeper == context_->rank) {
    header.sent_ns = SteadyNs();
    context_->keeper->OnFire(keeper, header);
  } else {
    context_->links->Send(keeper, GEEPS_TP_MAILBOX, header, nullptr, 0, Sent{});
  }
}

// The values and the parameters are in the entry; the release store shows them, and the header, to every keeper.
void Pusher::StoreFired(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect) {
  cache::LogHeader* const header = table->log.header(effect.clock);
  header->clock = effect.clock;
  header->set_id = effect.set_id;
  header->fired_ns = SteadyNs();
  if (effect.set_id != protocol::kSetNothing) {
    for (const plan::Block& block : context_->epoch->layout.plans[effect.set_id].tables[t].contributions) {
      if (block.rows == 0) continue;
      context_->statistics->contributions_local.Add();
      context_->statistics->contribution_bytes_local.Add(block.rows * table->schema.row_bytes());
      table->counters->contribution_bytes_local.Add(block.rows * table->schema.row_bytes());
    }
  }
  table->fired[context_->rank]->store(effect.clock + 1, std::memory_order_release);
  context_->keeper->ScanFired(t);
  for (uint32_t keeper : table->keepers) context_->links->Notify(keeper);
}

}  // namespace geeps::movers
