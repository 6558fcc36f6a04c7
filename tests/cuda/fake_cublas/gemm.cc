// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake_cublas/gemm.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/cuda/fake/fake.h"

namespace geeps::fake::cublas {
namespace {

constexpr uint64_t kPoisonBytes = 64;

// `num` values from value `first` on.
float* Reach(uint64_t address, uint64_t first, uint64_t num, bool is_written) {
  return static_cast<float*>(geeps_fake_address(address + first * sizeof(float), num * sizeof(float), is_written));
}

// rows x columns values, row by row, of a matrix that lies column by column, or of its transpose.
std::vector<float> Pack(uint64_t matrix, uint64_t ld, bool transposes, uint64_t rows, uint64_t columns) {
  std::vector<float> packed(rows * columns);
  if (transposes) {
    for (uint64_t r = 0; r < rows; ++r) {
      std::copy_n(Reach(matrix, r * ld, columns, false), columns, packed.data() + r * columns);
    }
    return packed;
  }
  for (uint64_t c = 0; c < columns; ++c) {
    const float* const column = Reach(matrix, c * ld, rows, false);
    for (uint64_t r = 0; r < rows; ++r) packed[r * columns + c] = column[r];
  }
  return packed;
}

}  // namespace

void RunGemm(const Gemm& g) {
  if (g.workspace_bytes > 0) {
    std::memset(geeps_fake_address(g.workspace, g.workspace_bytes, true), 0xa5,
                std::min(kPoisonBytes, g.workspace_bytes));
  }
  if (g.m == 0 || g.n == 0) return;
  // Both with k outside, so that the inner loop runs along a column of c.
  const std::vector<float> a = Pack(g.a, g.lda, !g.transposes_a, g.k, g.m);
  const std::vector<float> b = Pack(g.b, g.ldb, !g.transposes_b, g.n, g.k);
  std::vector<float> sums(g.m);
  for (uint64_t j = 0; j < g.n; ++j) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (uint64_t p = 0; p < g.k; ++p) {
      const float factor = b[j * g.k + p];
      const float* const row = a.data() + p * g.m;
      for (uint64_t i = 0; i < g.m; ++i) sums[i] += row[i] * factor;
    }
    if (g.beta != 0) {  // otherwise c may hold anything
      const float* const old = Reach(g.c, j * g.ldc, g.m, false);
      for (uint64_t i = 0; i < g.m; ++i) sums[i] = g.alpha * sums[i] + g.beta * old[i];
    } else {
      for (uint64_t i = 0; i < g.m; ++i) sums[i] *= g.alpha;
    }
    std::copy(sums.begin(), sums.end(), Reach(g.c, j * g.ldc, g.m, true));
  }
}

}  // namespace geeps::fake::cublas
