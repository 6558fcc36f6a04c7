// SPDX-License-Identifier: Apache-2.0
// What the module exports: the descriptor. Thread contract: as include/geeps_plugin.h.
#include <cstring>

#include "geeps_device.h"
#include "plugins/cuda/table.h"

namespace {

const void* GetInterface(const char* id) {
  return id != nullptr && std::strcmp(id, GEEPS_DEVICE_ID) == 0 ? geeps::cuda::DeviceTable() : nullptr;
}

// GEEPS_CUDA_KERNELS_TEXT: which kernels are in it, "kernels by nvcc 13.0 for sm_75 .., PTX"
constexpr geeps_plugin kPlugin = {
    sizeof(geeps_plugin), GEEPS_PLUGIN_ABI, "cuda",
    GEEPS_CUDA_VERSION,   "Apache-2.0",     "C++ " __VERSION__ ", " GEEPS_CUDA_KERNELS_TEXT,
    GetInterface,
};

}  // namespace

extern "C" const geeps_plugin* GEEPS_PLUGIN_QUERY(uint32_t) { return &kPlugin; }
