// SPDX-License-Identifier: Apache-2.0
#include "tests/plan/packing_reference.h"

#include <algorithm>
#include <vector>

#include "tests/table/random.h"

namespace geeps::test {
namespace {

using plan::Packing;
using plan::PackingBlock;
using plan::PackingProblem;
using plan::PackingSpan;

// Who holds each byte of each step: owner_[step][address], 0 for nobody.
class Grid {
 public:
  Grid(const PackingProblem& problem, uint64_t num_bytes)
      : problem_(problem), num_bytes_(num_bytes), owner_(problem.num_steps, std::vector<uint32_t>(num_bytes)) {}

  bool Fits(uint32_t block, uint64_t offset) const {
    return Every(block, offset, [](uint32_t owner) { return owner == 0; });
  }
  void Set(uint32_t block, uint64_t offset, uint32_t owner) {
    Every(block, offset, [&](const uint32_t& place) {
      const_cast<uint32_t&>(place) = owner;
      return true;
    });
  }

 private:
  template <typename Holds>
  bool Every(uint32_t block, uint64_t offset, Holds holds) const {
    for (const PackingSpan& held : problem_.blocks[block].held) {
      if (offset + held.high > num_bytes_) return false;
      for (uint32_t step = held.begin; step < held.end; ++step) {
        for (uint64_t byte = held.low; byte < held.high; ++byte) {
          if (!holds(owner_[step % problem_.num_steps][offset + byte])) return false;
        }
      }
    }
    return true;
  }

  const PackingProblem& problem_;
  const uint64_t num_bytes_;
  std::vector<std::vector<uint32_t>> owner_;
};

// Whether blocks `block` .. can be placed below num_bytes; nothing when *tries runs out.
std::optional<bool> CanPlace(const PackingProblem& problem, Grid* grid, uint64_t num_bytes, uint32_t block,
                             uint64_t* tries) {
  if (block == problem.blocks.size()) return true;
  for (uint64_t offset = 0; offset < num_bytes; ++offset) {
    if (*tries == 0) return std::nullopt;
    --*tries;
    if (!grid->Fits(block, offset)) continue;
    grid->Set(block, offset, block + 1);
    const std::optional<bool> can = CanPlace(problem, grid, num_bytes, block + 1, tries);
    grid->Set(block, offset, 0);
    if (!can.has_value() || *can) return can;
  }
  return false;
}

}  // namespace

PackingProblem DrawPacking(uint64_t seed, uint32_t max_steps, uint32_t max_blocks, uint64_t max_bytes) {
  Random random(seed);
  PackingProblem problem;
  problem.num_steps = 2 + static_cast<uint32_t>(random.Below(max_steps - 1));
  problem.blocks.resize(1 + random.Below(max_blocks));
  for (PackingBlock& block : problem.blocks) {
    const uint64_t bytes = 1 + random.Below(max_bytes);
    const uint32_t begin = static_cast<uint32_t>(random.Below(problem.num_steps));
    const uint32_t steps = 1 + static_cast<uint32_t>(random.Below(problem.num_steps));
    block.held.push_back({begin, begin + steps, 0, bytes});
    if (steps == problem.num_steps || !random.OneIn(3)) continue;
    const uint32_t later = (begin + steps) % problem.num_steps;
    const uint32_t end = later + 1 + static_cast<uint32_t>(random.Below(problem.num_steps - steps));
    const uint64_t cut = random.Below(bytes);
    block.held.push_back(random.OneIn(2) ? PackingSpan{later, end, cut, bytes}
                                         : PackingSpan{later, end, 0, bytes - cut});
  }
  return problem;
}

std::string Judge(const PackingProblem& problem, const Packing& packing) {
  if (packing.offset.size() != problem.blocks.size()) return "not one offset for each block";
  Grid grid(problem, packing.bytes);
  for (uint32_t i = 0; i < problem.blocks.size(); ++i) {
    if (!grid.Fits(i, packing.offset[i])) {
      return "block " + std::to_string(i) + " at " + std::to_string(packing.offset[i]) +
             " lies above the end, or on a block before it";
    }
    grid.Set(i, packing.offset[i], i + 1);
  }
  return "";
}

std::optional<uint64_t> FewestBytes(const PackingProblem& problem, uint64_t max_tried) {
  for (uint64_t bytes = plan::PeakBytes(problem);; ++bytes) {
    Grid grid(problem, bytes);
    const std::optional<bool> can = CanPlace(problem, &grid, bytes, 0, &max_tried);
    if (!can.has_value()) return std::nullopt;
    if (*can) return bytes;
  }
}

}  // namespace geeps::test
