// SPDX-License-Identifier: Apache-2.0
// The image of kernels that the fake driver takes: it runs their bodies and looks at no image.
#include "plugins/cuda/launch.h"

namespace geeps::cuda {
namespace {
constexpr unsigned char kImage[] = "kernels of the fake driver";
}

const unsigned char* const kKernelImage = kImage;

}  // namespace geeps::cuda
