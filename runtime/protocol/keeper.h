// SPDX-License-Identifier: Apache-2.0
// KeeperPartition: what a keeper does for one partition (R3 to R6). It takes in the contributions of the participants,
// has them applied, and publishes to the subscribers with credit: in bounded tables (keeper.cc) a clock is applied when
// it is complete, and its version goes to everybody; in async tables (keeper_async.cc) each contribution is applied by
// itself, in the order of arrival, and who sent it gets the answer.
// Every participant is also a subscriber, under the same index, and observers are subscribers only. A participant whose
// memory is mapped delivers through its log and reads the version buffers; it gets no publish. A clock to which nobody
// contributed is passed over without an apply when V = 1. REQUIRES everywhere: participant < participants.size(). Pure:
// one call at a time, no allocation after construction, copyable (the exhaustive search copies it).
#ifndef GEEPS_RUNTIME_PROTOCOL_KEEPER_H_
#define GEEPS_RUNTIME_PROTOCOL_KEEPER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/protocol/types.h"

namespace geeps::protocol {

struct KeeperOptions {
  struct Participant {
    uint32_t rank = 0;
    bool mapped = false;
    bool reads = true;           // R(w,p) is not empty: publishes to it carry values
    std::vector<bool> has_data;  // by set id: U(w,p,q) is not empty
    bool observer = false;       // subscribes, and does not take part: neither mapped nor with data
  };
  std::vector<Participant> participants;  // ascending ranks, observers among them
  uint32_t slack_max = 0;
  uint32_t num_versions = 1;  // V: 1, or slack_max + 1 when a participant is mapped
  Age first_age = 0;
  bool frozen = false;  // no participant updates a row of the partition: no clocks
  bool async = false;   // section 5. REQUIRES: slack_max = kAsyncSlack, num_versions = 1, nobody is mapped
};

struct KeeperEffect {
  enum class Kind : uint8_t {
    kApply,    // begin: fold the contributions of `clock` and step from version buffer `from` into `to`; answer with
               // OnApplied. `alone` (async): the contribution of `participant` and no other, with its own parameters
    kPublish,  // send version `age` out of buffer `from` to `participant`, with `flags` and `own_clock`; answer with
               // OnSent (at once without payload)
    kAnswer,  // R12, begin: read version `age` out of buffer `from` for every GET that waits here for an age <= `clock`
              // (get.h, WaitingGets::Take); answer with OnAnswered when the buffer is not read any more. flags:
              // kFlagFrozen or none
    kStoreAge,  // a mapped participant exists: age word := age, release; then notify. flags: kFlagFrozen or none
    kFail,      // a protocol error (R3); the machine stops
  };
  enum class Fault : uint8_t {
    kNone,
    kClock,  // not the clock that comes next for the participant, or no slot for it: clock received, age expected
    kSetId,  // unknown set id (or another one than the data's, in FIRE): clock is the clock, age the set id
    kEmptyMismatch,    // data for a set that has none here
    kParams,           // rule parameters differ from those of `other`
    kFireWithoutData,  // FIRE for a set that has data here, and no data came
    kCredit,           // CREDIT that was not owed: clock is the age received, age the one sent
    kFrozen,           // a contribution to a frozen partition
    kObserver,         // a contribution, or FIRE, of an observer
  };
  Kind kind = Kind::kApply;
  uint8_t flags = 0;  // kPublish: kFlag*
  Fault fault = Fault::kNone;
  bool alone = false;        // kApply: one participant's contribution
  uint32_t participant = 0;  // kPublish: to whom; kFail: who broke the rule; kApply, alone: whose contribution
  uint32_t other = 0;        // kFail with kParams: whose parameters differ
  uint32_t from = 0;
  uint32_t to = 0;
  Clock clock = 0;  // kApply; kFail: the clock received; kAnswer: kNoAge where every version serves
  Age age = 0;      // kPublish, kAnswer, kStoreAge; kFail: what was expected. Async: first age + contributions applied
  Clock own_clock = 0;  // kPublish, async: the clocks of `participant` below it are contained. Else 0
};

class KeeperPartition {
 public:
  struct Delivery {  // what a participant delivered for one clock
    bool delivered = false;
    bool fired = false;
    bool empty = false;
    uint32_t set_id = 0;
    RuleParams params;
  };

  explicit KeeperPartition(const KeeperOptions& options);

  // The epoch begins: every subscriber has one credit and gets the first version. Once, before any other input.
  void Begin(std::vector<KeeperEffect>* effects);
  // A contribution's header has arrived and its payload lies in landing slot clock mod W (mapped: in the log entry,
  // fired).
  void OnContribution(uint32_t participant, Clock clock, uint32_t set_id, bool empty, bool fired,
                      const RuleParams& params, std::vector<KeeperEffect>* effects);
  // FIRE for the table, each worker's in ascending clocks; a clock whose data said FIRED here may be among them or not.
  // Stands for EMPTY when the participant delivered nothing here for that clock. REQUIRES: not frozen.
  void OnFire(uint32_t participant, Clock clock, uint32_t set_id, std::vector<KeeperEffect>* effects);
  void OnCredit(uint32_t participant, Age absorbed, std::vector<KeeperEffect>* effects);
  void OnApplied(std::vector<KeeperEffect>* effects);
  // The publish to `participant` is out of its buffer (local completion); the next one begins after it.
  void OnSent(uint32_t participant, std::vector<KeeperEffect>* effects);

