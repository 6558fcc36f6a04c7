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

// What captures the end of the first `position` copies of one direction: of_script, all of them in each pass, the last
// pass began when `base` had been given; `cold` captures the first num_cold.
const device::Event& EventOf(const std::vector<device::Event>& of_script, const device::Event& cold, uint64_t position,
                             uint64_t base, uint64_t num_cold) {
  if (position > base) return of_script[position - 1 - base];
  if (position <= num_cold) return cold;
  // Of the pass before; the first one of it is behind all that is older.
  return of_script[std::max(position + of_script.size(), base + 1) - 1 - base];
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
      const plan::StagingScript::Copy& copy = script.write_backs[i];
      GiveOut(copy, std::min(Count(base_in_, copy.after), in_given_), &plan().written_back[i]);
    }
    for (uint64_t i = in_given_ - base_in_; i < next.num_in; ++i) {
      GiveIn(script.fetches[i], &plan().fetched[i]);
    }
  }
}

void Stager::BringHome() {
  // What is on its way to the device may be what is saved, of an access that was skipped.
  if (!context_->Check(context_->stage_in.Record(staging()->all_in))) return;
  base_in_ = cold_in_ = in_given_;
  for (const plan::StagingScript::Copy& copy : plan().script.saves) GiveOut(copy, in_given_, nullptr);
  plan_ = kNoPlan;
}

void Stager::BeginCold(uint32_t set_id) {
  if (plan_ != kNoPlan) BringHome();
  plan_ = set_id;
  cold_out_ = base_out_ = out_given_;
  if (!context_->Check(context_->stage_out.Record(staging()->all_out))) return;
  for (const plan::StagingScript::Copy& copy : plan().script.loads) GiveIn(copy, nullptr);
  if (!context_->Check(context_->stage_in.Record(staging()->all_in))) return;
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

void Stager::GiveIn(const plan::StagingScript::Copy& copy, const device::Event* over) {
  const uint64_t after = std::min(Count(base_out_, copy.after), out_given_);
  const device::Event& last = EventOf(plan().written_back, staging()->all_out, after, base_out_, cold_out_);
  if (out_over_ < after && !context_->Check(context_->stage_in.stream().WaitFor(kWaitForWriteBack, last))) return;
  ++in_given_;
  Give(&context_->stage_in, kWaitForFetch, staging()->memory.bytes() + copy.address, plan().homes[copy.item],
       {Done::Kind::kFetch, plan_, copy.item}, over);
}

void Stager::GiveOut(const plan::StagingScript::Copy& copy, uint64_t after, const device::Event* over) {
  const device::Event& last = EventOf(plan().fetched, staging()->all_in, after, base_in_, cold_in_);
  if (in_over_ < after && !context_->Check(context_->stage_out.stream().WaitFor(kWaitForFetch, last))) return;
  ++out_given_;
  Give(&context_->stage_out, kWaitForWriteBack, plan().homes[copy.item], staging()->memory.bytes() + copy.address,
       {Done::Kind::kWriteBack, plan_, copy.item}, over);
}

void Stager::Give(MoverStream* stream, device::WaitSite site, void* dst, const void* src, Done end,
                  const device::Event* over) {
  if (!context_->Check(stream->Copy(dst, src, plan().bytes[end.second]))) return;
  if (over != nullptr && !context_->Check(stream->Record(*over))) return;
  context_->Await(stream, site, end);
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
