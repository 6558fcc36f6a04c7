// SPDX-License-Identifier: Apache-2.0
// Words that all machines of the protocol share. Rule numbers (R1 ...) are those of docs/protocol.md.
#ifndef GEEPS_RUNTIME_PROTOCOL_TYPES_H_
#define GEEPS_RUNTIME_PROTOCOL_TYPES_H_

#include <array>
#include <cstdint>

#include "runtime/protocol/mutants.h"

namespace geeps::protocol {

using Clock = uint64_t;  // geeps_clock calls finished
using Age = uint64_t;    // clocks contained in a version

inline constexpr Age kNoAge = ~uint64_t{0};  // nothing absorbed yet, nothing sent yet
inline constexpr uint32_t kSlackMax = 64;
inline constexpr uint32_t kNumParamsMax = 8;
// What an async table has in the place of the largest slack: W = 2 landing slots, L = 3 log entries (section 5).
inline constexpr uint32_t kAsyncSlack = 1;

// The set id of a clock to which a worker contributes nothing at all: its plan does not update the table, or all
// updates were skipped.
inline constexpr uint32_t kSetNothing = ~uint32_t{0};

// Rule parameters as they travel with contributions. Compared bit by bit (R3).
struct RuleParams {
  uint32_t num = 0;
  std::array<double, kNumParamsMax> values{};
};
bool SameBits(const RuleParams& a, const RuleParams& b);

// True when a reader at `clock` with `slack` may use version `age` (R8). Written so that nothing wraps.
inline bool AgeServes(Age age, Clock clock, uint32_t slack) {
  if (Broken(Mutant::kSlackWraps)) return age != kNoAge && age >= clock - slack;
  if (Broken(Mutant::kSlackOneTooMuch)) ++slack;
  return age != kNoAge && (age >= clock || clock - age <= slack);
}

// Capacities, from the largest slack that anybody uses on the table (section 1).
inline uint32_t NumLandingSlots(uint32_t slack_max) {  // W
  return Broken(Mutant::kLandingOneTooFew) && slack_max > 0 ? slack_max : slack_max + 1;
}
inline uint32_t NumLogEntries(uint32_t slack_max) { return slack_max + 2; }  // L
inline uint32_t NumMappedVersions(uint32_t slack_max) {                      // V where the shard is mapped, else 1
  return Broken(Mutant::kVersionOneTooFew) && slack_max > 0 ? slack_max : slack_max + 1;
}

// One step of the digests by which an exhaustive search tells states apart: every field is mixed in, in a fixed order.
inline uint64_t MixDigest(uint64_t digest, uint64_t value) {
  // The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
  uint64_t z = (digest ^ value) + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_TYPES_H_
