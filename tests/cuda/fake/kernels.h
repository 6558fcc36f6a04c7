// SPDX-License-Identifier: Apache-2.0
// The kernels that the fake driver can launch: those of the plugin, where it was built with them, and those of tests.
// Thread contract: the driver's mutex.
#ifndef GEEPS_TESTS_CUDA_FAKE_KERNELS_H_
#define GEEPS_TESTS_CUDA_FAKE_KERNELS_H_

#include <cstdint>
#include <string>

#include "tests/cuda/fake/fake.h"

namespace geeps::fake {

struct KernelShape {
  uint32_t num_blocks = 0;
  uint32_t num_threads = 0;
  uint32_t shared_bytes = 0;
};

void AddTestKernel(const std::string& name, geeps_fake_kernel body);
bool HasKernel(const std::string& name);
// REQUIRES: HasKernel, a KernelRun is current.
void RunKernel(const std::string& name, const KernelShape& shape, const uint8_t* table, uint64_t scratch);

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_KERNELS_H_
