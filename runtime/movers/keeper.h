// SPDX-License-Identifier: Apache-2.0
// Keeper: the owner of this worker's shards. Takes in contributions, lets the device fold and apply complete clocks,
// and publishes versions to subscribers.
// Thread contract: the mover thread; never blocks.
#ifndef GEEPS_RUNTIME_MOVERS_KEEPER_H_
#define GEEPS_RUNTIME_MOVERS_KEEPER_H_

#include <cstdint>
#include <vector>

#include "runtime/movers/context.h"
#include "runtime/protocol/message.h"

namespace geeps::movers {

class Keeper {
 public:
  explicit Keeper(MoverContext* context) : context_(context) {}

  // The epoch begins: landing slots are open, the first versions go out.
  void Begin();

  // From a connection, unchecked: anything that does not fit what was committed is a protocol error.
  void OnContributionMessage(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes);
  void OnCredit(uint32_t rank, const protocol::Header& header);
  void OnFire(uint32_t rank, const protocol::Header& header);
  // A reader has waited long: who has not delivered the clock that comes next?
  void OnWho(uint32_t rank, const protocol::Header& header);
  // The answer. REQUIRES: the partition is kept here.
  protocol::Header MissingAt(uint32_t partition) const;
  // Values of a contribution, wherever they lie. REQUIRES: header checked.
  void OnContribution(uint32_t rank, const protocol::Header& header, const uint8_t* values);
  // Looks at the fired words of the participants of a mapped table.
  void ScanFired(uint32_t table);

  // alone: the participant whose contribution was applied by itself (async), or kNone.
  void OnApplied(uint32_t kept, uint32_t alone, protocol::Clock clock);
  // A publish has left the memory that it was sent from.
  void OnPublishSent(uint32_t kept, uint32_t participant);
  void OnGathered(uint32_t kept, uint32_t participant);
  // R12: a GET for version `age` waits at a kept partition; what kAnswer read is read, and the next one asks for `next`.
  void OnGet(uint32_t kept, protocol::Age age);
  void OnAnswered(uint32_t kept, protocol::Age next);
  // Where version `age` of the partition lies: a shard that nobody maps has one place for all.
  uint8_t* VersionValues(const Kept& kept, protocol::Age age) const;
  // The own subscriber has taken over the published values.
  void OnLocalAbsorbed(uint32_t partition);
  void Execute(const KeeperAction& action);

 private:
  Kept* FindKept(uint32_t rank, const protocol::Header& header, uint32_t* participant);
  void Queue(uint32_t kept);
  void Apply(uint32_t kept, const protocol::KeeperEffect& effect);
  void Publish(uint32_t kept, const protocol::KeeperEffect& effect);
  void Deliver(Kept* kept, const protocol::KeeperEffect& effect, const uint8_t* values, uint64_t bytes);
  static LastFire LastFireFor(const Kept& kept, protocol::Age age);
  void StoreAge(Kept* kept, protocol::Age age);
  void Fail(const Kept& kept, const protocol::KeeperEffect& effect);
  void ReadLogEntry(uint32_t table, uint32_t rank, protocol::Clock clock);

  MoverContext* const context_;
  std::vector<protocol::KeeperEffect> effects_;
  // Scratch of Apply: reused, grows to the largest partition's needs.
  table::SegmentSweep sweep_;
  std::vector<table::SegmentSource> sources_;
  std::vector<uint32_t> source_participant_;
  std::vector<geeps_apply_segment> segments_;
  std::vector<geeps_apply_input> inputs_;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_KEEPER_H_
