// SPDX-License-Identifier: Apache-2.0
// Contributor: one worker's side of the contributions to one table (R2, R10): the ring of log entries, the push gate
// of each partition, and the order data before FIRE for each keeper.
// Pure: one call at a time, no allocation after construction, copyable.
#ifndef GEEPS_RUNTIME_PROTOCOL_CONTRIBUTOR_H_
#define GEEPS_RUNTIME_PROTOCOL_CONTRIBUTOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/protocol/types.h"

namespace geeps::protocol {

struct ContributorOptions {
  struct Partition {
    uint32_t partition = 0;      // global id
    uint32_t keeper = 0;         // index into num_keepers
    std::vector<bool> has_data;  // by set id: U(w,p,q) is not empty
  };
  std::vector<Partition> partitions;  // those in which this worker takes part and that are not frozen, in sending order
  uint32_t num_keepers = 0;
  uint32_t slack_max = 0;
  bool mapped = false;          // log entries are read in place by the keepers: one word instead of messages
  bool read_my_writes = false;  // entries are kept until the versions absorbed contain them. REQUIRES: not mapped
  Clock first_clock = 0;
};

struct ContributorEffect {
  enum class Kind : uint8_t {
    kSend,  // CONTRIB of `clock` at partition index `index` out of the log entry, `fired` or not; answer with OnSent
    kFire,  // FIRE of `clock` to keeper index `index`
    kStoreFired,  // mapped: write set id and parameters into the header of entry EntryOf(clock), with kSetNothing now
                  // and not earlier; then fired word := clock + 1, release; then notify the keepers
    kEntryFree,   // the log entry of `clock` may be filled again (by clock + L)
  };
  Kind kind = Kind::kSend;
  bool fired = false;
  uint32_t index = 0;
  uint32_t set_id = 0;
  Clock clock = 0;
};

class Contributor {
 public:
  explicit Contributor(const ContributorOptions& options);

  // All updates of the table in this clock lie in its log entry. REQUIRES: EntryFree(clock), clocks ascend.
  void OnData(Clock clock, uint32_t set_id, std::vector<ContributorEffect>* effects);
  // The table is fired for `clock` (R1). Without a preceding OnData it contributes nothing, whatever the set: FIRE
  // carries kSetNothing and stands for EMPTY at every partition. Every clock is fired once, in order.
  void OnFired(Clock clock, uint32_t set_id, std::vector<ContributorEffect>* effects);
  // The subscriber of partition `index` has absorbed `age` (mapped: has seen the age word). Async: its own_clock().
  void OnAge(uint32_t index, Age age, std::vector<ContributorEffect>* effects);
  // The send of `clock` at partition `index` is complete locally: its bytes in the log entry are no longer needed.
  void OnSent(uint32_t index, Clock clock, std::vector<ContributorEffect>* effects);

  // R10: the entry clock mod L may be filled with that clock. REQUIRES: clock < first clock not fired + L.
  bool EntryFree(Clock clock) const;
  uint32_t num_entries() const { return num_entries_; }
  // Entries whose data somebody still needs, of clocks that are fired and of others.
  struct EntriesInUse {
    uint32_t fired = 0;
    uint32_t unfired = 0;
  };
  EntriesInUse CountEntries() const;
  // Where the data of `clock` lie.
  uint32_t EntryOf(Clock clock) const {
    return static_cast<uint32_t>(clock % (Broken(Mutant::kLogOneTooFew) ? num_entries_ - 1 : num_entries_));
  }
  // Clocks fired so far: every clock below it is fired.
  Clock fired() const { return next_fired_; }
  const ContributorOptions& options() const { return options_; }
  // No input produces more effects than this: all entries leave from all partitions, W clocks are fired at each keeper,
  // all entries become free.
  size_t MaxEffects() const {
    return num_entries_ * (options_.partitions.size() + 1) + (options_.slack_max + 1) * (options_.num_keepers + 1);
  }
  uint64_t StateDigest() const;

 private:
  struct Entry {        // the ring, by clock mod L
    bool used = false;  // holds data of `clock` that somebody still needs
    Clock clock = 0;
    uint32_t set_id = 0;
    uint32_t num_unsent = 0;          // partitions whose data have not left, or are not out completely
    uint32_t num_unfired = 0;         // keepers that have not been told that the clock is fired
    std::vector<uint8_t> needs_fire;  // by keeper: some data left unmarked, so that FIRE must follow
  };
  struct Lane {  // one partition
    Age absorbed = kNoAge;
    Clock next = 0;  // first clock whose data (or whose FIRE, where it has none) have not left
  };
  struct Keeper {
    Clock next_fire = 0;  // first clock whose FIRE has not left
    std::vector<uint32_t> lanes;
  };

  // The entry with the data of `clock`; null when the clock has none, or none yet.
  Entry* DataOf(Clock clock);
  bool HasData(uint32_t lane, const Entry& entry) const;
  bool GateOpen(uint32_t lane, Clock clock) const;
  void SendFrom(uint32_t lane, std::vector<ContributorEffect>* effects);
  bool FireAt(uint32_t keeper, std::vector<ContributorEffect>* effects);
  void Progress(uint32_t keeper, std::vector<ContributorEffect>* effects);
  void ProgressMapped(std::vector<ContributorEffect>* effects);
  bool IsContained(const Entry& entry) const;
  void FreeIfDone(Entry* entry, std::vector<ContributorEffect>* effects);
  void FreeMapped(std::vector<ContributorEffect>* effects);

  ContributorOptions options_;
  uint32_t num_entries_;  // L
  Clock next_fired_;
  Clock stored_fired_;     // mapped: what the fired word holds
  Clock freed_;            // mapped: first clock whose entry somebody may still read, data or not
  uint32_t num_told_ = 0;  // keepers with a partition of this worker
  std::vector<Entry> entries_;
  std::vector<Lane> lanes_;
  std::vector<Keeper> keepers_;
};

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_CONTRIBUTOR_H_
