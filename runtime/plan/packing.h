// SPDX-License-Identifier: Apache-2.0
// Packing: which addresses blocks of memory get that are held at known times of a cyclic sequence, so that blocks held
// at once do not overlap and all of them need few bytes.
// Pure.
//
// A block keeps its address, and need not hold all of itself all the time: an item that stays in parts between two uses
// holds some of its bytes then. Bytes that a block does not hold at a time serve others. The least that can do is the
// peak: the most bytes held at one time. (Storage allocation with known lifetimes; NP-hard: Garey and Johnson 1979,
// problem SR2.)
#ifndef GEEPS_RUNTIME_PLAN_PACKING_H_
#define GEEPS_RUNTIME_PLAN_PACKING_H_

#include <cstdint>
#include <vector>

namespace geeps::plan {

struct PackingSpan {
  uint32_t begin = 0;  // steps begin .. end - 1, modulo the number of steps: begin < steps, 0 < end - begin <= steps
  uint32_t end = 0;
  uint64_t low = 0;  // bytes low .. high - 1 of the block; low < high
  uint64_t high = 0;
};

struct PackingBlock {
  std::vector<PackingSpan> held;  // at least one; no byte twice at one time, byte 0 at some time
};

// REQUIRES: what the comments of its parts say, and a sum of all blocks' sizes below 2^62.
struct PackingProblem {
  uint32_t num_steps = 0;  // not 0
  std::vector<PackingBlock> blocks;
};

struct Packing {
  std::vector<uint64_t>
      offset;          // by block; sums and differences of the problem's bytes, so aligned where all of those are
  uint64_t bytes = 0;  // addresses are below this
};

// The most bytes held at one time: no packing needs less.
uint64_t PeakBytes(const PackingProblem& problem);

// A packing; the same one for the same problem. What needs at most enough_bytes is not improved.
Packing PackBlocks(const PackingProblem& problem, uint64_t enough_bytes);

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_PACKING_H_
