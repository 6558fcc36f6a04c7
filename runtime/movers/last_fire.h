// SPDX-License-Identifier: Apache-2.0
// What divides a wait into its causes: the moment at which the last of the participants had fired the clock that made
// a version. Keepers note the moments at which fires left their workers, and pass the last one on with the version;
// a moment that comes from a peer is mapped to the own clock first. Nothing but the statistics depends on these numbers:
// any value that a peer may send is taken.
// Thread contract: the mover thread.
#ifndef GEEPS_RUNTIME_MOVERS_LAST_FIRE_H_
#define GEEPS_RUNTIME_MOVERS_LAST_FIRE_H_

#include <cstdint>
#include <vector>

#include "runtime/protocol/types.h"

namespace geeps::movers {

// How far a peer's steady clock is behind the own one, from the messages that came from it: the smallest difference
// between arrival and sending, which is too large by what the fastest message took. It is allowed to grow by 2^-13,
// 122 millionths, of the time that passes, since quartz clocks drift by less.
class PeerTime {
 public:
  void Note(uint64_t sent_ns, uint64_t now_ns) {
    const uint64_t offset = now_ns - sent_ns;  // wraps: only differences count
    const uint64_t grown = offset_ + ((now_ns - noted_ns_) >> 13);
    offset_ = noted_ns_ == 0 || static_cast<int64_t>(offset - grown) < 0 ? offset : grown;
    noted_ns_ = now_ns;
  }
  // The own clock's number for a moment of the peer's. REQUIRES: Note was called.
  uint64_t ToOwn(uint64_t peer_ns) const { return peer_ns + offset_; }

 private:
  uint64_t offset_ = 0;
  uint64_t noted_ns_ = 0;
};

struct LastFire {
  uint64_t ns = 0;  // of the own clock; 0: not known
  uint32_t participant = 0;
};

// Of the clocks that may be delivered to one partition.
class LastFires {
 public:
  // num_slots: W. One more is kept: a version may be published when all of the next ones are under way.
  explicit LastFires(uint32_t num_slots) : slots_(num_slots + 1) {}

  void Note(protocol::Clock clock, uint32_t participant, uint64_t ns) {
    Slot* const slot = &slots_[clock % slots_.size()];
    if (slot->age > clock + 1 || (slot->age == clock + 1 && slot->fire.ns >= ns)) return;
    *slot = {clock + 1, {ns, participant}};
  }
  // Of the clock that made the version; not known for the first one.
  LastFire Of(protocol::Age age) const {
    const Slot& slot = slots_[(age + slots_.size() - 1) % slots_.size()];
    return slot.age == age ? slot.fire : LastFire{};
  }

 private:
  struct Slot {
    protocol::Age age = 0;  // the version that the clock makes
    LastFire fire;
  };
  std::vector<Slot> slots_;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_LAST_FIRE_H_
