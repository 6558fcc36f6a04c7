// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/allocator.h"

#include <algorithm>

#include "runtime/movers/mapped_shape.h"
#include "runtime/movers/wait_sites.h"

namespace geeps::movers {
// What a read holds of the partitions that it touches: their versions, or the own clocks that they contain (async). A
// frozen partition has one version for all clocks.
void Allocator::NoteAges(const plan::PlannedOp& op, protocol::Clock clock, OpSlot* slot) {
  uint64_t min_age = clock;
  uint64_t max_age = 0;
  uint64_t fired_ns = 0;
  bool any = false;
  for (uint32_t i : op.subscriptions) {
    const protocol::SubscriberPartition& subscriber = context_->epoch->tables[op.table].subscribers[i];
    const uint64_t age = subscriber.frozen() ? clock : subscriber.own_clock();
    min_age = any ? std::min(min_age, age) : age;
    max_age = any ? std::max(max_age, age) : age;
    fired_ns = std::max(fired_ns, context_->epoch->tables[op.table].landings[i].fired_ns);
    any = true;
  }
  slot->min_age = min_age;
  slot->max_age = any ? max_age : clock;
  slot->fired_ns.store(fired_ns, std::memory_order_relaxed);
}

void Allocator::Fill(const protocol::SequencerEffect& effect) {
  Epoch* const epoch = context_->epoch;
  const plan::PlannedOp& op = epoch->layout.plans[effect.set_id].ops[effect.op];
  EpochTable* const table = &epoch->tables[op.table];
  EpochPlan* const plan = &epoch->plans[effect.set_id];
  const uint64_t row_bytes = table->schema.row_bytes();
  absl::Status status;
  if (op.kind == plan::OpKind::kUpdate) {
    uint8_t* const place = op.in_place ? table->log.values(effect.clock) + op.place_row * row_bytes
                                       : epoch->arena.bytes() + op.buffer_offset;
    if (op.num_rows > 0) status = context_->fill_stream.Fill(place, 0, op.num_rows * row_bytes);
  } else {
    NoteAges(op, effect.clock, &plan->slots[effect.op]);
    context_->statistics->fills.Add();
    context_->statistics->fill_bytes.Add(op.num_rows * row_bytes);
    moves_.clear();
    const auto gather = [&](const uint8_t* from, const device::RowIndex& index) {
      if (!index) return;
      moves_.push_back(device::MakeRowMove(GEEPS_MOVE_COPY, static_cast<uint32_t>(table->schema.dtype),
                                           table->schema.row_values, epoch->arena.bytes() + op.buffer_offset, from,
                                           index));
    };
    gather(table->cache, plan->gather[effect.op]);
    for (const PartGather& part : plan->part_gathers[effect.op]) {
      const protocol::SubscriberPartition& subscriber = table->subscribers[part.subscription];
      gather(MappedValues(*table, subscriber.absorbed(), 0), part.index);
    }
    if (!moves_.empty()) {
      status = context_->fill_stream.MoveRows(moves_, op.num_rows * row_bytes, op.table, MoverStream::Use::kReads);
    }
  }
  if (!context_->Check(status)) return;
  if (op.kind == plan::OpKind::kRead && table->in_stream_order) {
    context_->GoOn(effect.set_id, effect.op, effect.clock);
  } else {
    context_->Await(&context_->fill_stream, kWaitForFill,
                    {Done::Kind::kFill, effect.set_id, effect.op, GEEPS_OK, effect.clock});
  }
}

void Allocator::OnFilled(uint32_t set_id, uint32_t op_index) {
  Epoch* const epoch = context_->epoch;
  const plan::PlannedOp& op = epoch->layout.plans[set_id].ops[op_index];
  if (op.kind == plan::OpKind::kRead) {
    for (uint32_t i : op.subscriptions) {
      const protocol::SubscriberEffects effects = epoch->tables[op.table].subscribers[i].OnFillDone();
      context_->actions.Push(SubscriberAction{op.table, i, effects});
    }
  }
  protocol::Sequencer::Effects effects;
  epoch->sequencer->OnFillDone(set_id, op_index, &effects);
  context_->Queue(effects);
}

void Allocator::MakeReady(const protocol::SequencerEffect& effect) {
  Epoch* const epoch = context_->epoch;
  const plan::PlannedOp& op = epoch->layout.plans[effect.set_id].ops[effect.op];
  OpSlot* const slot = &epoch->plans[effect.set_id].slots[effect.op];
  EpochTable* const table = &epoch->tables[op.table];
  if (op.kind == plan::OpKind::kUpdate) {
    slot->fired_ns.store(table->fired_ns, std::memory_order_relaxed);
    table->log_begun = std::max(table->log_begun, effect.clock + 1);
    NoteLog(table);
  } else if (op.in_place) {
    NoteAges(op, effect.clock, slot);
  }
  // Work that is still under way in the stream may be what the read holds.
  slot->position = 0;
  if (op.kind == plan::OpKind::kRead && table->in_stream_order && context_->fill_order.MayLast()) {
    if (!context_->Check(context_->fill_stream.Record(epoch->plans[effect.set_id].filled[effect.op]))) return;
    slot->position = context_->fill_order.TellEnd(&slot->over);
  }
  slot->word.store(OpSlot::Word(effect.pass, OpSlot::kReady), std::memory_order_seq_cst);
  wake_program_();
}

void Allocator::TakeBack(const protocol::SequencerEffect& effect) {
  Epoch* const epoch = context_->epoch;
  uint64_t expected = OpSlot::Word(effect.pass, OpSlot::kReady);
  const bool taken_back = epoch->plans[effect.set_id].slots[effect.op].word.compare_exchange_strong(
      expected, OpSlot::Word(effect.pass, OpSlot::kNone), std::memory_order_acq_rel);
  protocol::Sequencer::Effects effects;
  epoch->sequencer->OnTakenBack(effect.set_id, effect.op, taken_back, &effects);
  context_->Queue(effects);
}

// First the rows that no earlier update of the pass has touched, then the additions, in one stream: later updates of a
// row find the first. With read-my-writes the cache is added to, as well, out of the buffer or, in place, out of the
// log.
void Reclaimer::Drain(const protocol::SequencerEffect& effect) {
  Epoch* const epoch = context_->epoch;
  const plan::PlannedOp& op = epoch->layout.plans[effect.set_id].ops[effect.op];
  EpochTable* const table = &epoch->tables[op.table];
  EpochPlan* const plan = &epoch->plans[effect.set_id];
  uint8_t* const log = table->log.values(effect.clock);
  const uint8_t* const buffer = epoch->arena.bytes() + op.buffer_offset;
  const uint32_t dtype = static_cast<uint32_t>(table->schema.dtype);
  geeps_row_move moves[3];
  size_t num_moves = 0;
  if (plan->store[effect.op]) {
    moves[num_moves++] =
        device::MakeRowMove(GEEPS_MOVE_COPY, dtype, table->schema.row_values, log, buffer, plan->store[effect.op]);
  }
  if (plan->add[effect.op]) {
    moves[num_moves++] =
        device::MakeRowMove(GEEPS_MOVE_ADD, dtype, table->schema.row_values, log, buffer, plan->add[effect.op]);
  }
  if (plan->own_add[effect.op]) {
    const uint8_t* const from = op.in_place ? log : buffer;
    moves[num_moves++] = device::MakeRowMove(GEEPS_MOVE_ADD, dtype, table->schema.row_values, table->cache, from,
                                             plan->own_add[effect.op]);
  }
  const uint64_t bytes = op.num_rows * table->schema.row_bytes();
  context_->statistics->drains.Add();
  context_->statistics->drain_bytes.Add(bytes);
  if (num_moves > 0 && !context_->Check(context_->drain_stream.MoveRows(absl::MakeConstSpan(moves, num_moves), bytes,
                                                                        op.table, MoverStream::Use::kWrites))) {
    return;
  }
  context_->Await(&context_->drain_stream, kWaitForDrain,
                  {Done::Kind::kDrain, effect.set_id, effect.op, GEEPS_OK, effect.clock});
}

void Reclaimer::OnDrained(uint32_t set_id, uint32_t op, protocol::Clock clock) {
  Epoch* const epoch = context_->epoch;
  const plan::PlannedOp& planned = epoch->layout.plans[set_id].ops[op];
  for (const plan::OwnPart& part : planned.own_parts) {
    const protocol::SubscriberEffects effects =
        epoch->tables[planned.table].subscribers[part.subscription].OnAddDone({clock, set_id, op});
    context_->actions.Push(SubscriberAction{planned.table, part.subscription, effects});
  }
  protocol::Sequencer::Effects effects;
  epoch->sequencer->OnDrained(set_id, op, &effects);
  context_->Queue(effects);
}

}  // namespace geeps::movers
