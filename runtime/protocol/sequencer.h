// SPDX-License-Identifier: Apache-2.0
// Sequencer: walks the committed plans ahead of the program and behind it: decides which operation may be filled, is
// ready, is drained, and when a table is fired (R1, R8, R9, R10). It learns what the program does from events in the
// program's order, and what was absorbed from the subscribers it is given. While a pass runs it already prepares the
// next one, of the plan that is expected; a wrong guess costs the prepared operations, nothing else.
//
// An operation's slot serves one pass at a time, named by the pass number (1, 2, ...; every geeps_pass_begin and every
// `next` counts one). Local accesses never come here: the program's walk serves them.
//
// Costs: an input looks at the operations that wait for what has changed, and at no others; the begin and the end of a
// pass look at each table, and at each operation only when the plan is not the expected one.
// Pure: one call at a time, no allocation in the steady state beyond the effects' vector, copyable (Rebind the copy).
#ifndef GEEPS_RUNTIME_PROTOCOL_SEQUENCER_H_
#define GEEPS_RUNTIME_PROTOCOL_SEQUENCER_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/protocol/contributor.h"
#include "runtime/protocol/subscriber.h"
#include "runtime/protocol/types.h"

namespace geeps::protocol {

// As the expected plan: none is known, nothing is prepared.
inline constexpr uint32_t kNoPlan = ~uint32_t{0};

struct SequencerOptions {
  struct Op {
    bool is_update = false;
    bool is_local = false;  // ignored by the sequencer; keeps the numbering of the plan
    bool in_place = false;
    bool zeroed = false;  // updates: handed out zeroed (a fill)
    // Copied reads of async tables and of observers, where every version serves: they are filled again like reads with
    // slack.
    bool any_version = false;
    uint32_t table = 0;
    uint32_t slack = 0;
    // Indexes into the table's subscribers. Reads: those it touches. Updates with read_my_writes: those to whose part
    // of the cache it adds (its rows that the worker reads).
    std::vector<uint32_t> subscriptions;
    bool read_my_writes = false;  // of the table. Its reads are copied
    // Reads with read_my_writes: the updates of the same plan that end before this read begins and share a row with it.
    std::vector<uint32_t> own_updates;
  };
  struct Plan {
    bool no_clock = false;
    std::vector<Op> ops;  // in the order of their first calls: the order in which they are prepared
  };
  std::vector<Plan> plans;  // by set id
  uint32_t num_tables = 0;
  Clock first_clock = 0;
};

// What the sequencer looks at and others change, by table; the vectors live as long as the sequencer is used.
struct SequencerTable {
  const std::vector<SubscriberPartition>* subscribers = nullptr;
  const Contributor* contributor = nullptr;
};

struct SequencerEffect {
  enum class Kind : uint8_t {
    kFill,     // begin: gather a copied read, or zero an update; mark its subscriptions (OnFillBegun); answer with
               // OnFillDone
    kReady,    // the program may have operation `op` in pass `pass`
    kUnready,  // a ready read is filled again (a newer version was absorbed): take it back unless the program has it;
               // answer with OnTakenBack
    kDrain,    // begin: move the posted buffer into the log entry of `clock`; answer with OnDrained. Those of a table
               // in the order of the effects: later updates of a row are added to what the first one stored.
               // read_my_writes: in the same step, add it to the cache; mark its subscriptions (OnAddBegun, OnAddDone
               // before OnDrained). An update in place lies in the log already and is added to the cache only
    kData,     // all updates of `table` are in the log entry of `clock`
    kFire,     // R1: `table` is fired for `clock`
  };
  Kind kind = Kind::kFill;
  uint32_t set_id = 0;  // the plan
  uint32_t op = 0;
  uint32_t table = 0;
  uint64_t pass = 0;
  Clock clock = 0;  // the clock of that pass
};

class Sequencer {
 public:
  using Effects = std::vector<SequencerEffect>;

  Sequencer(SequencerOptions options, std::vector<SequencerTable> tables);
  // A copy looks at the same subscribers and contributors until it is told others.
  void Rebind(std::vector<SequencerTable> tables) { tables_ = std::move(tables); }

