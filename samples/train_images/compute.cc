// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/compute.h"

#include "samples/train_images/cuda/cuda_compute.h"
#include "samples/train_images/host_compute.h"

namespace train_images {

std::unique_ptr<Compute> MakeCompute(const geeps::Runtime& rt, geeps::Error& err) {
  const geeps_info info = rt.info(err);
  if (!err.ok()) return nullptr;
  if (info.mem_kind == GEEPS_MEM_CUDA) return CudaCompute::Open(info.device_id, err);
  return std::make_unique<HostCompute>(err);
}

}  // namespace train_images
