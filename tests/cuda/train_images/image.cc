// SPDX-License-Identifier: Apache-2.0
// The image of kernels that the fake driver takes: it runs their bodies and looks at no image.
#include "samples/train_images/cuda/image.h"

namespace train_images::cuda {
namespace {
constexpr unsigned char kImage[] = "kernels of train_images";
}

const unsigned char* const kKernelImage = kImage;

}  // namespace train_images::cuda
