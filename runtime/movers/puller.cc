// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/puller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/keeper.h"
#include "runtime/movers/links.h"
#include "runtime/movers/mapped_shape.h"
#include "runtime/movers/pusher.h"
#include "runtime/movers/wait_sites.h"

namespace geeps::movers {

void Puller::OnPublishMessage(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes) {
  Epoch* const epoch = context_->epoch;
  const uint32_t partition = header.partition;
  const bool known =
      partition < epoch->subscription_of_partition.size() && epoch->subscription_of_partition[partition] != kNone;
  if (!known || epoch->keeper_of_partition[partition] != rank || epoch->table_of_partition[partition] != header.table) {
    context_->Refuse(rank,
                     absl::StrCat("it published partition ", partition, " of table ", header.table,
                                  ", which it does not keep or to which rank ", context_->rank, " does not subscribe"));
    return;
  }
  const uint32_t i = epoch->subscription_of_partition[partition];
  EpochTable* const table = &epoch->tables[header.table];
  const uint64_t rows = epoch->layout.tables[header.table].subscriptions[i].block.rows;
  const bool header_only = (header.flags & protocol::kFlagHeaderOnly) != 0;
  const bool unchanged = (header.flags & protocol::kFlagUnchanged) != 0;
  const bool frozen = (header.flags & protocol::kFlagFrozen) != 0;
  const bool first = table->subscribers[i].absorbed() == protocol::kNoAge;
  if (header_only != (rows == 0) || (unchanged && (first || header_only)) || frozen != table->frozen[i] ||
      !IsPossible(*table, i, header.clock, header.own_clock)) {
    context_->Refuse(
        rank, absl::StrCat("it published version ", header.clock, " of table '", table->schema.name, "' partition ",
                           partition, " with flags ", static_cast<int>(header.flags), ", where rank ", context_->rank,
                           " reads ", rows, " rows, has ", first ? "no" : "a", " version and fired ",
                           table->contributor->fired(), " clocks"));
    return;
  }
  const bool payload = !header_only && !unchanged;
  const uint64_t wanted = payload ? rows * table->schema.row_bytes() : 0;
  const uint32_t wanted_slot = payload ? protocol::SlotOfPublish(partition) : GEEPS_TP_MAILBOX;
  if (payload_bytes != wanted || slot != wanted_slot) {
    context_->Refuse(rank, absl::StrCat("it published ", payload_bytes, " bytes of table '", table->schema.name,
                                        "' partition ", partition, " in slot ", slot, ", where ", wanted,
                                        " bytes in slot ", wanted_slot, " were due"));
    return;
  }
  if (payload) table->landings[i].open = false;
  context_->statistics->publish_bytes_received.Add(payload_bytes);
  table->counters->publish_bytes_received.Add(payload_bytes);
  OnPublish(header, nullptr);
}

// A version contains no clock that this worker, a participant, has not fired. What an async table has applied is
// counted in contributions, and the own clocks among them are told by themselves: the data of the clock that is fired
// next may have been applied.
bool Puller::IsPossible(const EpochTable& table, uint32_t subscription, protocol::Age age, protocol::Clock own_clock) {
  const protocol::Clock first_clock = table.contributor->options().first_clock;
  const bool takes_part = table.lane_of[subscription] != kNone;
  const bool answered = table.schema.async && !table.observer;
  if (age < first_clock || (answered ? own_clock < first_clock : own_clock != 0)) return false;
  const protocol::Clock fired = table.contributor->fired();
  return !takes_part || (answered ? own_clock <= fired + 1 : age <= fired);
}

void Puller::OnPublish(const protocol::Header& header, const uint8_t* values) {
  Epoch* const epoch = context_->epoch;
  const uint32_t t = epoch->table_of_partition[header.partition];
  const uint32_t i = epoch->subscription_of_partition[header.partition];
  EpochTable* const table = &epoch->tables[t];
  const bool payload = (header.flags & (protocol::kFlagHeaderOnly | protocol::kFlagUnchanged)) == 0;
  table->landings[i].local = values;
  table->landings[i].age = header.clock;
  table->landings[i].fired_ns = header.fired_ns;
  const protocol::SubscriberEffects effects = table->subscribers[i].OnPublish(
      header.clock, payload, (header.flags & protocol::kFlagFrozen) != 0, header.own_clock);
  context_->actions.Push(SubscriberAction{t, i, effects});
}

void Puller::ScanAge(uint32_t t, uint32_t i) {
  EpochTable* const table = &context_->epoch->tables[t];
  const uint32_t partition = context_->epoch->layout.tables[t].subscriptions[i].partition;
  const std::atomic<uint64_t>* const words = table->ages[partition - table->first_partition];
  const uint64_t word = words->load(std::memory_order_acquire);
  protocol::SubscriberPartition* const subscriber = &table->subscribers[i];
  if (word == 0 || (subscriber->absorbed() != protocol::kNoAge && subscriber->absorbed() >= word - 1)) return;
  if (!IsPossible(*table, i, word - 1, 0)) {
    context_->Refuse(
        context_->epoch->keeper_of_partition[partition],
        absl::StrCat("table '", table->schema.name, "' partition ", partition, " is said to have version ", word - 1,
                     ", where rank ", context_->rank, " fired ", table->contributor->fired(), " clocks"));
    return;
  }
  const bool own = words[kFiredByBehindAge].load(std::memory_order_relaxed) == context_->rank;
  table->landings[i].fired_ns = own ? 0 : words[kFiredNsBehindAge].load(std::memory_order_relaxed);
  context_->actions.Push(SubscriberAction{t, i, subscriber->OnAgeWord(word - 1, table->frozen[i])});
}

void Puller::ScanAges() {
  for (uint32_t t = 0; t < context_->epoch->tables.size(); ++t) {
    if (!context_->epoch->tables[t].mapped) continue;
    const size_t num = context_->epoch->tables[t].subscribers.size();
    for (uint32_t i = 0; i < num; ++i) ScanAge(t, i);
  }
}

void Puller::Execute(const SubscriberAction& action) {
  const protocol::SubscriberEffects& effects = action.effects;
  EpochTable* const table = &context_->epoch->tables[action.table];
  if (effects.fail) {
    const uint32_t partition =
        context_->epoch->layout.tables[action.table].subscriptions[action.subscription].partition;
    context_->Refuse(context_->epoch->keeper_of_partition[partition],
                     absl::StrCat("it published a version of table '", table->schema.name, "' partition ", partition,
                                  " that is not newer than ", table->subscribers[action.subscription].absorbed(),
                                  ", or without a credit"));
    return;
  }
  if (effects.absorb) Absorb(action.table, action.subscription);
  if (effects.age_changed) {
    const protocol::Age age = table->subscribers[action.subscription].absorbed();
    table->fired_ns = std::max(table->fired_ns, table->landings[action.subscription].fired_ns);
    table->counters->age_max.Note(age);
    context_->pusher->OnAge(action.table, action.subscription, table->subscribers[action.subscription].own_clock());
    protocol::Sequencer::Effects sequenced;
    context_->epoch->sequencer->OnAge(action.table, action.subscription, &sequenced);
    context_->Queue(sequenced);
  }
  if (effects.credit) ReturnCredit(action.table, action.subscription, effects.credit_age);
}

void Puller::Absorb(uint32_t t, uint32_t i) {
  EpochTable* const table = &context_->epoch->tables[t];
  Landing* const landing = &table->landings[i];
  const plan::Block& block = context_->epoch->layout.tables[t].subscriptions[i].block;
  const uint64_t row_bytes = table->schema.row_bytes();
  const uint8_t* const from = landing->local != nullptr ? landing->local : landing->memory;
  const uint64_t bytes = block.rows * row_bytes;
  absl::Status status;
  if (landing->local != nullptr && landing->place) {
    const geeps_row_move move = device::MakeRowMove(GEEPS_MOVE_COPY, static_cast<uint32_t>(table->schema.dtype),
                                                    table->schema.row_values, table->cache, from, landing->place);
    status = context_->fill_stream.MoveRows(absl::MakeConstSpan(&move, 1), bytes, t, MoverStream::Use::kWritesOwnPart);
  } else {
    status = context_->fill_stream.Copy(table->cache + block.first * row_bytes, from, bytes, t,
                                        MoverStream::Use::kWritesOwnPart);
  }
  if (status.ok()) status = AddOwnUpdates(t, i);
  if (!context_->Check(status)) return;
  Done done{Done::Kind::kAbsorb, t, i, GEEPS_OK, landing->age};
  if (table->in_stream_order) {
    // The version counts as absorbed: whoever reads it comes behind the copy. The credit does not leave before its end.
    landing->after_absorb = table->subscribers[i].OnAbsorbed();
    protocol::SubscriberEffects now = landing->after_absorb;
    now.credit = false;
    landing->after_absorb.age_changed = false;
    context_->actions.Push(SubscriberAction{t, i, now});
    done.position = context_->fill_order.Put();
  }
  context_->Await(&context_->fill_stream, kWaitForAbsorb, done);
}

// Read-my-writes: what the version does not contain comes on top of it, out of the log, in the order of the clocks.
absl::Status Puller::AddOwnUpdates(uint32_t t, uint32_t i) {
  const EpochTable& table = context_->epoch->tables[t];
  moves_.clear();
  uint64_t rows = 0;
  for (const protocol::OwnUpdate& update : table.subscribers[i].own_updates()) {
    for (const OwnPart& part : context_->epoch->plans[update.set_id].own_parts[update.op]) {
      if (part.subscription != i || !part.again) continue;
      moves_.push_back(device::MakeRowMove(GEEPS_MOVE_ADD, static_cast<uint32_t>(table.schema.dtype),
                                           table.schema.row_values, table.cache, table.log.values(update.clock),
                                           part.again));
      rows += context_->epoch->layout.plans[update.set_id].ops[update.op].num_rows;
    }
  }
  if (moves_.empty()) return absl::OkStatus();
  return context_->fill_stream.MoveRows(moves_, rows * table.schema.row_bytes(), t, MoverStream::Use::kWrites);
}

void Puller::OnAbsorbed(uint32_t t, uint32_t i) {
  EpochTable* const table = &context_->epoch->tables[t];
  if (table->landings[i].local != nullptr) {
    table->landings[i].local = nullptr;
    context_->keeper->OnLocalAbsorbed(context_->epoch->layout.tables[t].subscriptions[i].partition);
  }
  if (table->in_stream_order) {
    context_->actions.Push(SubscriberAction{t, i, std::exchange(table->landings[i].after_absorb, {})});
  } else {
    context_->actions.Push(SubscriberAction{t, i, table->subscribers[i].OnAbsorbed()});
  }
}

// The slot is open again before the credit lets the next version come. A publish without values has left it open.
void Puller::ReturnCredit(uint32_t t, uint32_t i, protocol::Age age) {
  Landing* const landing = &context_->epoch->tables[t].landings[i];
  const plan::Subscription& subscription = context_->epoch->layout.tables[t].subscriptions[i];
  const uint32_t keeper = context_->epoch->keeper_of_partition[subscription.partition];
  protocol::Header header;
  header.type = protocol::MessageType::kCredit;
  header.partition = subscription.partition;
  header.clock = age;
  if (keeper == context_->rank) {
    context_->keeper->OnCredit(keeper, header);
    return;
  }
  if (landing->memory != nullptr && !landing->open && context_->links->IsUp(keeper)) {
    if (!context_->Check(context_->links->ArmSlot(keeper, protocol::SlotOfPublish(subscription.partition)))) return;
    landing->open = true;
  }
  context_->links->Send(keeper, GEEPS_TP_MAILBOX, header, nullptr, 0, Sent{});
}

}  // namespace geeps::movers
