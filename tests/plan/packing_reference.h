// SPDX-License-Identifier: Apache-2.0
// What packing is compared with: drawn problems, the smallest packing of a small one, and a judge that looks at each
// byte of each step.
#ifndef GEEPS_TESTS_PLAN_PACKING_REFERENCE_H_
#define GEEPS_TESTS_PLAN_PACKING_REFERENCE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/plan/packing.h"

namespace geeps::test {

// 2 .. max_steps steps, 1 .. max_blocks blocks of 1 .. max_bytes bytes; of about every third block some bytes stay
// longer than the others, at its low or its high end.
plan::PackingProblem DrawPacking(uint64_t seed, uint32_t max_steps, uint32_t max_blocks, uint64_t max_bytes);

// What is wrong with a packing; empty: nothing. For problems of few bytes and steps.
std::string Judge(const plan::PackingProblem& problem, const plan::Packing& packing);

// The fewest bytes of all packings; nothing when more than max_tried addresses would have to be tried.
std::optional<uint64_t> FewestBytes(const plan::PackingProblem& problem, uint64_t max_tried);

}  // namespace geeps::test

#endif  // GEEPS_TESTS_PLAN_PACKING_REFERENCE_H_
