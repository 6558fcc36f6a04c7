// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/launch.h"

extern "C" const unsigned char geeps_cuda_kernels[];  // written by embed.py

namespace geeps::cuda {

const unsigned char* const kKernelImage = geeps_cuda_kernels;

}  // namespace geeps::cuda
