// SPDX-License-Identifier: Apache-2.0
// In a build without nvcc there is no image.
#include "samples/train_images/cuda/image.h"

namespace train_images::cuda {

const unsigned char* const kKernelImage = nullptr;

}  // namespace train_images::cuda
