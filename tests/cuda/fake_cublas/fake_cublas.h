// SPDX-License-Identifier: Apache-2.0
// What the fake cuBLAS exports: the functions of samples/train_images/cuda/driver.h, by cuBLAS's names and with the
// types written there. A product is a kernel of the fake driver (tests/cuda/fake), in the order of the handle's stream,
// so that schedules and races see what it reads and writes; wrong use is a finding of the driver. Thread contract: any
// thread.
#ifndef GEEPS_TESTS_CUDA_FAKE_CUBLAS_FAKE_CUBLAS_H_
#define GEEPS_TESTS_CUDA_FAKE_CUBLAS_FAKE_CUBLAS_H_

#include <cstdint>

#include "samples/train_images/cuda/driver.h"

namespace geeps::fake::cublas {

using train_images::cuda::BlasHandle;
using train_images::cuda::BlasStatus;
using train_images::cuda::Stream;

#define GEEPS_FAKE_CUBLAS_DECLARE(member, exported, parameters) \
  extern "C" __attribute__((visibility("default"))) BlasStatus FakeBlas##member parameters __asm__(exported);
TRAIN_IMAGES_CUBLAS(GEEPS_FAKE_CUBLAS_DECLARE)
#undef GEEPS_FAKE_CUBLAS_DECLARE

}  // namespace geeps::fake::cublas

// The number of handles that live.
extern "C" __attribute__((visibility("default"))) uint64_t geeps_fake_cublas_living();

#endif  // GEEPS_TESTS_CUDA_FAKE_CUBLAS_FAKE_CUBLAS_H_
