// SPDX-License-Identifier: Apache-2.0
// World: the programs. They walk their passes call by call, look at what they are given, and hand it back.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace geeps::sim {

void World::StepProgram(uint32_t w) {
  ProgramState& program = state_.workers[w].program;
  if (program.finished) return;
  const Pass& pass = PassOf(w);
  const plan::PlannedPass& planned = spec_->workers[w].layout.plans[pass.set_id];
  if (!program.in_pass) {
    if (pass.fence && !program.fenced) return host_->OnAtFence(w);
    program.fenced = false;
    program.in_pass = true;
    program.step = 0;
    ++program.pass_number;
    Tell(w, {Notice::Kind::kPassBegin, pass.set_id});
    return ScheduleProgram(w);
  }
  // Local accesses are the program's own.
  while (program.step < planned.steps.size() &&
         planned.ops[planned.steps[program.step].op].kind == plan::OpKind::kLocal)
    ++program.step;
  if (program.step >= std::min<size_t>(planned.steps.size(), pass.end_step)) return EndPass(w);
  const plan::Step step = planned.steps[program.step];
  const uint8_t skipped = pass.skipped.empty() ? 0 : pass.skipped[step.op];
  if (skipped == 1) {
    if (!step.end) Tell(w, {Notice::Kind::kSkipped, pass.set_id, step.op});
  } else if (!step.end) {
    if (!BeginOp(w, step.op)) return;
  } else {
    EndOp(w, step.op, skipped == 2);
  }
  ++program.step;
  ScheduleProgram(w);
}

void World::EndPass(uint32_t w) {
  ProgramState& program = state_.workers[w].program;
  const Pass& pass = PassOf(w);
  const plan::PlannedPass& planned = spec_->workers[w].layout.plans[pass.set_id];
  for (; program.step < planned.steps.size(); ++program.step) {
    const plan::Step step = planned.steps[program.step];
    if (!step.end && planned.ops[step.op].kind != plan::OpKind::kLocal)
      Tell(w, {Notice::Kind::kSkipped, pass.set_id, step.op});
  }
  Tell(w, {Notice::Kind::kPassEnd, pass.expected});
  if (!planned.no_clock) ++program.clock;
  program.in_pass = false;
  ++program.pass_index;
  program.finished = program.pass_index == spec_->input.workers[w].passes.size();
  if (!planned.no_clock) host_->OnClock(w, program.clock);
  if (!program.finished) ScheduleProgram(w);
  if (program.finished) host_->OnAtFence(w);
  PokeGets(w);
}

// The first call of an operation; false when it must wait.
bool World::BeginOp(uint32_t w, uint32_t op_index) {
  WorkerState& worker = state_.workers[w];
  ProgramState& program = worker.program;
  const uint32_t set_id = PassOf(w).set_id;
  OpState& op = worker.ops[set_id][op_index];
  const plan::PlannedOp& planned = Planned(w, set_id, op_index);
  if (op.ready_pass != program.pass_number) {
    program.waiting = true;
    return false;
  }
  op.taken_pass = program.pass_number;
  op.clock = program.clock;
  if (planned.kind == plan::OpKind::kUpdate) {
    MarkView(w, set_id, op_index, true, "an update");
    if ((planned.flags & plan::kUpdateZeroed) != 0) {
      for (uint64_t i = 0; i < planned.num_rows; ++i) {
        const double* row = state_.memory.at(ViewOffset(w, set_id, op_index, i));
        const bool zero =
            std::all_of(row, row + spec_->lanes(planned.table), [](double value) { return value == 0.0; });
        if (!zero) Fail(absl::StrCat("worker ", w, ": operation ", op_index, " is not handed out zeroed"));
      }
    }
    WriteHalf(w, op_index, 0);
    return true;
  }
  if (planned.in_place) {
    for (size_t i = 0; i < planned.subscriptions.size(); ++i) {
      op.ages[i] = worker.subscribers[planned.table][planned.subscriptions[i]].absorbed();
    }
  }
  MarkView(w, set_id, op_index, true, "a read");
  CheckShown(w, op_index);
  op.shown = HashOfView(w, op_index);
  const bool any_version = spec_->workers[w].sequencer.plans[set_id].ops[op_index].any_version;
  if (!planned.in_place && (planned.slack > 0 || any_version)) Tell(w, {Notice::Kind::kTaken, set_id, op_index});
  return true;
}

