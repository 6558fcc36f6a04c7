// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/launch.h"

#include "plugins/cuda/kernels/kernel_list.h"

namespace geeps::cuda {

#define GEEPS_CUDA_KERNEL_NAME(Kernel) Kernel::kName,
const char* const kKernelNames[] = {GEEPS_CUDA_KERNELS(GEEPS_CUDA_KERNEL_NAME) nullptr};
#undef GEEPS_CUDA_KERNEL_NAME

void LaunchSet::Clear() {
  table.clear();
  launches.clear();
  scratch_bytes = 0;
}

}  // namespace geeps::cuda
