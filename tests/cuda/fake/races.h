// SPDX-License-Identifier: Apache-2.0
// Races: who has read and written which bytes of one piece of memory, as far as later work may still be unordered with
// it. Two accesses that touch a common byte, one of them writing, race when neither happens before the other through
// streams, events and waits of the host; in which order they ran does not matter, so that a race is told under every
// schedule. Thread contract: one thread at a time; the driver's mutex.
#ifndef GEEPS_TESTS_CUDA_FAKE_RACES_H_
#define GEEPS_TESTS_CUDA_FAKE_RACES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/cuda/fake/clock.h"

namespace geeps::fake {

// One piece of work, as far as races go.
struct Actor {
  uint32_t slot = 0;  // of its stream
  uint64_t time = 0;  // its number in that stream
  Clock clock;        // what happens before it
  std::string text;   // "copy of 12 bytes to .. in stream 3"
};

struct Bytes {
  uint64_t first = 0;
  uint64_t num = 0;
  uint64_t end() const { return first + num; }
};

class Races {
 public:
  // Notes an access by `actor`; "" or a sentence about the first earlier access that races with it. `memory` names it.
  std::string Note(const std::shared_ptr<const Actor>& actor, Bytes bytes, bool writes, const std::string& memory);
  // The end of the memory, by the host: what has used it and is not covered by the host's clock; nullptr: nothing.
  const Actor* FirstNotCovered(const Clock& host) const;
  // Forgets what happens before all work that is still to come.
  void Forget(const Clock& covered);

 private:
  struct Access {
    std::shared_ptr<const Actor> actor;
    Bytes bytes;
    bool writes;
  };
  std::vector<Access> accesses_;
};

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_RACES_H_
