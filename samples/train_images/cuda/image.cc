// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/cuda/image.h"

extern "C" const unsigned char train_images_kernels[];  // written by embed.py

namespace train_images::cuda {

const unsigned char* const kKernelImage = train_images_kernels;

}  // namespace train_images::cuda
