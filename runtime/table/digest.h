// SPDX-License-Identifier: Apache-2.0
// Digester: a 64-bit digest of a sequence of numbers and texts, equal on every machine. It tells honest mistakes apart,
// not forgeries.
// Thread contract: plain value.
#ifndef GEEPS_RUNTIME_TABLE_DIGEST_H_
#define GEEPS_RUNTIME_TABLE_DIGEST_H_

#include <bit>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace geeps::table {

// A bijection that spreads every bit over all others. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014 (variant 13 of Stafford's mixers).
inline constexpr uint64_t MixBits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// The odd number nearest to 2^64 divided by the golden ratio: multiples of it are spread evenly.
inline constexpr uint64_t kGoldenStep = 0x9e3779b97f4a7c15ull;

class Digester {
 public:
  void Add(uint64_t number) { state_ = (MixBits(state_ + kGoldenStep) ^ number) * 0xd6e8feb86659fd93ull; }
  // The bits, so that -0.0 and 0.0 differ.
  void Add(double number) { Add(std::bit_cast<uint64_t>(number)); }
  void Add(absl::string_view text) {
    Add(static_cast<uint64_t>(text.size()));
    for (const char c : text) Add(static_cast<uint64_t>(static_cast<unsigned char>(c)));
  }
  uint64_t value() const { return MixBits(state_); }

 private:
  uint64_t state_ = 0x6765657073000001ull;
};

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_DIGEST_H_
