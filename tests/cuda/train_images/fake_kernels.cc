// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/train_images/fake_kernels.h"

#include <array>

#include "samples/train_images/cuda/kernels_host.h"
#include "tests/cuda/fake/fake.h"

namespace {

using train_images::cuda::HostKernel;
using train_images::cuda::kHostKernels;

constexpr uint32_t kMostKernels = 32;

void* ReachInRun(uint64_t address, uint64_t bytes, bool is_written) {
  return geeps_fake_address(address, bytes, is_written);
}

// The fake driver gives a body no word of which kernel it is, so each kernel has its own.
template <uint32_t kIndex>
void Run(void* const* parameters, uint32_t, uint32_t) {
  kHostKernels[kIndex].run(parameters[0]);
}

template <uint32_t... kIndices>
constexpr auto AllBodies(std::integer_sequence<uint32_t, kIndices...>) {
  return std::array<decltype(geeps_fake_program_kernel::body), sizeof...(kIndices)>{&Run<kIndices>...};
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const geeps_fake_program_kernel* geeps_fake_list_kernels(
    uint32_t index) {
  static constexpr auto kBodies = AllBodies(std::make_integer_sequence<uint32_t, kMostKernels>());
  static geeps_fake_program_kernel listed[kMostKernels];
  train_images::cuda::SetReach(&ReachInRun);
  const HostKernel& kernel = kHostKernels[index];
  if (kernel.name == nullptr) return nullptr;
  listed[index] = {kernel.name, &kernel.parameter_bytes, 1, kBodies[index]};
  return &listed[index];
}

namespace geeps::test {

void AddTrainKernels() {
  for (uint32_t i = 0; geeps_fake_list_kernels(i) != nullptr; ++i) {
    geeps_fake_add_program_kernel(geeps_fake_list_kernels(i));
  }
}

}  // namespace geeps::test
