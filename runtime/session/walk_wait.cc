// SPDX-License-Identifier: Apache-2.0
// Walk: how a call waits for its operation, and what is counted and said of that.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/movers/wait_sites.h"
#include "runtime/session/walk.h"

namespace geeps::session {

using movers::OpSlot;

absl::StatusOr<bool> Walk::AwaitReady(uint32_t op, uint64_t limit_ns) {
  const OpSlot& slot = epoch_->plans[set_id_].slots[op];
  return AwaitWord(op, slot.word, OpSlot::Word(number_, OpSlot::kReady), limit_ns);
}

// What a ready read holds is on its way (OpSlot::position): the program's stream waits for it, or, without one, the
// host.
absl::StatusOr<bool> Walk::AwaitContents(uint32_t op, const device::Stream* in, uint64_t limit_ns) {
  const OpSlot& slot = epoch_->plans[set_id_].slots[op];
  if (in == nullptr) return AwaitWord(op, slot.over, slot.position, limit_ns);
  GEEPS_RETURN_IF_ERROR(in->WaitFor(movers::kWaitForRead, epoch_->plans[set_id_].filled[op]));
  return true;
}

absl::StatusOr<bool> Walk::AwaitWord(uint32_t op, const std::atomic<uint64_t>& word, uint64_t value,
                                     uint64_t limit_ns) {
  if (word.load(std::memory_order_acquire) == value) return true;
  engine_->WakeForProgram();
  const auto is_over = [&] { return word.load(std::memory_order_seq_cst) == value || engine_->failed(); };
  if (limit_ns > 0) {
    const uint64_t begin_ns = SteadyNs();
    for (movers::WaitCounters* waiting : WaitCountersOf(op)) waiting->Begin(begin_ns);
    const bool in_time = Wait(op, limit_ns, is_over);
    TraceEnd(movers::TraceEvent::Kind::kWait, op, begin_ns);
    CountWait(op, begin_ns, in_time && !engine_->failed());
    if (!in_time) {
      StatusDetail detail;
      detail.code = Code::kTimeout;
      detail.retryable = true;
      return MakeStatus(detail, absl::StrCat(Name(op), " was not ready within ", limit_ns, " ns at clock ", clock_));
    }
    // It was ready. A read with slack may have been taken back since: the caller's exchange decides.
    if (!engine_->failed()) return true;
  }
  if (engine_->failed()) return engine_->failure();
  if (word.load(std::memory_order_acquire) == value) return true;
  engine_->program_wait()->Arm(&word, value);
  armed_ = true;
  return false;
}

absl::InlinedVector<movers::WaitCounters*, 3> Walk::WaitCountersOf(uint32_t op) const {
  if (pass().ops[op].kind == plan::OpKind::kLocal) return {&engine_->statistics()->waiting, &CountersOf(op)->waiting};
  movers::TableCounters* const table = epoch_->tables[pass().ops[op].table].counters;
  return {&engine_->statistics()->waiting, &table->waiting, &CountersOf(op)->waiting};
}

// Divides the wait that ends now at the moment when the last of the others had fired what the operation waited for; as
// long as it has not come, nobody knows of such a moment.
void Walk::CountWait(uint32_t op, uint64_t begin_ns, bool came) {
  const uint64_t waited_ns = SteadyNs() - begin_ns;
  uint64_t imbalance_ns = waited_ns;
  if (came) {
    const uint64_t fired_ns = epoch_->plans[set_id_].slots[op].fired_ns.load(std::memory_order_relaxed);
    imbalance_ns = fired_ns <= begin_ns ? 0 : std::min(fired_ns - begin_ns, waited_ns);
  }
  const uint64_t stall_ns = waited_ns - imbalance_ns;
  for (movers::WaitCounters* waiting : WaitCountersOf(op)) waiting->Note(imbalance_ns, stall_ns);
}

// Sleeps as ProgramWait::Until does; a long wait is said to the log, with those who are missing, while it goes on.
bool Walk::Wait(uint32_t op, uint64_t limit_ns, absl::FunctionRef<bool()> is_over) {
  movers::ProgramWait* const wait = engine_->program_wait();
  if (wait_warning_ns_ == 0 || limit_ns <= wait_warning_ns_) return wait->Until(limit_ns, is_over);
  if (wait->Until(wait_warning_ns_, is_over)) return true;
  AskWhoIsMissing(op);
  // The keeper that is asked may be the one that nothing comes from any more.
  const uint64_t left_ns = limit_ns - wait_warning_ns_;
  if (wait->Until(std::min(left_ns, wait_warning_ns_), is_over)) return true;
  if (left_ns <= wait_warning_ns_) return false;
  SayWhoDoesNotAnswer();
  return wait->Until(left_ns - wait_warning_ns_, is_over);
}

// Without memory for the question the log does not say it.
void Walk::AskWhoIsMissing(uint32_t op) noexcept {
  CatchOutOfMemory([&] {
    engine_->AskWhoIsMissing(set_id_, op, clock_,
                             absl::StrCat(Name(op), " of plan '", pass().name, "' has waited for ",
                                          wait_warning_ns_ / 1000000, " ms at clock ", clock_));
    return absl::OkStatus();
  }).IgnoreError();
}

void Walk::SayWhoDoesNotAnswer() noexcept {
  CatchOutOfMemory([&] {
    engine_->SayWhoDoesNotAnswer();
    return absl::OkStatus();
  }).IgnoreError();
}

}  // namespace geeps::session
