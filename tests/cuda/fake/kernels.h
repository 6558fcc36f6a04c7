// SPDX-License-Identifier: Apache-2.0
// The kernels that the fake driver can launch: those of the plugin, where it was built with them, those of tests, and
// those of programs, which have parameters of any number and size.
// Thread contract: the driver's mutex.
#ifndef GEEPS_TESTS_CUDA_FAKE_KERNELS_H_
#define GEEPS_TESTS_CUDA_FAKE_KERNELS_H_

#include <cstdint>
#include <string>
#include <vector>

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

struct ProgramKernel {
  std::vector<uint32_t> parameter_bytes;
  void (*body)(void* const* parameters, uint32_t num_blocks, uint32_t num_threads) = nullptr;
};
void AddProgramKernel(const geeps_fake_program_kernel& kernel);
// nullptr: there is none of this name.
const ProgramKernel* FindProgramKernel(const std::string& name);
// Those of a shared object. "" or a sentence.
std::string LoadProgramKernels(const std::string& path);

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_KERNELS_H_
