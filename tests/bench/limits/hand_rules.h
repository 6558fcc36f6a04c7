// SPDX-License-Identifier: Apache-2.0
// Update rules as one would write them by hand for f32 and two contributions: one fused loop over arrays that do not
// overlap, compiled with -O3 for the same instruction set as libgeeps. Operations are those of docs/rules.md, so that
// the results can be compared.
#ifndef GEEPS_TESTS_BENCH_LIMITS_HAND_RULES_H_
#define GEEPS_TESTS_BENCH_LIMITS_HAND_RULES_H_

#include <cstdint>

namespace geeps_bench {

struct HandArrays {
  uint64_t num_values = 0;
  uint64_t row_values = 0;  // a multiple of 16; lamb looks at rows
  const float* a = nullptr;
  const float* b = nullptr;
  float* value = nullptr;
  float* first_state = nullptr;
  float* second_state = nullptr;
};

// One step of the rule with that code (GEEPS_RULE_*) and these parameters; t: steps, this one included. False for a
// rule that has no loop here.
bool HandStep(uint32_t rule, const double* params, uint64_t t, const HandArrays& arrays);

}  // namespace geeps_bench

#endif  // GEEPS_TESTS_BENCH_LIMITS_HAND_RULES_H_