// The second call of an operation.
void World::EndOp(uint32_t w, uint32_t op_index, bool skip) {
  WorkerState& worker = state_.workers[w];
  const uint32_t set_id = PassOf(w).set_id;
  const plan::PlannedOp& planned = Planned(w, set_id, op_index);
  if (planned.kind == plan::OpKind::kRead && HashOfView(w, op_index) != worker.ops[set_id][op_index].shown) {
    Fail(absl::StrCat("worker ", w, ": what operation ", op_index, " was given changed while it was held"));
  }
  if (planned.kind == plan::OpKind::kUpdate && !skip) {
    WriteHalf(w, op_index, 1);
    uint64_t i = 0;
    Recorded(w, set_id, op_index).rows.ForEachRow([&](uint64_t row) {
      const double* values = state_.memory.at(ViewOffset(w, set_id, op_index, i++));
      if (checker_ == nullptr) return;
      std::string wrong = checker_->OnUpdate(w, planned.table, worker.program.clock, row,
                                             absl::MakeConstSpan(values, spec_->lanes(planned.table)));
      if (!wrong.empty()) Fail(std::move(wrong));
    });
  }
  Tell(w, {skip ? Notice::Kind::kSkipped : Notice::Kind::kPosted, set_id, op_index, true});
}

void World::WriteHalf(uint32_t w, uint32_t op_index, Half half) {
  const uint32_t set_id = PassOf(w).set_id;
  const plan::PlannedOp& planned = Planned(w, set_id, op_index);
  const uint32_t lanes = spec_->lanes(planned.table);
  const uint32_t begin = half == 0 ? 0 : lanes / 2;
  const uint32_t end = half == 0 ? lanes / 2 : lanes;
  uint64_t i = 0;
  Recorded(w, set_id, op_index).rows.ForEachRow([&](uint64_t row) {
    double* values = state_.memory.at(ViewOffset(w, set_id, op_index, i++));
    for (uint32_t lane = begin; lane < end; ++lane) {
      values[lane] =
          UpdateValue(*spec_, w, state_.workers[w].program.clock, HashOf(set_id, op_index), planned.table, row, lane);
    }
  });
}

uint64_t World::HashOfView(uint32_t w, uint32_t op_index) const {
  const uint32_t set_id = PassOf(w).set_id;
  const plan::PlannedOp& planned = Planned(w, set_id, op_index);
  Hasher hasher;
  for (uint64_t i = 0; i < planned.num_rows; ++i) {
    const double* row = state_.memory.at(ViewOffset(w, set_id, op_index, i));
    for (uint32_t lane = 0; lane < spec_->lanes(planned.table); ++lane) hasher.AddDouble(row[lane]);
  }
  return hasher.value();
}

void World::CheckShown(uint32_t w, uint32_t op_index) {
  const uint32_t set_id = PassOf(w).set_id;
  const plan::PlannedOp& planned = Planned(w, set_id, op_index);
  ReadRecord record;
  record.reader = w;
  record.operation = set_id * 4096 + op_index;
  record.table = planned.table;
  record.clock = state_.workers[w].program.clock;
  record.slack = planned.slack;
  Recorded(w, set_id, op_index).rows.ForEachRow([&](uint64_t row) { record.rows.push_back(row); });
  for (uint64_t i = 0; i < planned.num_rows; ++i) {
    const double* row = state_.memory.at(ViewOffset(w, set_id, op_index, i));
    record.values.insert(record.values.end(), row, row + spec_->lanes(planned.table));
  }
  if (spec_->input.tables[planned.table].read_my_writes) record.own = OwnBefore(w, planned.table, record.rows);
  const WorldInput::Table& table = spec_->input.tables[planned.table];
  record.observer = table.IsObserver(w);
  // Ages of async tables are steps; own clocks show in lanes only.
  if (!table.async || (spec_->checked.tables[planned.table].lanes && !record.observer))
    record.claimed = state_.workers[w].ops[set_id][op_index].ages;
  Judge(record);
}

void World::Judge(const ReadRecord& record) {
  if (checker_ != nullptr) {
    std::string wrong = checker_->OnRead(record);
    if (!wrong.empty()) Fail(std::move(wrong));
  } else if (reference_ != nullptr) {
    std::vector<SeenAges> seen;
    std::string wrong = CheckRead(*reference_, record, &seen);
    if (!wrong.empty()) Fail(std::move(wrong));
  }
}

// --- the reclaimer ---

void World::Tell(uint32_t w, Notice notice) {
  WorkerState& worker = state_.workers[w];
  worker.notices.push_back(notice);
  if (!mode_.late_notices) return TakeNotices(w);
  if (worker.notices.size() == 1) Schedule({Event::Kind::kNotice, w});
}

void World::TakeNotices(uint32_t w) {
  WorkerState& worker = state_.workers[w];
  const Notice notice = worker.notices.front();
  worker.notices.erase(worker.notices.begin());
  TakeNotice(w, notice);
  RunSequencer(w);
  if (!worker.notices.empty()) Schedule({Event::Kind::kNotice, w});
}