  // --- from the program, in its order ---
  void OnPassBegin(uint32_t set_id, Effects* effects);
  // A copied read with slack > 0 or any_version was handed out (others need not be told).
  void OnTaken(uint32_t op, Effects* effects);
  void OnPosted(uint32_t op, Effects* effects);   // post_read or update, and all device work before it is over
  void OnSkipped(uint32_t op, Effects* effects);  // never handed out, or handed back unused
  // The pass is over; every operation of it was posted or skipped. expected: the plan of the next pass, as far as
  // known, or kNoPlan. When it is another one than that of the pass, every kReady of pass pass() + 1 is void.
  void OnPassEnd(uint32_t expected, Effects* effects);

  // --- from the movers ---
  void OnFillDone(uint32_t set_id, uint32_t op, Effects* effects);
  // Answer to kUnready: taken back, or the program was faster.
  void OnTakenBack(uint32_t set_id, uint32_t op, bool taken_back, Effects* effects);
  // A drain may end after its pass has, in a pass of another plan.
  void OnDrained(uint32_t set_id, uint32_t op, Effects* effects);
  // A subscriber of `table` absorbed a version, or may be filled from again.
  void OnAge(uint32_t table, uint32_t subscription, Effects* effects);
  // Log entries of `table` became free.
  void OnEntryFree(uint32_t table, Effects* effects);

  // Between passes: forgets everything prepared (every kReady of pass pass() + 1 is void); true when nothing is being
  // filled or taken back any more. Used by fences; repeat after OnFillDone and OnTakenBack until true.
  bool Discard();
  // Prepares for `expected` from now on (after a commit or a fence). REQUIRES: every table is fired for all clocks
  // before `clock`.
  void Resume(Clock clock, uint32_t expected, Effects* effects);

  Clock clock() const { return clock_; }
  uint64_t pass() const { return pass_; }
  bool in_pass() const { return in_pass_; }
  uint64_t StateDigest() const;

 private:
  enum class State : uint8_t {
    kIdle,     // serves no pass
    kWaiting,  // for an age or a log entry, in the waiting list of what is missing
    kFilling,
    kReady,
    kTakingBack,  // kUnready is not answered
    kTaken,
    kPosted,  // read-my-writes: waits for its parts of the cache, behind what was posted before
    kDraining,
    kParked,  // over before kUnready was answered
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  struct Slot {
    State state = State::kIdle;
    bool discard = false;     // being filled for a pass that will not use it
    bool answer_due = false;  // kUnready is not answered
    uint32_t plan = 0;
    uint32_t op = 0;
    uint32_t cursor = 0;    // reads: the subscriptions before it serve the pass
    uint32_t list = kNone;  // waiting list it is in, and its neighbours there
    uint32_t before = kNone;
    uint32_t after = kNone;
    uint64_t pass = 0;        // the pass it serves
    uint64_t over = 0;        // last pass in which the operation was posted or skipped
    uint64_t hold_ended = 0;  // last pass in which its hold ended (R1)
    Clock clock = 0;          // of `pass`
    Age filled_age = kNoAge;  // copied reads that are filled again: smallest age that was filled
  };
  struct List {
    uint32_t first = kNone;
    uint32_t last = kNone;
  };
  struct Pass {
    uint64_t number = 0;
    uint32_t plan = kNoPlan;
    Clock clock = 0;
  };
  // What a plan does to a table in each pass.
  struct Work {
    uint32_t holds = 0;  // updates and reads: what must happen before the fire (R1)
    uint32_t updates = 0;
    uint32_t copied_reads = 0;
  };
  // One clock of one table, from the preparation of its pass to the fire.
  struct Firing {
    uint64_t pass = 0;
    uint32_t plan = 0;
    uint32_t holds = 0;    // what is left
    uint32_t updates = 0;  // not in the log yet
    uint32_t skipped = 0;  // updates skipped
    bool data = false;     // kData was emitted
  };
  // Read-my-writes: who uses a subscription's part of the cache.
  struct CacheUse {
    uint32_t fills = 0;
    bool adding = false;
  };
  struct Table {
    Clock next_fire = 0;              // oldest clock not fired
    std::vector<Firing> firings;      // by clock mod size, a power of two; grown when that many clocks are not fired
    std::vector<Clock> data_clocks;   // by log entry: 1 + the last clock that put data into it
    uint32_t discarded_fills = 0;     // R1: they hold the fire
    uint32_t discarded_zeroings = 0;  // of the log itself: they hold the updates
    // Waiting lists: updates of even clocks, of odd ones, reads by subscription, then, for read-my-writes: reads that
    // wait for own updates, and updates that wait for their parts of the cache.
    uint32_t first_list = 0;
    uint32_t num_subscriptions = 0;
    std::vector<CacheUse> cache_uses;  // by subscription
    uint32_t own_reads_list() const { return first_list + 2 + num_subscriptions; }
    uint32_t posted_list() const { return first_list + 3 + num_subscriptions; }
  };

