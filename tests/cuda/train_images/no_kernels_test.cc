// SPDX-License-Identifier: Apache-2.0
// train_images as it is built without nvcc.
#include <doctest/doctest.h>

#include <string>

#include "samples/train_images/cuda/cuda_compute.h"

TEST_CASE("train_images on a GPU: a build without nvcc says so, whether there is a driver or not") {
  geeps::Error err;
  CHECK(train_images::CudaCompute::Open(0, err) == nullptr);
  CHECK(err.status() == GEEPS_E_UNSUPPORTED);
  CHECK(std::string(err.message()) == "this build of train_images has no kernels for CUDA: it was built without nvcc");
}
