// SPDX-License-Identifier: Apache-2.0
// The kernels as the driver takes them: a fat binary inside the program. Thread contract: constant.
#ifndef SAMPLES_TRAIN_IMAGES_CUDA_IMAGE_H_
#define SAMPLES_TRAIN_IMAGES_CUDA_IMAGE_H_

namespace train_images::cuda {

// NULL in a build without nvcc.
extern const unsigned char* const kKernelImage;

}  // namespace train_images::cuda

#endif  // SAMPLES_TRAIN_IMAGES_CUDA_IMAGE_H_
