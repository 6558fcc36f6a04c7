// SPDX-License-Identifier: Apache-2.0
#include "plugins/idx/epoch_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace geeps::idx {
namespace {

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
class Random {
 public:
  Random(uint64_t seed, uint64_t epoch) : state_(seed) {
    state_ = Next() + epoch;
    state_ = Next();
  }

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in 0 .. bound - 1, without bias: values below the threshold are drawn again. REQUIRES: bound >= 1.
  // Source: Lemire, Fast random integer generation in an interval, 2019, with 32-bit words.
  uint32_t Below(uint32_t bound) {
    const uint32_t threshold = static_cast<uint32_t>(-bound) % bound;
    for (;;) {
      const uint64_t product = (Next() >> 32) * bound;
      if (static_cast<uint32_t>(product) >= threshold) return static_cast<uint32_t>(product >> 32);
    }
  }

 private:
  uint64_t state_;
};

}  // namespace

std::vector<uint32_t> EpochOrder(const ShuffleSpec& spec, uint64_t epoch, uint32_t num_samples) {
  std::vector<uint32_t> order(num_samples);
  std::iota(order.begin(), order.end(), 0u);
  Random random(spec.seed, epoch);
  if (spec.kind == GEEPS_SOURCE_SHUFFLE_FULL) {
    for (uint32_t i = num_samples; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  } else if (spec.kind == GEEPS_SOURCE_SHUFFLE_WINDOW) {
    // Place i is drawn from the window [i, i + window): those passed over wait in the places that follow.
    for (uint64_t i = 0; i + 1 < num_samples; ++i) {
      const uint64_t reach = std::min<uint64_t>(spec.window, num_samples - i);
      std::swap(order[i], order[i + random.Below(static_cast<uint32_t>(reach))]);
    }
  }
  return order;
}

}  // namespace geeps::idx