  const SequencerOptions::Op& OpOf(const Slot& slot) const { return options_.plans[slot.plan].ops[slot.op]; }
  Slot& SlotOf(uint32_t plan, uint32_t op) { return slots_[first_slot_[plan] + op]; }
  bool EndsWithClock(uint32_t plan) const { return plan != kNoPlan && !options_.plans[plan].no_clock; }
  static bool IsCopiedRead(const SequencerOptions::Op& op) { return !op.is_update && !op.in_place; }
  // Reads that a newer version makes better until they are handed out.
  static bool IsRefilled(const SequencerOptions::Op& op) { return op.slack > 0 || op.any_version; }
  Firing& FiringOf(Table& table, Clock clock) { return table.firings[clock & (table.firings.size() - 1)]; }

  // sequencer.cc: passes, and what the program does.
  void BeginFirings(const Pass& pass);
  void Expect(uint32_t plan);
  void DropPrepared();
  void DropPrepared(Slot& slot);
  void AssignAll(uint32_t plan, Effects* effects);
  void Free(Slot& slot, Effects* effects);
  void EndHold(const Slot& slot, const Pass& pass);
  Pass PassOf(const Slot& slot) const { return {slot.pass, slot.plan, slot.clock}; }
  void DiscardFill(Slot& slot);
  void Fire(uint32_t table, Effects* effects);
  Slot* CurrentSlot(uint32_t op);

  // sequencer_prepare.cc: when an operation is ready.
  void Assign(Slot& slot, const Pass& pass, Effects* effects);
  void Prepare(Slot& slot, Effects* effects);
  void PrepareUpdate(Slot& slot, Effects* effects);
  void PrepareRead(Slot& slot, Effects* effects);
  void MakeReady(Slot& slot, Effects* effects);
  void Refill(Slot& slot, Effects* effects);
  uint32_t FirstUnfillable(const Slot& slot) const;
  bool OwnUpdatesAdded(const Slot& slot) const;
  bool IsAddedToCache(const SequencerOptions::Op& op) const { return op.read_my_writes && !op.subscriptions.empty(); }
  void CountFill(const Slot& slot, bool begun);
  void Post(Slot& slot, Effects* effects);
  void AddPosted(uint32_t table, Effects* effects);
  void EndAdd(const Slot& slot);
  void RetryOwn(const Slot& slot, Effects* effects);
  bool EntryFree(uint32_t table, Clock clock) const;
  void RetryUpdates(uint32_t table, Effects* effects);
  void RetryList(uint32_t list, Effects* effects);
  void Watch(Slot& slot, uint32_t list);
  void Unwatch(Slot& slot);
  uint32_t ListOf(const Slot& slot, uint32_t subscription) const;
  void Emit(SequencerEffect::Kind kind, const Slot& slot, Effects* effects) const;

  SequencerOptions options_;
  std::vector<SequencerTable> tables_;
  std::vector<Table> table_states_;
  std::vector<std::vector<Work>> work_;  // [plan][table]
  std::vector<size_t> first_slot_;       // by plan
  std::vector<Slot> slots_;
  std::vector<List> lists_;
  Clock clock_;
  uint64_t pass_ = 0;
  bool in_pass_ = false;
  uint32_t num_discarded_ = 0;  // fills in flight that nobody will use
  uint32_t num_answers_due_ = 0;
  Pass current_;  // while in_pass_
  Pass next_;     // the pass that is prepared; plan kNoPlan: none
};

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_SEQUENCER_H_
