// SPDX-License-Identifier: Apache-2.0
// In a build without nvcc there is no image.
#include "plugins/cuda/launch.h"

namespace geeps::cuda {

const unsigned char* const kKernelImage = nullptr;

}  // namespace geeps::cuda
