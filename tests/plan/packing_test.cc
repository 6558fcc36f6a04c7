// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan/packing.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "tests/plan/packing_reference.h"

namespace geeps::plan {
namespace {

TEST_CASE("PackBlocks: nothing needs nothing") {
  const Packing packing = PackBlocks({5, {}}, 0);
  CHECK(packing.offset.empty());
  CHECK(packing.bytes == 0);
}

TEST_CASE("PackBlocks: blocks that are never held at once share addresses, also over the end of the sequence") {
  PackingProblem problem{4, {{{{0, 2, 0, 8}}}, {{{2, 4, 0, 8}}}}};
  CHECK(PeakBytes(problem) == 8);
  Packing packing = PackBlocks(problem, 0);
  CHECK(packing.bytes == 8);
  CHECK(packing.offset == std::vector<uint64_t>{0, 0});
  problem.blocks[1].held[0].end = 5;  // step 0 of the next pass
  CHECK(PeakBytes(problem) == 16);
  packing = PackBlocks(problem, 0);
  CHECK(packing.bytes == 16);
  CHECK(test::Judge(problem, packing) == "");
}

TEST_CASE("PackBlocks: bytes that a block does not hold for a while serve others") {
  // Block 0 leaves for two steps but for its lower quarter; block 1 fits over that.
  const PackingProblem problem{4, {{{{0, 2, 0, 16}, {2, 4, 0, 4}}}, {{{2, 4, 0, 12}}}}};
  CHECK(PeakBytes(problem) == 16);
  const Packing packing = PackBlocks(problem, 0);
  CHECK(packing.bytes == 16);
  CHECK(packing.offset == std::vector<uint64_t>{0, 4});
}

TEST_CASE("PackBlocks: what is held all the time lies below everything else") {
  const PackingProblem problem{3, {{{{0, 1, 0, 5}}}, {{{2, 5, 0, 7}}}, {{{1, 2, 0, 6}}}, {{{0, 3, 0, 9}}}}};
  const Packing packing = PackBlocks(problem, 0);
  CHECK(packing.offset == std::vector<uint64_t>{16, 0, 16, 7});
  CHECK(packing.bytes == 22);
  CHECK(PeakBytes(problem) == 22);
}

TEST_CASE(
    "PackBlocks: drawn problems of every size keep the rules, and twice the same problem gives the same packing") {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    CAPTURE(seed);
    const uint32_t size = seed < 13 ? 12 : 60;
    const PackingProblem problem = test::DrawPacking(seed, size, size, 20);
    const Packing packing = PackBlocks(problem, 0);
    CHECK(test::Judge(problem, packing) == "");
    CHECK(packing.bytes >= PeakBytes(problem));
    CHECK(PackBlocks(problem, 0).offset == packing.offset);
  }
}

TEST_CASE("PackBlocks: what is enough is not improved") {
  const PackingProblem problem = test::DrawPacking(6, 40, 60, 20);
  const uint64_t best = PackBlocks(problem, 0).bytes;
  const Packing packing = PackBlocks(problem, 2 * best);
  CHECK(packing.bytes > best);
  CHECK(packing.bytes <= 2 * best);
  CHECK(test::Judge(problem, packing) == "");
}

TEST_CASE("PackBlocks: multiples of a number stay multiples of it") {
  PackingProblem problem = test::DrawPacking(11, 20, 30, 9);
  for (PackingBlock& block : problem.blocks) {
    for (PackingSpan& held : block.held) held.low *= 256, held.high *= 256;
  }
  for (const uint64_t offset : PackBlocks(problem, 0).offset) CHECK(offset % 256 == 0);
}

}  // namespace
}  // namespace geeps::plan
