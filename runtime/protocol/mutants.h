// SPDX-License-Identifier: Apache-2.0
// Mutants: rules of the protocol that a test build can leave out one at a time, to show that tests, simulator and
// exhaustive search notice. Only a build with -DGEEPS_MUTANTS has the switch; elsewhere Broken() is the constant false
// and nothing of it remains.
// Thread contract: set the switch before any machine runs, not while one does.
#ifndef GEEPS_RUNTIME_PROTOCOL_MUTANTS_H_
#define GEEPS_RUNTIME_PROTOCOL_MUTANTS_H_

#include <cstdint>

namespace geeps::protocol {

// In the order of the rules of docs/protocol.md, by machine. The numbers are not kept from release to release.
enum class Mutant : uint32_t {
  kNone = 0,

  // types.h
  kSlackOneTooMuch,   // R8: a read may use a version one older than its slack allows
  kSlackWraps,        // R8: clock - slack is computed without regard to wrapping
  kLandingOneTooFew,  // W: one landing slot too few: a contribution overwrites one that is still needed (slack > 0)
  kLogOneTooFew,      // L: one log entry too few, so that a clock's updates overwrite those of a former one
  kVersionOneTooFew,  // V: one mapped buffer too few: an apply overwrites a version that is being read (slack > 0)

  // contributor.cc
  kPushGateOpen,        // R2: data leave without waiting for the absorbed age
  kFireGateOpen,        // R2: FIRE leaves without waiting for the absorbed ages
  kFireOvertakesData,   // R2: FIRE leaves before the data of its clock
  kFiredMarkEarly,      // R1, R2: data are marked as fired although the table is not (mapped: the fired word is stored)
  kLogEntryNotAwaited,  // R10: an entry is filled again although its data are still needed
  kOwnEntryNotKept,     // R10, read-my-writes: an entry is given up before a version with its clock is absorbed

  // keeper.cc
  kClockUnchecked,         // R3: a contribution is accepted although it is not the participant's next
  kWindowUnchecked,        // R3: a contribution is accepted although its landing slot is not free
  kSetUnchecked,           // R3: a contribution that does not fit the row sets of its plan is accepted
  kParamsUnchecked,        // R3: contributions of one clock may have different rule parameters
  kFireNotAwaited,         // R4: a clock counts as complete when it is delivered, fired or not
  kObserverMayContribute,  // R3: a contribution of an observer is accepted
  kObserverAwaited,        // R4: a clock is not complete before an observer has delivered it
  kParticipantForgotten,   // R4: a clock counts as complete although one participant has delivered nothing
  kSendsNotAwaited,        // R5: a buffer is overwritten while it is being sent
  kEmptyNotCarried,        // R5: a clock without data does not carry the values into its version buffer
  kPublishWhileApplying,   // R5, R6: a version is sent out of the buffer that is being overwritten
  kAgeBeforeApplied,       // R5, R6: the age is raised, slots are freed and versions published when the apply begins
  kCreditNotSpent,         // R6: a publish does not spend the credit
  kUnchangedTooOften,      // R6: a version with one clock of changes is called unchanged

  // keeper_async.cc
  kAsyncSendsNotAwaited,  // section 5: values are stepped while they are being sent
  kAsyncAnswersAll,       // section 5: every subscriber is told, not only who sent a contribution
  kObserverNotTold,       // section 5: an observer hears nothing, since it sends nothing
  kObserversNotAwaited,   // section 5: a fence does not wait for publishes on their way to observers
  kOwnClockOfArrivals,    // section 5: own_clock counts what has arrived, contained or not

  // R12 in keeper.cc, get.cc, set.cc
  kGetTooEarly,          // R12: a GET is answered with a version that is older than it asks for
  kAnswerWhileApplying,  // R12: a GET is answered out of the buffer that is being overwritten
  kAnswersNotAwaited,    // R5, R12: a buffer is overwritten while a GET is answered out of it
  kGetsForgotten,        // R12: of the GETs that wait for different ages only the first are answered
  kGetsUnbounded,        // R12: a worker may send any number of GETs
  kGotUnchecked,         // R12: an answer that is older than asked for is taken
  kGetNotAskedAgain,     // R12: a get that an epoch has interrupted is not asked again
  kSetsByArrival,        // R12: sets are applied in the order of arrival
  kSetForgetsState,      // R12: a set resets the rule state although it was told to keep it
  kAcksNotAwaited,       // R12, section 10: the second ENTER does not wait for the acknowledgements
  kSetsLostAtFail,       // R12, section 10: a fence that fails drops what was set
  kStagedKeptAtFail,     // R12, section 10: a keeper keeps what it was sent for a fence that has failed

  // message.cc
  kOldEpochTaken,    // section 10: a late message of an old epoch is taken
  kLateFireRefused,  // section 5: FIRE of an old epoch is an error, although an async table's may be late
  kNextEpochTaken,   // section 10: a message of the next epoch does not wait for its begin

  // coordinator.cc, coordinator_verdict.cc
  kFenceClocksUnchecked,  // section 10: a worker beyond the fence's clock is not noticed
  kFenceNotAwaited,       // section 10: the second GO does not wait for the last worker
  kEpochNotRaised,        // section 10: a commit goes on with the epoch before it
  kVerdictTwice,          // section 11: after the verdict another one is given

  // subscriber.cc
  kObserverBound,       // R8: an observer waits for versions as a participant does
  kOwnClockIgnored,     // section 5: the age of an async table is taken for the own clock
  kStaleAbsorbed,       // R7: a version that is not newer is absorbed
  kFillWhileAbsorbing,  // R7: a fill begins while the cache is being written
  kAbsorbWhileFilling,  // R7: the cache is written while a fill reads it
  kCreditBeforeWrite,   // R7: CREDIT leaves before the landing buffer is copied
  kOwnForgotten,        // R7, read-my-writes: an absorb does not add the own updates again
  kOwnAddedTwice,       // R7, read-my-writes: an absorb adds own updates again that the version contains
  kAbsorbWhileAdding,   // R7, read-my-writes: the cache is written while an own update is added to it

  // sequencer.cc
  kFireAtLastUpdate,      // R1: the table is fired at its last update although a read of it is still held
  kFireIgnoresFill,       // R1: the table is fired before a copied read of it is filled
  kFireIgnoresDiscarded,  // R1: the table is fired while a discarded fill still reads the cache
  kDataBeforeDrained,     // R1: data are announced before the last update lies in the log
  kReadIgnoresAge,        // R8: a read is filled before its version is absorbed
  kReadIgnoresWriter,     // R7, R8: a read is filled while the cache is being written
  kReadIgnoresOwn,        // R8, read-my-writes: a read is filled before an own earlier update is in the cache
  kAddWhileFilling,       // R7, read-my-writes: an own update is added to the cache while a fill reads it
  kAddWhileAbsorbing,     // R7, read-my-writes: an own update is added to the cache while a version is written to it
  kPreUpdateIgnoresLog,   // R10: an update is drained into an entry that is not free
  kStalePrefetch,         // section 10: what was prepared for a pass that did not come is handed out in a later one
  kSkipNotCounted,        // R1: a skipped operation does not count as done

  kCount,  // not a mutant
};

#ifdef GEEPS_MUTANTS
inline Mutant g_mutant = Mutant::kNone;
inline bool Broken(Mutant mutant) { return g_mutant == mutant; }
#else
inline constexpr bool Broken(Mutant) { return false; }
#endif

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_MUTANTS_H_
