// SPDX-License-Identifier: Apache-2.0
// The order in which an epoch visits its samples, and how a global batch is dealt out to the ranks.
//
// Pure functions of their arguments: integers only, so the same on every machine, rank and number of threads.
#ifndef PLUGINS_IDX_EPOCH_ORDER_H_
#define PLUGINS_IDX_EPOCH_ORDER_H_

#include <cstdint>
#include <vector>

#include "geeps_source.h"

namespace geeps::idx {

struct ShuffleSpec {
  int32_t kind = GEEPS_SOURCE_SHUFFLE_NONE;
  uint64_t seed = 0;
  uint64_t window = 0;  // SHUFFLE_WINDOW: samples to draw from
};

// The sample ids 0 .. num_samples - 1 in the order of an epoch, [num_samples].
// REQUIRES: a valid spec; num_samples < 2^32.
std::vector<uint32_t> EpochOrder(const ShuffleSpec& spec, uint64_t epoch, uint32_t num_samples);

// Samples of a batch of n that rank gets: n / world, and one more for the first n % world ranks.
inline uint64_t ShareOf(uint64_t n, uint64_t rank, uint64_t world) { return n / world + (rank < n % world ? 1 : 0); }

// Samples of a batch of n that the ranks before `rank` get.
inline uint64_t ShareBegin(uint64_t n, uint64_t rank, uint64_t world) {
  return n / world * rank + (rank < n % world ? rank : n % world);
}

}  // namespace geeps::idx

#endif  // PLUGINS_IDX_EPOCH_ORDER_H_
