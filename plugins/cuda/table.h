// SPDX-License-Identifier: Apache-2.0
// The table of functions "geeps.device/1" of this plugin. Thread contract: as include/geeps_device.h.
#ifndef GEEPS_PLUGINS_CUDA_TABLE_H_
#define GEEPS_PLUGINS_CUDA_TABLE_H_

#include "geeps_device.h"

namespace geeps::cuda {

const geeps_device* DeviceTable();

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_TABLE_H_
