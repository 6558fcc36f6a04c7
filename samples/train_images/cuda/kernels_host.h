// SPDX-License-Identifier: Apache-2.0
// The kernels compiled for the host: what tests run in place of a GPU. Thread contract: the setters before all runs,
// which may be concurrent.
#ifndef SAMPLES_TRAIN_IMAGES_CUDA_KERNELS_HOST_H_
#define SAMPLES_TRAIN_IMAGES_CUDA_KERNELS_HOST_H_

#include <cstdint>

namespace train_images::cuda {

// Where the bytes of a device address lie. nullptr, as at the beginning: the address itself.
using ReachFn = void* (*)(uint64_t address, uint64_t bytes, bool is_written);
void SetReach(ReachFn fn);

// All pieces in ascending order, as at the beginning, or in descending order: a kernel whose result depends on it is
// wrong.
void SetOrder(bool is_descending);

struct HostKernel {
  const char* name;
  uint32_t parameter_bytes;         // of the struct
  void (*run)(const void* kernel);  // all its pieces
};
// The last one has no name.
extern const HostKernel kHostKernels[];

}  // namespace train_images::cuda

#endif  // SAMPLES_TRAIN_IMAGES_CUDA_KERNELS_HOST_H_
