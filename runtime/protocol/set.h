// SPDX-License-Identifier: Apache-2.0
// R12, set: rows that a worker sets outside a plan, at any time, before the first commit too. They stay with the worker
// that set them until a fence takes them in, for only a fence knows who keeps what from then on. SetExchange is one
// worker's part in that: what it sends, what it has received, and what becomes of both when the fence goes on or fails.
//
// * The program sets: OnSet gives the call a number; the caller keeps rows and values by it.
// * First ENTER: OnEnter; Enter::sets = has_pending(). A shutdown takes no sets in.
// * First GO: Go::sets says whether some worker has sets. If none has, nothing of what follows happens. Else a plain
//   fence has a second phase as a commit has, and begins a new epoch.
// * When all workers have built: Begin(parts): the calls offered, in order, each cut by partition and run of rows under
//   the layout that is about to begin. For each index in *send: SET of part(index) to its keeper, the values as
//   payload, epoch: the one that is about to begin.
// * The keeper, on SET: checks table, partition, rows and size, puts the values aside (`place`), OnSetMessage, and
//   answers with ACK(partition, call) whatever else happens. The setter, on ACK: OnAck, which may let more SETs leave.
// * Second ENTER: when CanEnter().
// * Second GO: OnGo gives this keeper's sets in the order in which they are applied, before its partitions begin and
//   publish: values replaced; rule state and step count of these rows as at the beginning unless keep_state. The calls
//   with numbers below done() have taken effect: the setter forgets their values.
// * FAIL: OnFail: what was put aside is dropped, what was set is pending as before. A worker that ends the exchange
//   early says Stop() and still enters when CanEnter(), so that no SET or ACK is under way when the fence is over.
//
// Pure; not on the per-clock path: it may allocate. One call at a time.
#ifndef GEEPS_RUNTIME_PROTOCOL_SET_H_
#define GEEPS_RUNTIME_PROTOCOL_SET_H_

#include <cstdint>
#include <map>
#include <vector>

#include "runtime/protocol/types.h"

namespace geeps::protocol {

// SETs of one worker that are not acknowledged, to all keepers together.
inline constexpr uint32_t kSetsInFlight = 8;

// One run of rows of one call in one partition: a SET.
struct SetPart {
  uint64_t call = 0;
  uint32_t keeper = 0;
  uint32_t partition = 0;
  uint32_t first_row = 0;  // relative to the partition
  uint32_t num_rows = 0;
  bool keep_state = false;
};

// A SET at its keeper.
struct StagedSet {
  uint32_t rank = 0;  // who set
  uint64_t call = 0;
  uint32_t partition = 0;
  uint32_t first_row = 0;
  uint32_t num_rows = 0;
  bool keep_state = false;
  uint32_t place = 0;  // where the caller has put the values
};

class SetExchange {
 public:
  // The program sets something. Returns the number of the call: 1, 2, ...
  uint64_t OnSet() { return ++last_call_; }
  bool has_pending() const { return last_call_ > done_; }

  // ENTER: the calls up to now take part in this fence; later ones in the next.
  void OnEnter() { offered_ = last_call_; }
  // Calls that take part: numbers [first_offered(), end_offered()).
  uint64_t first_offered() const { return done_ + 1; }
  uint64_t end_offered() const { return offered_ + 1; }
  // Indexes of the parts to send now are put behind *send. REQUIRES: parts by call, ascending.
  void Begin(std::vector<SetPart> parts, std::vector<uint32_t>* send);
  const SetPart& part(uint32_t index) const { return parts_[index]; }
  // False: no SET of this partition and call is under way to `rank`: a protocol error.
  bool OnAck(uint32_t rank, uint32_t partition, uint64_t call, std::vector<uint32_t>* send);
  // Nothing more is sent: the fence will fail.
  void Stop() { next_ = static_cast<uint32_t>(parts_.size()); }
  // Everything that was sent is acknowledged, and nothing is left to send.
  bool CanEnter() const;

  // A SET has come. False: an older call than the last one of this rank: a protocol error.
  bool OnSetMessage(const StagedSet& set);
  // The second GO. Returns what this keeper applies, in order.
  std::vector<StagedSet> OnGo();
  // Calls below it have taken effect.
  uint64_t done() const { return done_ + 1; }
  void OnFail();
  uint64_t StateDigest() const;

 private:
  void SendOn(std::vector<uint32_t>* send);
  void EndExchange();

  uint64_t last_call_ = 0;
  uint64_t done_ = 0;     // the last call that has taken effect
  uint64_t offered_ = 0;  // the last call that takes part in the fence under way
  std::vector<SetPart> parts_;
  uint32_t next_ = 0;                // first part not sent
  std::vector<uint32_t> in_flight_;  // parts sent and not acknowledged, oldest first
  std::vector<StagedSet> staged_;
  std::map<uint32_t, uint64_t> last_of_rank_;  // calls of the sets staged
};

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_SET_H_
