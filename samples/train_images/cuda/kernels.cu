// SPDX-License-Identifier: Apache-2.0
// The kernels as the device knows them: each struct of kernels.h, whose pieces the threads of the grid share.
#include "samples/train_images/cuda/kernels.h"

namespace train_images::cuda {

#define TRAIN_IMAGES_GLOBAL(Kernel, name)                                                              \
  extern "C" __global__ void __launch_bounds__(256) name(const __grid_constant__ Kernel kernel) {      \
    const uint32_t step = gridDim.x * blockDim.x;                                                      \
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < kernel.num; i += step) kernel.Run(i); \
  }
TRAIN_IMAGES_KERNELS(TRAIN_IMAGES_GLOBAL)

}  // namespace train_images::cuda
