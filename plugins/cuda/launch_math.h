// SPDX-License-Identifier: Apache-2.0
// What both plans of launches calculate with. Thread contract: pure functions.
#ifndef GEEPS_PLUGINS_CUDA_LAUNCH_MATH_H_
#define GEEPS_PLUGINS_CUDA_LAUNCH_MATH_H_

#include <algorithm>
#include <cstdint>

namespace geeps::cuda {

inline uint64_t DivideUp(uint64_t a, uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

// A block works on tile b, b + num_blocks and so on; a grid has at most 2^31 - 1 blocks.
inline uint32_t BlocksFor(uint64_t num_tiles) {
  return static_cast<uint32_t>(std::min<uint64_t>(num_tiles, (uint64_t{1} << 31) - 1));
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_LAUNCH_MATH_H_
