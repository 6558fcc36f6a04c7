// SPDX-License-Identifier: Apache-2.0
// Stager: carries out the scripts of staging: gives fetches and write-backs to the two directions of the link as the
// program goes on, and makes accesses of local data ready. Nothing is decided here but when.
// Thread contract: the mover thread; never blocks.
#ifndef GEEPS_RUNTIME_MOVERS_STAGER_H_
#define GEEPS_RUNTIME_MOVERS_STAGER_H_

#include <cstdint>
#include <functional>

#include "runtime/movers/context.h"

namespace geeps::movers {

class Stager {
 public:
  // wake_program: wakes the program when it waits for an access.
  Stager(MoverContext* context, std::function<void()> wake_program)
      : context_(context), wake_program_(std::move(wake_program)) {}

  // An epoch has begun.
  void Begin();

  // What the program did. pass: its number, as the sequencer counts.
  void OnPassBegin(uint32_t set_id, uint64_t pass);
  void OnPosted(uint32_t op);
  // It has come to an access that is not ready: what was skipped before it is over.
  void OnAwaited(uint32_t op);
  void OnPassEnd();

  void OnFetched();
  void OnWrittenBack();

  // Between passes: brings what has changed to the host; true when nothing is on its way any more. The next pass begins
  // cold. Repeat until true.
  bool Drain();

 private:
  static constexpr uint32_t kNoPlan = ~uint32_t{0};

  Staging* staging() const { return context_->epoch->staging.get(); }
  const StagedPlan& plan() const { return staging()->plans[plan_]; }
  void Reach(uint32_t point);
  void BringHome();
  void BeginCold(uint32_t set_id);
  // over: captures the end; nullptr: nobody asks for it alone.
  void GiveIn(const plan::StagingScript::Copy& copy, const device::Event* over);
  void GiveOut(const plan::StagingScript::Copy& copy, uint64_t after, const device::Event* over);
  void Give(MoverStream* stream, device::WaitSite site, void* dst, const void* src, Done end,
            const device::Event* over);
  void MakeReady();

  MoverContext* const context_;
  const std::function<void()> wake_program_;

  uint32_t plan_ = kNoPlan;  // whose steady state is under way
  uint64_t pass_ = 0;        // under way, or the one that is expected
  bool in_pass_ = false;     // of plan_
  uint32_t point_ = 0;       // of the script, reached in the pass
  // Copies given to the link, and over; when the pass began; when plan_ began cold.
  uint64_t in_given_ = 0, in_over_ = 0, out_given_ = 0, out_over_ = 0;
  uint64_t base_in_ = 0, base_out_ = 0;
  uint64_t cold_in_ = 0, cold_out_ = 0;
  // The next access that is to become ready: of which pass, and which of StagedPlan::begins.
  uint64_t ready_pass_ = 0;
  uint32_t ready_ = 0;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_STAGER_H_
