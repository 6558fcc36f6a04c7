// SPDX-License-Identifier: Apache-2.0
// R12, get: reading rows of any table outside a plan. The asker sends a GET to the keeper of each partition it wants
// rows of, one run of rows each (the smallest that holds the wanted ones: a partition is at most 1 MiB), with the
// smallest age that serves it; the keeper answers each with one GOT, which carries the values of one version. Askers
// need not take part in the table, nor share a partition with its keeper.
//
// The asker's side is Getter, the keeper's WaitingGets (who asks) and KeeperPartition (when it may be read):
//
//   asker    Getter::Begin     kAsk      send GET(partition, clock = age, call, rows) to the part's keeper
//   keeper   GET arrives       check table, partition, rows; WaitingGets::Add, then KeeperPartition::OnGet(age)
//            kAnswer           WaitingGets::Take(partition, effect.clock): for each, read its rows of version buffer
//                              `from` and send GOT(partition, clock = effect.age, call, rows, FROZEN as in the effect).
//                              When the buffer is not read any more: OnAnswered(WaitingGets::Smallest(partition))
//   asker    GOT arrives       Getter::OnGot   kTake: copy the wanted rows out of the payload; kDone: the call is over
//
// Epochs (message.h, JudgeEpoch): GET and GOT of an old epoch are dropped. So when an epoch begins, every keeper
// forgets the GETs that wait (WaitingGets::Clear), and the asker asks again from the beginning (Getter::OnEpoch, then
// Begin with the parts of the new layout): a get shows one epoch, not two. A fence that keeps the epoch changes
// nothing. A worker asks for no age above its own clock; for async tables it asks for 0. Pure: one call at a time, no
// allocation after construction but for the parts that the caller hands in; copyable.
#ifndef GEEPS_RUNTIME_PROTOCOL_GET_H_
#define GEEPS_RUNTIME_PROTOCOL_GET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/protocol/message.h"
#include "runtime/protocol/types.h"

namespace geeps::protocol {

// GETs of one asker that are not answered, to all keepers together.
inline constexpr uint32_t kGetsInFlight = 8;

// A GET at its keeper.
struct WaitingGet {
  uint32_t rank = 0;  // who asks
  uint32_t partition = 0;
  uint64_t call = 0;
  Age age = 0;
  uint32_t first_row = 0;
  uint32_t num_rows = 0;
};

// The GETs that wait at one keeper, for all its partitions.
class WaitingGets {
 public:
  explicit WaitingGets(uint32_t world) : world_(world) { gets_.reserve(size_t{world} * kGetsInFlight); }

  // False: more than kGetsInFlight of this rank wait, or the rank does not exist: a protocol error.
  bool Add(const WaitingGet& get);
  // Moves those of `partition` that ask for an age <= `age` (kNoAge: all) behind *out, in the order in which they came.
  void Take(uint32_t partition, Age age, std::vector<WaitingGet>* out);
  // The smallest age asked for at `partition`; kNoAge: nobody waits there.
  Age Smallest(uint32_t partition) const;
  // An epoch begins.
  void Clear() { gets_.clear(); }
  uint64_t StateDigest() const;

 private:
  uint32_t world_;
  std::vector<WaitingGet> gets_;
};

// What a call wants of one partition.
struct GetPart {
  uint32_t partition = 0;
  uint32_t keeper = 0;
  uint32_t first_row = 0;  // relative to the partition
  uint32_t num_rows = 0;
};

struct GetterEffect {
  enum class Kind : uint8_t {
    kAsk,   // send GET for part(index)
    kTake,  // the values of part(index) lie in the payload of the GOT that was given: take what is wanted
    kDone,  // the call has everything: `age` is the smallest version taken
  };
  Kind kind = Kind::kAsk;
  uint32_t index = 0;
  Age age = 0;
};

// The gets of one worker, one call after another.
class Getter {
 public:
  using Effects = std::vector<GetterEffect>;

  // A call begins, or begins again in a new epoch. call: not used before in this epoch. age: what the caller asks for.
  // REQUIRES: idle().
  void Begin(uint64_t call, Age age, std::vector<GetPart> parts, Effects* effects);
  // A GOT of the epoch in force. False: nobody asked for it, or it is older than asked for: a protocol error. One for a
  // call that was given up has no effect but to make room.
  bool OnGot(uint32_t rank, const Header& got, Effects* effects);
  // Nobody waits for the call any more.
  void GiveUp() { idle_ = true; }
  // An epoch begins: no GET sent before is answered any more. True when a call was under way: begin it again.
  bool OnEpoch();

  bool idle() const { return idle_; }
  const GetPart& part(uint32_t index) const { return parts_[index]; }
  // No input produces more effects than this.
  static constexpr size_t kEffectsMax = kGetsInFlight + 1;
  uint64_t StateDigest() const;

 private:
  struct Ask {
    bool used = false;
    uint64_t call = 0;
    uint32_t index = 0;
    GetPart part;
  };

  void AskOn(Effects* effects);

  std::array<Ask, kGetsInFlight> asks_{};
  bool idle_ = true;
  uint64_t call_ = 0;
  Age age_ = 0;
  Age smallest_ = kNoAge;  // of the versions taken that are not frozen
  uint32_t num_asked_ = 0;
  uint32_t num_taken_ = 0;
  std::vector<GetPart> parts_;
};

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_GET_H_
