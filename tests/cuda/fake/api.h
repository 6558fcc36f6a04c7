// SPDX-License-Identifier: Apache-2.0
// The functions of libcuda that the fake driver exports: exactly those of plugins/cuda/driver.h, under the driver's
// names, with the types written there. Thread contract: any thread.
#ifndef GEEPS_TESTS_CUDA_FAKE_API_H_
#define GEEPS_TESTS_CUDA_FAKE_API_H_

#include "plugins/cuda/driver.h"

namespace geeps::fake::api {

using cuda::Context;
using cuda::DeviceOrdinal;
using cuda::DevicePointer;
using cuda::Function;
using cuda::HostFunction;
using cuda::Module;
using cuda::NativeEvent;
using cuda::NativeStream;
using cuda::Result;

#define GEEPS_FAKE_DECLARE(member, exported, parameters) \
  extern "C" __attribute__((visibility("default"))) Result Fake##member parameters __asm__(exported);
GEEPS_CUDA_FUNCTIONS(GEEPS_FAKE_DECLARE)
#undef GEEPS_FAKE_DECLARE

}  // namespace geeps::fake::api

#endif  // GEEPS_TESTS_CUDA_FAKE_API_H_
