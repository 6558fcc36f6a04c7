// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/kernels.h"

#include <cstring>
#include <map>

#include "tests/cuda/fake/kernel_run.h"

#if defined(GEEPS_FAKE_HAS_KERNELS)
#include "plugins/cuda/kernels/kernels_host.h"
#include "plugins/cuda/launch.h"
#endif

namespace geeps::fake {
namespace {

std::map<std::string, geeps_fake_kernel>& TestKernels() {
  static auto* const kernels = new std::map<std::string, geeps_fake_kernel>;
  return *kernels;
}

#if defined(GEEPS_FAKE_HAS_KERNELS)
void* AddressInRun(uint64_t address, uint64_t bytes, bool is_written) {
  return KernelRun::Current()->Access(address, bytes, is_written);
}
#endif

}  // namespace

void AddTestKernel(const std::string& name, geeps_fake_kernel body) { TestKernels()[name] = body; }

bool HasKernel(const std::string& name) {
#if defined(GEEPS_FAKE_HAS_KERNELS)
  for (const char* const* known = cuda::kKernelNames; *known != nullptr; ++known) {
    if (name == *known) return true;
  }
#endif
  return TestKernels().count(name) > 0;
}

void RunKernel(const std::string& name, const KernelShape& shape, const uint8_t* table, uint64_t scratch) {
  const auto it = TestKernels().find(name);
  if (it != TestKernels().end()) {
    it->second(table, scratch, shape.num_blocks, shape.num_threads);
    return;
  }
#if defined(GEEPS_FAKE_HAS_KERNELS)
  cuda::SetHostAddress(&AddressInRun);
  // The table is found already, which is what "_inline" means here.
  void* parameters[] = {const_cast<uint8_t*>(table), &scratch};
  cuda::RunKernelOnHost((name + "_inline").c_str(), shape.num_blocks, shape.num_threads, shape.shared_bytes,
                        parameters);
#endif
}

}  // namespace geeps::fake
