// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/stager.h"

#include <algorithm>

#include "runtime/movers/wait_sites.h"

namespace geeps::movers {
namespace {

// A count relative to a base; 0 for what lies before all of them.
uint64_t Count(uint64_t base, int64_t relative) {
  const int64_t count = static_cast<int64_t>(base) + relative;
  return count < 0 ? 0 : static_cast<uint64_t>(count);
}

}  // namespace

void Stager::Begin() {
  plan_ = kNoPlan;
  in_pass_ = false;
  pass_ = 0;
}

// Plans without local data leave everything as it is.
void Stager::OnPassBegin(uint32_t set_id, uint64_t pass) {
  if (staging() == nullptr || staging()->plans[set_id].begins.empty()) return;
  if (set_id != plan_) {
    BeginCold(set_id);
    ready_pass_ = 0;
  }
  pass_ = pass;
  in_pass_ = true;
  if (ready_pass_ < pass) {  // a pass of another plan came between, or none was expected
    ready_pass_ = pass;
    ready_ = 0;
  }
  MakeReady();
}

void Stager::OnPosted(uint32_t op) {
  if (!in_pass_) return;
  Reach(plan().end_points[op]);
}

void Stager::OnAwaited(uint32_t op) {
  if (!in_pass_) return;
  Reach(plan().begin_points[op]);
}

// From here on the same plan is expected again: what it fetches ahead of its pass was given to the link before.
void Stager::OnPassEnd() {
  if (!in_pass_) return;
  Reach(static_cast<uint32_t>(plan().script.points.size()) - 1);
  in_pass_ = false;
  base_in_ = in_given_;
  base_out_ = out_given_;
  point_ = 0;
  ++pass_;
  if (ready_pass_ < pass_) {  // what was skipped need not have become ready
    ready_pass_ = pass_;
    ready_ = 0;
  }
  MakeReady();
}

void Stager::Reach(uint32_t point) {
  const plan::StagingScript& script = plan().script;
  for (; point_ < point; ++point_) {
    const plan::StagingScript::Point& next = script.points[point_ + size_t{1}];
    for (uint64_t i = out_given_ - base_out_; i < next.num_out; ++i) {
      GiveOut(script.write_backs[i], &plan().written_back[i]);
    }
    for (uint64_t i = in_given_ - base_in_; i < next.num_in; ++i) GiveIn(script.fetches[i]);
  }
}

void Stager::BringHome() {
  for (const plan::StagingScript::Copy& copy : plan().script.saves) GiveOut(copy, nullptr);
  plan_ = kNoPlan;
}

void Stager::BeginCold(uint32_t set_id) {
  if (plan_ != kNoPlan) BringHome();
  plan_ = set_id;
  cold_out_ = base_out_ = out_given_;
  if (!context_->Check(context_->stage_out.Record(staging()->drained))) return;
  for (const plan::StagingScript::Copy& copy : plan().script.loads) GiveIn(copy);
  cold_in_ = base_in_ = in_given_;
  point_ = 0;
}

bool Stager::Drain() {
  if (staging() == nullptr) return true;
  if (plan_ != kNoPlan) {
    for (const uint32_t op : plan().begins) {
      context_->epoch->plans[plan_].slots[op].word.store(OpSlot::kNone, std::memory_order_relaxed);
    }
    BringHome();
  }
  return in_over_ == in_given_ && out_over_ == out_given_;
}

const device::Event& Stager::EventOfOut(uint64_t position) const {
  const uint64_t per_pass = plan().written_back.size();
  if (position > base_out_) return plan().written_back[position - 1 - base_out_];
  if (position <= cold_out_) return staging()->drained;
  // Of the pass before; the first one of it is behind all that is older.
  return plan().written_back[std::max(position + per_pass, base_out_ + 1) - 1 - base_out_];
}

void Stager::GiveIn(const plan::StagingScript::Copy& copy) {
  MoverStream* const stream = &context_->stage_in;
  const uint64_t after_out = std::min(Count(base_out_, copy.after_out), out_given_);
  if (out_over_ < after_out && !context_->Check(stream->stream().WaitFor(kWaitForWriteBack, EventOfOut(after_out)))) {
    return;
  }
  ++in_given_;
  if (!context_->Check(
          stream->Copy(staging()->memory.bytes() + copy.address, plan().homes[copy.item], plan().bytes[copy.item]))) {
    return;
  }
  context_->Await(stream, kWaitForFetch, {Done::Kind::kFetch, plan_, copy.item});
  context_->Check(stream->Flush());
}

// over: captures the end; nullptr: nobody asks for it alone.
void Stager::GiveOut(const plan::StagingScript::Copy& copy, const device::Event* over) {
  MoverStream* const stream = &context_->stage_out;
  ++out_given_;
  if (!context_->Check(
          stream->Copy(plan().homes[copy.item], staging()->memory.bytes() + copy.address, plan().bytes[copy.item]))) {
    return;
  }
  if (over != nullptr && !context_->Check(stream->Record(*over))) return;
  context_->Await(stream, kWaitForWriteBack, {Done::Kind::kWriteBack, plan_, copy.item});
  context_->Check(stream->Flush());
}

void Stager::OnFetched() {
  ++in_over_;
  MakeReady();
}

void Stager::OnWrittenBack() {
  ++out_over_;
  MakeReady();
}

// Accesses become ready in the order of the pass; those of the pass that is expected next when the program is done with
// the same access of this one.
void Stager::MakeReady() {
  if (plan_ == kNoPlan) return;
  const StagedPlan& staged = plan();
  bool any = false;
  while (ready_pass_ <= pass_ + (in_pass_ ? 1 : 0)) {
    if (ready_ == staged.begins.size()) {
      ++ready_pass_;
      ready_ = 0;
      continue;
    }
    if (ready_pass_ > pass_ && staged.begin_points[staged.begins[ready_]] >= point_) break;
    const plan::StagingScript::Point& point = staged.script.points[staged.begin_points[staged.begins[ready_]]];
    const uint64_t passes_on = ready_pass_ - pass_;
    const uint64_t base_in = base_in_ + passes_on * staged.script.fetches.size();
    const uint64_t base_out = base_out_ + passes_on * staged.script.write_backs.size();
    if (in_over_ < std::max(cold_in_, Count(base_in, point.needs_in))) break;
    if (out_over_ < std::max(cold_out_, Count(base_out, point.needs_out))) break;
    context_->epoch->plans[plan_].slots[staged.begins[ready_]].word.store(OpSlot::Word(ready_pass_, OpSlot::kReady),
                                                                          std::memory_order_seq_cst);
    ++ready_;
    any = true;
  }
  if (any) wake_program_();
}

}  // namespace geeps::movers
