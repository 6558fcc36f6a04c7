// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/walk.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/mapped_shape.h"

namespace geeps::session {
namespace {

using movers::OpSlot;
using movers::ProgramEvent;

constexpr uint8_t kMade = 1;
constexpr uint8_t kSkipped = 2;

const char* CallName(plan::OpKind kind, bool end) {
  switch (kind) {
    case plan::OpKind::kRead:
      return end ? "post_read" : "read";
    case plan::OpKind::kUpdate:
      return end ? "update" : "pre_update";
    case plan::OpKind::kLocal:
      return end ? "post_local" : "access_local";
  }
  return "call";
}

}  // namespace

void Walk::Attach(movers::Epoch* epoch, std::vector<uint64_t> serials,
                  std::vector<std::shared_ptr<const plan::RecordedPlan>> recorded) {
  std::vector<protocol::RuleParams> params(epoch->tables.size());
  for (size_t t = 0; t < epoch->tables.size(); ++t) {
    const table::TableSchema& schema = epoch->tables[t].schema;
    params[t].num = static_cast<uint32_t>(schema.rule->num_params);
    std::copy(schema.params, schema.params + schema.rule->num_params, params[t].values.begin());
  }
  // What a pass keeps has its room from here on: its beginning cannot fail half-way.
  size_t num_ops = 0;
  for (const plan::PlannedPass& planned : epoch->layout.plans) num_ops = std::max(num_ops, planned.ops.size());
  states_.reserve(num_ops);
  opened_ns_.reserve(num_ops);
  updated_.reserve(epoch->tables.size());
  epoch_ = epoch;
  serials_ = std::move(serials);
  recorded_ = std::move(recorded);
  params_ = std::move(params);
  number_ = 0;
  in_pass_ = false;
}

std::string Walk::Name(uint32_t op) const { return plan::NameOfOperation(*recorded_[set_id_], op); }

absl::StatusOr<uint32_t> Walk::FindPlan(uint64_t serial) const {
  for (uint32_t i = 0; i < serials_.size(); ++i) {
    if (serials_[i] == serial) return i;
  }
  return WrongState("the plan is not committed");
}

absl::Status Walk::PassBegin(uint64_t serial) {
  if (in_pass_) return WrongState("a pass of plan '", pass().name, "' is under way; end it first");
  GEEPS_ASSIGN_OR_RETURN(const uint32_t set_id, FindPlan(serial));
  return BeginPass(set_id);
}

absl::Status Walk::BeginPass(uint32_t set_id) {
  GEEPS_RETURN_IF_ERROR(Tell(ProgramEvent::Kind::kPassBegin, set_id, 0));
  engine_->WakeForProgram();
  set_id_ = set_id;
  serial_ = serials_[set_id];
  in_pass_ = true;
  ++number_;
  position_ = 0;
  num_open_ = 0;
  states_.assign(pass().ops.size(), OpState::kAhead);
  updated_.assign(epoch_->tables.size(), 0);
  if (engine_->trace() != nullptr) {
    pass_begin_ns_ = SteadyNs();
    opened_ns_.assign(pass().ops.size(), 0);
  }
  engine_->statistics()->passes.Add();
  epoch_->plans[set_id_].counters->passes.Add();
  return absl::OkStatus();
}

absl::Status Walk::PassEnd(uint64_t next) {
  if (!in_pass_) return WrongState("no pass is under way");
  if (!pass().no_clock) return WrongState("plan '", pass().name, "' ends with a clock: call geeps_clock");
  return End(next, false);
}

absl::Status Walk::Clock(uint64_t next) {
  if (!in_pass_) return WrongState("no pass is under way");
  if (pass().no_clock) return WrongState("plan '", pass().name, "' has no clock: call geeps_pass_end");
  if (position_ < pass().steps.size()) {
    const plan::Step& step = pass().steps[position_];
    return WrongState("the pass is not complete: the ", CallName(pass().ops[step.op].kind, step.end), " of ",
                      Name(step.op), " is due");
  }
  return End(next, true);
}

absl::Status Walk::End(uint64_t next, bool clock) {
  if (num_open_ > 0) {
    const auto open = std::find(states_.begin(), states_.end(), OpState::kOpen);
    return WrongState(Name(static_cast<uint32_t>(open - states_.begin())), " is open");
  }
  uint32_t next_id = set_id_;
  if (next != 0) {
    GEEPS_ASSIGN_OR_RETURN(next_id, FindPlan(next));
  }
  for (uint32_t op = 0; op < states_.size(); ++op) {
    if (states_[op] == OpState::kAhead && pass().ops[op].kind != plan::OpKind::kLocal) {
      GEEPS_RETURN_IF_ERROR(Tell(ProgramEvent::Kind::kSkipped, set_id_, op));
    }
  }
  // What ends is traced before the movers hear of it: causes come before what they cause.
  TraceEnd(movers::TraceEvent::Kind::kPass, 0, pass_begin_ns_);
  GEEPS_RETURN_IF_ERROR(Tell(ProgramEvent::Kind::kPassEnd, next_id, 0));
  in_pass_ = false;
  if (armed_) engine_->program_wait()->Disarm();  // slots may go at the next commit
  armed_ = false;
  if (clock) {
    ++clock_;
    engine_->clock()->store(clock_, std::memory_order_relaxed);
    engine_->statistics()->clocks.Add();
  }
  if (next != 0) return BeginPass(next_id);
  engine_->WakeForProgram();
  return absl::OkStatus();
}

absl::Status Walk::NotDue(plan::OpKind kind, uint64_t op, bool end) const {
  if (engine_->failed()) return engine_->failure();
  if (!in_pass_) return WrongState("no pass is under way: geeps_pass_begin comes first");
  if (SerialOf(op) != serial_)
    return Invalid("the operation is not one of plan '", pass().name, "', which the pass walks");
  const uint64_t index = (op & 0xffffffffu) - 1;
  if (index >= pass().ops.size()) {
    return Invalid("operation ", index, " of plan '", pass().name, "', which has ", pass().ops.size());
  }
  if (pass().ops[index].kind != kind) {
    return Invalid(Name(static_cast<uint32_t>(index)), " was given to ", CallName(kind, end));
  }
  if (position_ >= pass().steps.size()) {
    return WrongState("the ", CallName(kind, end), " of ", Name(static_cast<uint32_t>(index)),
                      " was called where the pass is complete and its end is due");
  }
  const plan::Step& step = pass().steps[position_];
  return WrongState("the ", CallName(kind, end), " of ", Name(static_cast<uint32_t>(index)), " was called where the ",
                    CallName(pass().ops[step.op].kind, step.end), " of ", Name(step.op), " is due");
}

absl::StatusOr<uint32_t> Walk::Due(plan::OpKind kind, uint64_t op, bool end) {
  if (!in_pass_ || SerialOf(op) != serial_ || position_ >= pass().steps.size() || engine_->failed())
    return NotDue(kind, op, end);
  const uint32_t index = static_cast<uint32_t>(op) - 1;
  const plan::Step& step = pass().steps[position_];
  if (step.op != index || step.end != end || pass().ops[index].kind != kind) return NotDue(kind, op, end);
  return index;
}

// The step is done; second calls of skipped operations have no place any more.
void Walk::Advance() {
  ++position_;
  while (position_ < pass().steps.size()) {
    const plan::Step& step = pass().steps[position_];
    if (!step.end || states_[step.op] != OpState::kSkipped) return;
    ++position_;
  }
}

// Room comes as soon as the mover thread runs; it waits for nobody.
absl::Status Walk::Tell(ProgramEvent::Kind kind, uint32_t set_id, uint32_t op, bool in_stream) {
  while (!epoch_->queue->Push({kind, set_id, op, in_stream})) {
    if (engine_->failed()) return engine_->failure();
    engine_->WakeForProgram();
    std::this_thread::yield();
  }
  return absl::OkStatus();
}

absl::Status Walk::TellPosted(ProgramEvent::Kind kind, uint32_t op, const device::Stream* in) {
  if (in != nullptr) GEEPS_RETURN_IF_ERROR(in->Record(epoch_->plans[set_id_].posted[op]));
  return Tell(kind, set_id_, op, in != nullptr);
}

void Walk::TraceEnd(movers::TraceEvent::Kind kind, uint32_t op, uint64_t begin_ns) {
  if (engine_->trace() == nullptr) return;
  engine_->trace()->program.Push({kind, set_id_, op, epoch_->number, clock_, begin_ns, SteadyNs()});
}

void Walk::NoteOver(uint32_t op) {
  if (engine_->trace() != nullptr) TraceEnd(movers::TraceEvent::Kind::kOperation, op, opened_ns_[op]);
}

void Walk::NoteOpened(uint32_t op) {
  if (engine_->trace() != nullptr) opened_ns_[op] = SteadyNs();
}

// A read in place with slack, of one partition that is mapped: the newest version there is now. Its keeper does not
// overwrite it before this worker has fired its clock (docs/protocol.md, section 8).
void Walk::ChooseVersion(const plan::PlannedOp& op, View* view) const {
  const movers::EpochTable& table = epoch_->tables[op.table];
  const plan::Subscription& subscription = epoch_->layout.tables[op.table].subscriptions[op.subscriptions[0]];
  if (table.lane_of[op.subscriptions[0]] ==
      movers::kNone) {  // nobody updates it: the version of the commit serves every clock
    view->data = movers::MappedValues(table, epoch_->first_clock, op.place_row);
    return;
  }
  const uint64_t word = table.ages[subscription.partition - table.first_partition]->load(std::memory_order_acquire);
  view->data = movers::MappedValues(table, word - 1, op.place_row);
  view->min_age = word - 1;
  view->max_age = word - 1;
  view->fixed = false;
}

absl::StatusOr<bool> Walk::Read(uint64_t op, const device::Stream* in, uint64_t limit_ns, View* out) {
  GEEPS_ASSIGN_OR_RETURN(const uint32_t index, Due(plan::OpKind::kRead, op, false));
  const plan::PlannedOp& planned = pass().ops[index];
  const bool refillable = !planned.in_place && (planned.slack > 0 || planned.any_version);
  OpSlot& slot = epoch_->plans[set_id_].slots[index];
  const uint64_t begin_ns = epoch_->tables[planned.table].in_stream_order ? SteadyNs() : 0;
  const uint64_t taken = OpSlot::Word(number_, OpSlot::kTaken);
  // Taken already: by a call that then found its contents on their way for longer than its limit.
  while (!refillable || slot.word.load(std::memory_order_relaxed) != taken) {
    // The movers may be about to fill it again with a newer version: whoever changes the word first has it.
    GEEPS_ASSIGN_OR_RETURN(const bool ready, AwaitReady(index, limit_ns));
    if (!ready) return false;
    if (!refillable) break;
    uint64_t expected = OpSlot::Word(number_, OpSlot::kReady);
    if (slot.word.compare_exchange_strong(expected, taken, std::memory_order_acq_rel)) {
      GEEPS_RETURN_IF_ERROR(Tell(ProgramEvent::Kind::kTaken, set_id_, index));
      engine_->WakeForProgram();
      break;
    }
  }
  if (slot.position != 0) {
    const uint64_t left_ns = limit_ns - std::min(limit_ns, SteadyNs() - begin_ns);
    GEEPS_ASSIGN_OR_RETURN(const bool is_there,
                           AwaitContents(index, in, limit_ns > 0 ? std::max<uint64_t>(left_ns, 1) : 0));
    if (!is_there) return false;
  }
  const movers::EpochTable& table = epoch_->tables[planned.table];
  out->dtype = static_cast<uint32_t>(table.schema.dtype);
  out->num_rows = planned.num_rows;
  out->row_values = table.schema.row_values;
  out->row_bytes = table.schema.row_bytes();
  out->data = planned.in_place ? table.cache + planned.place_row * out->row_bytes
                               : epoch_->arena.bytes() + planned.buffer_offset;
  out->in_place = planned.in_place;
  out->fixed = true;
  out->min_age = slot.min_age;
  out->max_age = slot.max_age;
  if (planned.in_place) engine_->statistics()->in_place_reads.Add();
  if (planned.in_place && table.num_versions > 1 && planned.num_rows > 0) ChooseVersion(planned, out);
  const uint64_t staleness = clock_ > out->min_age ? clock_ - out->min_age : 0;
  CountersOf(index)->calls.Add();
  CountersOf(index)->staleness.Add(staleness);
  table.counters->reads_by_staleness[std::min<uint64_t>(staleness, protocol::kSlackMax + 1)].Add();
  CountersOf(index)->staleness_max.Note(staleness);
  states_[index] = OpState::kOpen;
  ++num_open_;
  NoteOpened(index);
  Advance();
  return true;
}

absl::Status Walk::PostRead(uint64_t op, const device::Stream* in) {
  GEEPS_ASSIGN_OR_RETURN(const uint32_t index, Due(plan::OpKind::kRead, op, true));
  NoteOver(index);
  GEEPS_RETURN_IF_ERROR(TellPosted(ProgramEvent::Kind::kPosted, index, in));
  // Only a post that lets the table be fired is worth a wake-up; the movers see the others when they next wake.
  if (position_ >= pass().tables[pass().ops[index].table].fire_step) engine_->WakeForProgram();
  states_[index] = OpState::kOver;
  --num_open_;
  Advance();
  return absl::OkStatus();
}

absl::StatusOr<bool> Walk::PreUpdate(uint64_t op, uint64_t limit_ns, View* out) {
  GEEPS_ASSIGN_OR_RETURN(const uint32_t index, Due(plan::OpKind::kUpdate, op, false));
  GEEPS_ASSIGN_OR_RETURN(const bool ready, AwaitReady(index, limit_ns));
  if (!ready) return false;
  const plan::PlannedOp& planned = pass().ops[index];
  const movers::EpochTable& table = epoch_->tables[planned.table];
  out->dtype = static_cast<uint32_t>(table.schema.dtype);
  out->num_rows = planned.num_rows;
  out->row_values = table.schema.row_values;
  out->row_bytes = table.schema.row_bytes();
  out->data = planned.in_place ? table.log.values(clock_) + planned.place_row * out->row_bytes
                               : epoch_->arena.bytes() + planned.buffer_offset;
  out->in_place = planned.in_place;
  out->fixed = !planned.in_place;
  if (planned.in_place) engine_->statistics()->in_place_updates.Add();
  CountersOf(index)->calls.Add();
  states_[index] = OpState::kOpen;
  ++num_open_;
  NoteOpened(index);
  Advance();
  return true;
}

absl::Status Walk::Update(uint64_t op, const device::Stream* in) {
  GEEPS_ASSIGN_OR_RETURN(const uint32_t index, Due(plan::OpKind::kUpdate, op, true));
  const uint32_t t = pass().ops[index].table;
  if (updated_[t] == kSkipped) {
    return WrongState(Name(index), " was made where another update of the table was skipped in this pass: all or none");
  }
  if (updated_[t] == 0) epoch_->tables[t].log.SetParams(clock_, params_[t]);
  NoteOver(index);
  GEEPS_RETURN_IF_ERROR(TellPosted(ProgramEvent::Kind::kPosted, index, in));
  engine_->WakeForProgram();
  updated_[t] = kMade;
  states_[index] = OpState::kOver;
  --num_open_;
  Advance();
  return absl::OkStatus();
}

cache::LastUse* Walk::LastUseOf(const plan::PlannedOp& local) const {
  return epoch_->staging != nullptr ? &epoch_->staging->last_use : epoch_->locals[local.table]->last_use();
}

// The use of local data is over.
absl::Status Walk::TellLocalPosted(uint32_t op, const device::Stream* in) {
  const plan::PlannedOp& planned = pass().ops[op];
  GEEPS_RETURN_IF_ERROR(LastUseOf(planned)->End(in));
  if (epoch_->staging == nullptr) return absl::OkStatus();
  GEEPS_RETURN_IF_ERROR(TellPosted(ProgramEvent::Kind::kLocalPosted, op, in));
  engine_->WakeForProgram();
  return absl::OkStatus();
}

absl::StatusOr<bool> Walk::AccessLocal(uint64_t op, const device::Stream* in, uint64_t limit_ns, View* out) {
  GEEPS_ASSIGN_OR_RETURN(const uint32_t index, Due(plan::OpKind::kLocal, op, false));
  const plan::PlannedOp& planned = pass().ops[index];
  cache::LocalData* const local = epoch_->locals[planned.table].get();
  const uint64_t row_bytes = epoch_->layout.locals[planned.table].row_bytes;
  if ((planned.flags & plan::kLocalFetch) != 0 && !local->IsKept(epoch_->layout.local_segments[set_id_][index])) {
    return WrongState(Name(index), " fetches rows of which nothing was kept");
  }
  movers::Staging* const staging = epoch_->staging.get();
  if (staging != nullptr && planned.num_rows > 0) {
    const OpSlot& slot = epoch_->plans[set_id_].slots[index];
    if (slot.word.load(std::memory_order_acquire) != OpSlot::Word(number_, OpSlot::kReady)) {
      GEEPS_RETURN_IF_ERROR(Tell(ProgramEvent::Kind::kLocalAwaited, set_id_, index));
    }
    GEEPS_ASSIGN_OR_RETURN(const bool ready, AwaitReady(index, limit_ns));
    if (!ready) return false;
  }
  GEEPS_RETURN_IF_ERROR(LastUseOf(planned)->Begin(in));
  out->dtype = 0x010801u;
  out->num_rows = planned.num_rows;
  out->row_values = row_bytes;
  out->row_bytes = row_bytes;
  out->data = staging != nullptr ? staging->DataOf(set_id_, index) : local->data() + planned.place_row * row_bytes;
  CountersOf(index)->calls.Add();
  out->in_place = true;
  out->fixed = true;
  states_[index] = OpState::kOpen;
  ++num_open_;
  NoteOpened(index);
  Advance();
  return true;
}

absl::Status Walk::PostLocal(uint64_t op, const device::Stream* in) {
  GEEPS_ASSIGN_OR_RETURN(const uint32_t index, Due(plan::OpKind::kLocal, op, true));
  const plan::PlannedOp& planned = pass().ops[index];
  NoteOver(index);
  GEEPS_RETURN_IF_ERROR(TellLocalPosted(index, in));
  epoch_->locals[planned.table]->SetKept(epoch_->layout.local_segments[set_id_][index],
                                         (planned.flags & plan::kLocalKeep) != 0);
  states_[index] = OpState::kOver;
  --num_open_;
  Advance();
  return absl::OkStatus();
}

absl::Status Walk::Skip(uint64_t op, const device::Stream* in) {
  if (!in_pass_ || SerialOf(op) != serial_ || position_ >= pass().steps.size())
    return NotDue(plan::OpKind::kRead, op, false);
  const uint64_t index = (op & 0xffffffffu) - 1;
  const plan::Step step = pass().steps[position_];
  if (index >= pass().ops.size()) return NotDue(plan::OpKind::kRead, op, false);
  const plan::PlannedOp& planned = pass().ops[index];
  if (step.op != index) return NotDue(planned.kind, op, states_[index] == OpState::kOpen);
  if (engine_->failed()) return engine_->failure();
  if ((planned.flags & plan::kOptional) == 0) return WrongState(Name(step.op), " is not optional");
  if (planned.kind == plan::OpKind::kUpdate) {
    if (updated_[planned.table] == kMade) {
      return WrongState(Name(step.op),
                        " was skipped where another update of the table was made in this pass: all or none");
    }
    updated_[planned.table] = kSkipped;
  }
  const bool is_open = states_[index] == OpState::kOpen;
  if (planned.kind != plan::OpKind::kLocal) {
    GEEPS_RETURN_IF_ERROR(TellPosted(ProgramEvent::Kind::kSkipped, step.op, is_open ? in : nullptr));
    engine_->WakeForProgram();
  } else if (is_open) {
    GEEPS_RETURN_IF_ERROR(TellLocalPosted(step.op, in));
  }
  if (is_open) --num_open_;
  states_[index] = OpState::kSkipped;
  Advance();
  return absl::OkStatus();
}

absl::Status Walk::SetParams(uint64_t object, const protocol::RuleParams& params) {
  if (epoch_ == nullptr) return absl::OkStatus();
  for (size_t t = 0; t < epoch_->tables.size(); ++t) {
    if (epoch_->tables[t].object != object) continue;
    if (in_pass_ && updated_[t] == kMade) {
      return WrongState("table '", epoch_->tables[t].schema.name, "' was updated in clock ", clock_,
                        " already: set rule parameters before its first update");
    }
    params_[t] = params;
  }
  return absl::OkStatus();
}

}  // namespace geeps::session
