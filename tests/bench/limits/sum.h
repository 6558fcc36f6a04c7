// SPDX-License-Identifier: Apache-2.0
// The sum of one clock, in place: what a keeper of a table with rule `add` has to do for two workers.
#ifndef GEEPS_TESTS_BENCH_LIMITS_SUM_H_
#define GEEPS_TESTS_BENCH_LIMITS_SUM_H_

#include <cstdint>

namespace geeps_bench {

// value[i] += a[i] + b[i]
inline void SumInPlace(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value) {
  for (uint64_t i = 0; i < n; ++i) value[i] += a[i] + b[i];
}

}  // namespace geeps_bench

#endif  // GEEPS_TESTS_BENCH_LIMITS_SUM_H_
