// SPDX-License-Identifier: Apache-2.0
// Allocator: runs ahead of the program: fills access buffers and makes operations ready. Reclaimer: runs behind it:
// moves posted updates into the update log. Both execute what the sequencer decides.
// Thread contract: the mover thread;
// never blocks.
#ifndef GEEPS_RUNTIME_MOVERS_ALLOCATOR_H_
#define GEEPS_RUNTIME_MOVERS_ALLOCATOR_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/movers/context.h"

namespace geeps::movers {

class Allocator {
 public:
  // wake_program: wakes the program when it waits for an operation.
  Allocator(MoverContext* context, std::function<void()> wake_program)
      : context_(context), wake_program_(std::move(wake_program)) {}

  void Fill(const protocol::SequencerEffect& effect);
  void OnFilled(uint32_t set_id, uint32_t op);
  void MakeReady(const protocol::SequencerEffect& effect);
  void TakeBack(const protocol::SequencerEffect& effect);

 private:
  void NoteAges(const plan::PlannedOp& op, protocol::Clock clock, OpSlot* slot);

  MoverContext* const context_;
  const std::function<void()> wake_program_;
  std::vector<geeps_row_move> moves_;  // scratch of Fill
};

class Reclaimer {
 public:
  explicit Reclaimer(MoverContext* context) : context_(context) {}

  void Drain(const protocol::SequencerEffect& effect);
  void OnDrained(uint32_t set_id, uint32_t op, protocol::Clock clock);

 private:
  MoverContext* const context_;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_ALLOCATOR_H_
