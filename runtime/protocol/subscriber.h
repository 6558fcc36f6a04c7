// SPDX-License-Identifier: Apache-2.0
// SubscriberPartition: one worker's copy of one partition (R7, R8). Takes in published versions, one at a time, and
// keeps writing (absorb) and reading (fill) of the cache apart. A bounded table tells of a version by its age, and a
// version contains the own clocks below its age; an async table tells both (section 5).
// Pure: one call at a time, no allocation in the steady state, copyable.
#ifndef GEEPS_RUNTIME_PROTOCOL_SUBSCRIBER_H_
#define GEEPS_RUNTIME_PROTOCOL_SUBSCRIBER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "runtime/protocol/types.h"

namespace geeps::protocol {

// An own update that was added to the cache (read-my-writes): operation `op` of plan `set_id`, in the pass of `clock`.
struct OwnUpdate {
  Clock clock = 0;
  uint32_t set_id = 0;
  uint32_t op = 0;
};

struct SubscriberOptions {
  bool mapped = false;          // reads the keeper's version buffers: ages come by OnAgeWord
  bool lands_in_cache = false;  // s_max = 0: the payload was received into the cache itself, nothing is left to copy
  bool async = false;           // publishes answer own contributions; any version serves. REQUIRES: none of the above
  bool observer = false;        // takes no part; any version serves. REQUIRES: neither mapped nor lands_in_cache
  // Own updates are added to the cache, and added again on top of versions that do not contain them. REQUIRES: neither
  // mapped nor lands_in_cache; the rule is value += update.
  bool read_my_writes = false;
};

// What the caller must do now. At most one of absorb and credit, plus `age_changed`.
struct SubscriberEffects {
  // Begin: copy the landing buffer into the cache, and add own_updates() again, in their order, out of the log; answer
  // with OnAbsorbed. Of each own update the rows are added which it was the first of its pass to update: the log has
  // in them what later updates of the pass have added.
  bool absorb = false;
  bool credit = false;       // send CREDIT(credit_age); never for a frozen partition, of which no further version comes
  bool age_changed = false;  // absorbed() rose: reads may go on
  bool fail = false;  // the version is not newer than the one absorbed, or came without a credit; nothing changed
  Age credit_age = 0;
};

class SubscriberPartition {
 public:
  explicit SubscriberPartition(const SubscriberOptions& options) : options_(options) {}

  // A publish has arrived. payload: values lie in the landing buffer (or the cache). own_clock: async only.
  SubscriberEffects OnPublish(Age age, bool payload, bool frozen, Clock own_clock = 0);
  SubscriberEffects OnAbsorbed();
  // Mapped: the keeper's age word, read with acquire; kNoAge: not stored yet. frozen: as in OnPublish. An age seen
  // before changes nothing.
  SubscriberEffects OnAgeWord(Age age, bool frozen);
  // A fill that reads this partition begins / has ended. REQUIRES: CanFill() at the begin.
  void OnFillBegun() { ++num_fills_; }
  SubscriberEffects OnFillDone();
  // Read-my-writes: an own update is being added to the cache and the log (SequencerEffect kDrain) / lies in both.
  // REQUIRES: CanAdd() at the begin.
  void OnAddBegun() { adding_ = true; }
  // Fills of other rows may begin meanwhile.
  SubscriberEffects OnAddDone(const OwnUpdate& update);
  // The epoch ends: nothing is absorbed until the next publish. REQUIRES: no fill and no absorb is under way.
  void Reset();

  // R8: a read at `clock` with `slack` may use what is absorbed. A frozen partition serves every clock.
  bool Serves(Clock clock, uint32_t slack) const {
    const bool any_version = frozen_ || options_.async || (options_.observer && !Broken(Mutant::kObserverBound));
    return absorbed_ != kNoAge && (any_version || AgeServes(absorbed_, clock, slack));
  }
  // False while the cache is being written or a writer waits for its turn: so that fills cannot starve the writer.
  bool CanFill() const { return pending_ == kNoAge || Broken(Mutant::kFillWhileAbsorbing); }
  bool CanAdd() const { return !absorbing_ || Broken(Mutant::kAddWhileAbsorbing); }
  // The own updates that are in the cache and not in what is absorbed, or being absorbed: oldest first.
  absl::Span<const OwnUpdate> own_updates() const { return own_updates_; }
  Age absorbed() const { return absorbed_; }
  // The worker's clocks below it are contained in what is absorbed: what the contributor is told (Contributor::OnAge),
  // and what a fence at clock k waits for. kNoAge: nothing is absorbed yet. An observer has none: its age.
  Clock own_clock() const { return IsAnswered() && !Broken(Mutant::kOwnClockIgnored) ? own_clock_ : absorbed_; }
  bool frozen() const { return frozen_; }
  uint64_t StateDigest() const;

 private:
  // Publishes answer own contributions, and tell which.
  bool IsAnswered() const { return options_.async && !options_.observer; }
  bool IsNewer(Age age, Clock own_clock) const;
  SubscriberEffects BeginAbsorbIfFree();
  SubscriberEffects Finish();
  void DropContained();

  SubscriberOptions options_;
  Age absorbed_ = kNoAge;
  Age pending_ = kNoAge;         // arrived with payload, not absorbed yet
  Clock own_clock_ = kNoAge;     // async
  Clock pending_own_clock_ = 0;  // async
  bool absorbing_ = false;
  bool frozen_ = false;
  bool pending_frozen_ = false;
  bool adding_ = false;  // read-my-writes
  uint32_t num_fills_ = 0;
  std::vector<OwnUpdate> own_updates_;  // read-my-writes
};

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_SUBSCRIBER_H_
