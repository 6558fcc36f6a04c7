// SPDX-License-Identifier: Apache-2.0
// SubscriberPartition: one worker's copy of one partition (R7, R8). Takes in published versions, one at a time, and
// keeps writing (absorb) and reading (fill) of the cache apart.
// Pure: one call at a time, no allocation, copyable.
#ifndef GEEPS_RUNTIME_PROTOCOL_SUBSCRIBER_H_
#define GEEPS_RUNTIME_PROTOCOL_SUBSCRIBER_H_

#include <cstdint>

#include "runtime/protocol/types.h"

namespace geeps::protocol {

struct SubscriberOptions {
  bool mapped = false;          // reads the keeper's version buffers: ages come by OnAgeWord
  bool lands_in_cache = false;  // s_max = 0: the payload was received into the cache itself, nothing is left to copy
};

// What the caller must do now. At most one of absorb and credit, plus `age_changed`.
struct SubscriberEffects {
  bool absorb = false;       // begin: copy the landing buffer into the cache; answer with OnAbsorbed
  bool credit = false;       // send CREDIT(credit_age); never for a frozen partition, of which no further version comes
  bool age_changed = false;  // absorbed() rose: reads may go on
  bool fail = false;  // the version is not newer than the one absorbed, or came without a credit; nothing changed
  Age credit_age = 0;
};

class SubscriberPartition {
 public:
  explicit SubscriberPartition(const SubscriberOptions& options) : options_(options) {}

  // A publish has arrived. payload: values lie in the landing buffer (or the cache).
  SubscriberEffects OnPublish(Age age, bool payload, bool frozen);
  SubscriberEffects OnAbsorbed();
  // Mapped: the keeper's age word, read with acquire; kNoAge: not stored yet. frozen: as in OnPublish. An age seen
  // before changes nothing.
  SubscriberEffects OnAgeWord(Age age, bool frozen);
  // A fill that reads this partition begins / has ended. REQUIRES: CanFill() at the begin.
  void OnFillBegun() { ++num_fills_; }
  SubscriberEffects OnFillDone();
  // The epoch ends: nothing is absorbed until the next publish. REQUIRES: no fill and no absorb is under way.
  void Reset();

  // R8: a read at `clock` with `slack` may use what is absorbed. A frozen partition serves every clock.
  bool Serves(Clock clock, uint32_t slack) const {
    return absorbed_ != kNoAge && (frozen_ || AgeServes(absorbed_, clock, slack));
  }
  // False while the cache is being written or a writer waits for its turn: so that fills cannot starve the writer.
  bool CanFill() const { return pending_ == kNoAge || Broken(Mutant::kFillWhileAbsorbing); }
  Age absorbed() const { return absorbed_; }
  bool frozen() const { return frozen_; }
  uint64_t StateDigest() const;

 private:
  SubscriberEffects BeginAbsorbIfFree();
  SubscriberEffects Finish();

  SubscriberOptions options_;
  Age absorbed_ = kNoAge;
  Age pending_ = kNoAge;  // arrived with payload, not absorbed yet
  bool absorbing_ = false;
  bool frozen_ = false;
  bool pending_frozen_ = false;
  uint32_t num_fills_ = 0;
};

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_SUBSCRIBER_H_