void World::TakeNotice(uint32_t w, const Notice& notice) {
  WorkerState& worker = state_.workers[w];
  switch (notice.kind) {
    case Notice::Kind::kPassBegin:
      return worker.sequencer->OnPassBegin(notice.set_id, &worker.effects);
    case Notice::Kind::kTaken:
      return worker.sequencer->OnTaken(notice.op, &worker.effects);
    case Notice::Kind::kPosted:
      MarkView(w, notice.set_id, notice.op, false, "");
      worker.ops[notice.set_id][notice.op].draining = IsDrained(w, notice.set_id, notice.op);
      return worker.sequencer->OnPosted(notice.op, &worker.effects);
    case Notice::Kind::kSkipped:
      if (notice.held) MarkView(w, notice.set_id, notice.op, false, "");
      return worker.sequencer->OnSkipped(notice.op, &worker.effects);
    case Notice::Kind::kPassEnd:
      return worker.sequencer->OnPassEnd(notice.set_id, &worker.effects);
  }
}

// --- at rest ---

// No worker waits while what it waits for has been absorbed, or its log entry is free.
void World::CheckWaiting(uint32_t w) {
  const WorkerState& worker = state_.workers[w];
  const ProgramState& program = worker.program;
  if (!program.waiting || !worker.notices.empty() || !state_.violation.empty()) return;
  const uint32_t set_id = PassOf(w).set_id;
  const uint32_t op = spec_->workers[w].layout.plans[set_id].steps[program.step].op;
  const plan::PlannedOp& planned = Planned(w, set_id, op);
  if (worker.ops[set_id][op].filling) return;
  if (planned.kind == plan::OpKind::kUpdate) {
    if (worker.ops[set_id][op].draining) return;
    for (const auto& plan : worker.ops) {
      for (const OpState& other : plan) {
        if (other.filling) return;  // a fill nobody wants may be zeroing the log entry
      }
    }
    if (!worker.contributors[planned.table].EntryFree(program.clock)) return;
    if (program.clock >= worker.contributors[planned.table].fired() + worker.contributors[planned.table].num_entries())
      return;
  } else {
    for (uint32_t s : planned.subscriptions) {
      const protocol::SubscriberPartition& subscriber = worker.subscribers[planned.table][s];
      if (!subscriber.Serves(program.clock, planned.slack) || (!planned.in_place && !subscriber.CanFill())) return;
    }
    if (spec_->input.tables[planned.table].read_my_writes && AnyDraining(w, planned.table)) return;
  }
  Fail(absl::StrCat("worker ", w, " waits at clock ", program.clock, " for operation ", op, " of plan ", set_id,
                    " although nothing is missing"));
}

// Whether the update is drained when it is posted; one in place is where its rows are read, too (read-my-writes).
bool World::IsDrained(uint32_t w, uint32_t set_id, uint32_t op) const {
  const plan::PlannedOp& planned = Planned(w, set_id, op);
  return planned.kind == plan::OpKind::kUpdate &&
         (!planned.in_place || !spec_->workers[w].own_rows[set_id][op].empty());
}

bool World::AnyDraining(uint32_t w, uint32_t t) const {
  const std::vector<std::vector<OpState>>& plans = state_.workers[w].ops;
  for (uint32_t q = 0; q < plans.size(); ++q) {
    for (uint32_t op = 0; op < plans[q].size(); ++op) {
      if (plans[q][op].draining && Planned(w, q, op).table == t) return true;
    }
  }
  return false;
}

std::string World::DescribeWaits() const {
  std::string text;
  for (uint32_t w = 0; w < spec_->world; ++w) {
    const ProgramState& program = state_.workers[w].program;
    const GetState& gets = state_.workers[w].gets;
    if (gets.next < gets.list.size()) {
      absl::StrAppend(&text, text.empty() ? "" : "; ", "worker ", w, " waits in get ", gets.next, " of ",
                      gets.list.size());
    }
    if (program.finished) continue;
    absl::StrAppend(&text, text.empty() ? "" : "; ", "worker ", w, " at clock ", program.clock, ", pass ",
                    program.pass_number, ", step ", program.step,
                    program.waiting ? " waits for operation " : " is not scheduled");
    if (!program.waiting) continue;
    const uint32_t set_id = PassOf(w).set_id;
    const uint32_t op = spec_->workers[w].layout.plans[set_id].steps[program.step].op;
    const plan::PlannedOp& planned = Planned(w, set_id, op);
    absl::StrAppend(&text, op, planned.kind == plan::OpKind::kUpdate ? ", an update" : ", a read", " of table ",
                    planned.table, " with slack ", planned.slack);
    for (uint32_t s : planned.subscriptions) {
      const protocol::SubscriberPartition& subscriber = state_.workers[w].subscribers[planned.table][s];
      const uint32_t p = spec_->workers[w].tables[planned.table].subscriptions[s].partition;
      absl::StrAppend(&text, ", partition ", p, " absorbed ", static_cast<int64_t>(subscriber.absorbed()), " kept ",
                      state_.keepers[p].machine->age());
    }
  }
  return text;
}

}  // namespace geeps::sim