  // R12: a GET for version `age` has come and waits here; what it asks for is the caller's to keep (get.h). Async: the
  // age says nothing, any version serves.
  void OnGet(Age age, std::vector<KeeperEffect>* effects);
  // What kAnswer read is read. next: the smallest age for which a GET still waits here, kNoAge: none does.
  void OnAnswered(Age next, std::vector<KeeperEffect>* effects);

  Age age() const { return age_; }
  bool applying() const { return applying_; }
  // Whether a contribution with this set id may bring data. False for sets that are not known.
  bool HasData(uint32_t participant, uint32_t set_id) const {
    const std::vector<bool>& has_data = options_.participants[participant].has_data;
    return set_id < has_data.size() && has_data[set_id];
  }
  bool failed() const { return failed_; }
  // Async: no publish to an observer is under way: each has returned its credit. What a fence that begins an epoch
  // waits for behind its first GO, since observers do not know what is on its way to them.
  bool ObserversDone() const;
  // REQUIRES: age() <= clock < age() + W, or the clock being applied. Async: only the contribution being applied.
  const Delivery& delivery(uint32_t participant, Clock clock) const;
  uint32_t VersionBuffer(Age age) const { return static_cast<uint32_t>(age % options_.num_versions); }
  // Participants that have not delivered and fired clock age(): for "who is missing". Async: nobody is waited for.
  void Missing(std::vector<uint32_t>* ranks) const;
  // No input produces more effects than this: one publish a participant, an answer, an apply, an age word.
  size_t MaxEffects() const { return options_.participants.size() + 3; }
  const KeeperOptions& options() const { return options_; }
  // A digest of the state for the exhaustive search: equal states, equal digests.
  uint64_t StateDigest() const;

 private:
  struct Peer {
    Clock next = 0;           // first clock not delivered
    Clock contained = 0;      // async: first own clock that is not in the values
    Clock next_unfired = 0;   // first clock not fired
    Clock fire_expected = 0;  // FIRE of an older clock cannot come any more
    Age sent = kNoAge;
    bool credit = false;
    bool due = false;      // async: a contribution was taken and is not answered
    bool sending = false;  // a publish is on its way out of buffer `sending_from`
    uint32_t sending_from = 0;
    std::vector<Delivery> slots;  // [W], by clock mod W
  };
  struct Pending {           // one clock among those that may be delivered, by clock mod W
    uint32_t num_ready = 0;  // participants that delivered and fired it
    bool has_data = false;
    uint32_t first = 0;  // the participant whose data came first: the others' parameters must equal its own
  };

  struct Arrival {  // async
    uint32_t participant = 0;
    Clock clock = 0;
  };

  Delivery& SlotOf(Peer& peer, Clock clock) { return peer.slots[clock % num_slots_]; }
  Pending& PendingOf(Clock clock) { return pending_[clock % num_slots_]; }
  bool Known(const KeeperOptions::Participant& participant, uint32_t set_id) const;
  // A landing slot is free for this clock of the participant.
  bool InWindow(const Peer& peer, Clock clock) const {
    const Clock oldest = options_.async ? peer.contained : age_;
    return clock >= oldest && clock - oldest <= options_.slack_max;
  }
  bool Complete() const;
  void Deliver(uint32_t participant, Clock clock, uint32_t set_id, bool empty, const RuleParams& params);
  void MarkFired(uint32_t participant, Clock clock);
  void Advance(Age told, std::vector<KeeperEffect>* effects);
  // keeper_async.cc
  void OnFireAsync(uint32_t participant, Clock clock, uint32_t set_id, std::vector<KeeperEffect>* effects);
  void OnAppliedAsync(std::vector<KeeperEffect>* effects);
  void AdvanceAsync(std::vector<KeeperEffect>* effects);
  bool FrontIsEmpty();
  void TakeFront();
  void Answer(std::vector<KeeperEffect>* effects);
  void Tell(std::vector<KeeperEffect>* effects);
  void RaiseAge();
  bool MayContribute(uint32_t participant, Clock clock, std::vector<KeeperEffect>* effects);
  void DeliverFire(uint32_t participant, Clock clock, uint32_t set_id, std::vector<KeeperEffect>* effects);
  bool BufferBusy(uint32_t buffer) const;
  // The newest version is in its buffer and nobody writes there.
  bool CanRead() const { return !applying_ || VersionBuffer(age_ + 1) != VersionBuffer(age_); }
  void PublishTo(uint32_t participant, std::vector<KeeperEffect>* effects);
  void AnswerGets(std::vector<KeeperEffect>* effects);
  void StoreAge(std::vector<KeeperEffect>* effects);
  void Fail(KeeperEffect::Fault fault, uint32_t participant, uint32_t other, Clock got, Age expected,
            std::vector<KeeperEffect>* effects);

  KeeperOptions options_;
  uint32_t num_slots_;  // W
  Age age_;
  Age last_changed_;        // youngest version that some contribution changed: subscribers that have it have all values
  size_t num_awaited_ = 0;  // participants that are no observers
  bool any_mapped_ = false;
  bool applying_ = false;
  bool failed_ = false;
  Age get_age_ = kNoAge;    // R12: the smallest age for which a GET waits
  bool answering_ = false;  // buffer `answering_from_` is being read
  uint32_t answering_from_ = 0;
  std::vector<Peer> peers_;
  std::vector<Pending> pending_;
  std::vector<Arrival> arrivals_;  // async: a ring of W places for each participant, in the order of arrival
  size_t first_arrival_ = 0;
  size_t num_arrivals_ = 0;
  size_t batch_left_ = 0;  // async: arrivals to take before the answers leave
};

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_KEEPER_H_
