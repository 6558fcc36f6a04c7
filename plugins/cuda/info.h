// SPDX-License-Identifier: Apache-2.0
// What the driver tells about its devices, as geeps_dev_info. Thread contract: pure functions but for the driver.
#ifndef GEEPS_PLUGINS_CUDA_INFO_H_
#define GEEPS_PLUGINS_CUDA_INFO_H_

#include <string>

#include "geeps_device.h"
#include "plugins/cuda/driver.h"
#include "plugins/cuda/status.h"

namespace geeps::cuda {

// The first device generation that the kernels are built for.
inline constexpr int kComputeMajorLeast = 7;
inline constexpr int kComputeMinorLeast = 5;

struct DeviceFacts {
  geeps_dev_info info = {};  // its sizes are those of the whole device, nothing is used
  DeviceOrdinal ordinal = 0;
  int compute_major = 0;
  int compute_minor = 0;

  // "device 0 (NVIDIA H100)"
  std::string Name() const { return Text("device ", info.device_id, " (", info.name, ")"); }
};

// Errors: NOT_FOUND, with the sentence of Driver::Open, DEVICE.
Status CountDevices(const Driver** driver, int* num);

// Device `number` of the driver's list. Errors: DEVICE.
Status ReadFacts(const Driver& driver, int number, DeviceFacts* out);

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_INFO_H_
