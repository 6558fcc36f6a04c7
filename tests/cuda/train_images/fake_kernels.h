// SPDX-License-Identifier: Apache-2.0
// The kernels of train_images for the fake driver: linked into a test, or as a shared object for the word kernels=PATH.
// Thread contract: before the driver is used.
#ifndef GEEPS_TESTS_CUDA_TRAIN_IMAGES_FAKE_KERNELS_H_
#define GEEPS_TESTS_CUDA_TRAIN_IMAGES_FAKE_KERNELS_H_

namespace geeps::test {

// Makes them known to the driver that this program links.
void AddTrainKernels();

}  // namespace geeps::test

#endif  // GEEPS_TESTS_CUDA_TRAIN_IMAGES_FAKE_KERNELS_H_
