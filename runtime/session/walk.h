// SPDX-License-Identifier: Apache-2.0
// Walk: the program's side of a pass: keeps the order of the plan, hands operations out when the movers have made them
// ready, and tells the movers what the program did. The ready path takes no lock and allocates nothing. Thread
// contract: one call at a time (the program's).
#ifndef GEEPS_RUNTIME_SESSION_WALK_H_
#define GEEPS_RUNTIME_SESSION_WALK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/movers/engine.h"
#include "runtime/movers/epoch.h"
#include "runtime/plan/layout.h"

namespace geeps::session {

// What geeps_view shows.
struct View {
  uint32_t dtype = 0;
  void* data = nullptr;
  uint64_t num_rows = 0;
  uint64_t row_values = 0;
  uint64_t row_bytes = 0;
  bool in_place = false;
  bool fixed = false;
  uint64_t min_age = 0;
  uint64_t max_age = 0;
};

class Walk {
 public:
  // wait_warning_ns: a longer wait is logged; 0: none is.
  Walk(movers::Engine* engine, uint64_t wait_warning_ns)
      : engine_(engine), wait_warning_ns_(wait_warning_ns), clock_(engine->clock_value()) {}

  // A commit has put `epoch` in force. plans: the serial number of each plan's handle, by set id; recorded: for texts.
  void Attach(movers::Epoch* epoch, std::vector<uint64_t> serials,
              std::vector<std::shared_ptr<const plan::RecordedPlan>> recorded);

  bool in_pass() const { return in_pass_; }
  protocol::Clock clock() const { return clock_; }

  // plan: serial number. Errors: WrongState when a pass is under way or the plan is not committed.
  absl::Status PassBegin(uint64_t serial);
  // next: serial number of the plan whose pass begins at once; 0: none.
  absl::Status PassEnd(uint64_t next);
  absl::Status Clock(uint64_t next);

  // op: as geeps_op. Limits: 0 only looks (false: not ready, nothing changed).
  // in: the stream that the program is going to read it in, which then waits for copies under way, or nullptr: the call
  // does.
  absl::StatusOr<bool> Read(uint64_t op, const device::Stream* in, uint64_t limit_ns, View* out);
  // in: the stream that the program uses what it hands back in, or nullptr: it has done so.
  absl::Status PostRead(uint64_t op, const device::Stream* in);
  absl::StatusOr<bool> PreUpdate(uint64_t op, uint64_t limit_ns, View* out);
  absl::Status Update(uint64_t op, const device::Stream* in);
  // in: the stream that the program is going to use it in.
  absl::StatusOr<bool> AccessLocal(uint64_t op, const device::Stream* in, uint64_t limit_ns, View* out);
  absl::Status PostLocal(uint64_t op, const device::Stream* in);
  absl::Status Skip(uint64_t op, const device::Stream* in);

  // Rule parameters of a table (by object id) for the current clock and later ones.
  absl::Status SetParams(uint64_t object, const protocol::RuleParams& params);

  static uint64_t MakeOp(uint64_t serial, uint32_t index) { return serial << 32 | (index + 1); }
  static uint64_t SerialOf(uint64_t op) { return op >> 32; }

 private:
  enum class OpState : uint8_t { kAhead, kOpen, kOver, kSkipped };

  // The index of `op` when its first (end false) or second call is due now.
  absl::StatusOr<uint32_t> Due(plan::OpKind kind, uint64_t op, bool end);
  absl::Status NotDue(plan::OpKind kind, uint64_t op, bool end) const;
  absl::StatusOr<bool> AwaitReady(uint32_t op, uint64_t limit_ns);
  absl::StatusOr<bool> AwaitContents(uint32_t op, const device::Stream* in, uint64_t limit_ns);
  absl::StatusOr<bool> AwaitWord(uint32_t op, const std::atomic<uint64_t>& word, uint64_t value, uint64_t limit_ns);
  bool Wait(uint32_t op, uint64_t limit_ns, absl::FunctionRef<bool()> is_over);
  void AskWhoIsMissing(uint32_t op) noexcept;
  void SayWhoDoesNotAnswer() noexcept;
  void CountWait(uint32_t op, uint64_t begin_ns, bool came);
  void ChooseVersion(const plan::PlannedOp& op, View* view) const;
  absl::Status Tell(movers::ProgramEvent::Kind kind, uint32_t set_id, uint32_t op, bool in_stream = false);
  // Tell for an operation that is handed back.
  absl::Status TellPosted(movers::ProgramEvent::Kind kind, uint32_t op, const device::Stream* in);
  cache::LastUse* LastUseOf(const plan::PlannedOp& local) const;
  absl::Status TellLocalPosted(uint32_t op, const device::Stream* in);
  absl::Status End(uint64_t next, bool clock);
  absl::StatusOr<uint32_t> FindPlan(uint64_t serial) const;
  absl::Status BeginPass(uint32_t set_id);
  void Advance();
  std::string Name(uint32_t op) const;
  const plan::PlannedPass& pass() const { return epoch_->layout.plans[set_id_]; }
  // Of what began at begin_ns and ends now.
  void TraceEnd(movers::TraceEvent::Kind kind, uint32_t op, uint64_t begin_ns);
  void NoteOpened(uint32_t op);
  void NoteOver(uint32_t op);
  absl::InlinedVector<movers::WaitCounters*, 3> WaitCountersOf(uint32_t op) const;
  movers::OpCounters* CountersOf(uint32_t op) const { return &epoch_->plans[set_id_].counters->ops[op]; }

  movers::Engine* const engine_;
  const uint64_t wait_warning_ns_;
  movers::Epoch* epoch_ = nullptr;
  std::vector<uint64_t> serials_;
  std::vector<std::shared_ptr<const plan::RecordedPlan>> recorded_;
  std::vector<protocol::RuleParams> params_;  // by table
  std::vector<uint8_t> updated_;              // by table: updates made in this pass (1), skipped (2)
  bool in_pass_ = false;
  bool armed_ = false;  // the event descriptor looks at a slot of this pass
  uint32_t set_id_ = 0;
  uint64_t serial_ = 0;
  uint64_t number_ = 0;    // of the pass, as the sequencer counts
  uint32_t position_ = 0;  // step that is due
  uint32_t num_open_ = 0;
  protocol::Clock clock_;
  std::vector<OpState> states_;  // by operation
  // While there is a trace.
  uint64_t pass_begin_ns_ = 0;
  std::vector<uint64_t> opened_ns_;  // by operation
};

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_WALK_H_
