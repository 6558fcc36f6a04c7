// SPDX-License-Identifier: Apache-2.0
// Gemm: a product of matrices on the host, as a kernel of the fake driver. Thread contract: while a kernel runs.
#ifndef GEEPS_TESTS_CUDA_FAKE_CUBLAS_GEMM_H_
#define GEEPS_TESTS_CUDA_FAKE_CUBLAS_GEMM_H_

#include <cstdint>

namespace geeps::fake::cublas {

// c [m, n] = alpha op(a) op(b) + beta c, column by column: ld is the distance of two columns.
struct Gemm {
  bool transposes_a, transposes_b;
  uint64_t m, n, k;
  float alpha, beta;
  uint64_t a, lda;  // addresses of device memory
  uint64_t b, ldb;
  uint64_t c, ldc;
  uint64_t workspace, workspace_bytes;  // the real one may use all of it
};

// Each value is summed from the first product to the last.
void RunGemm(const Gemm& gemm);

}  // namespace geeps::fake::cublas

#endif  // GEEPS_TESTS_CUDA_FAKE_CUBLAS_GEMM_H_
