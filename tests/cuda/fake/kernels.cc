// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/kernels.h"

#include <dlfcn.h>

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

std::map<std::string, ProgramKernel>& ProgramKernels() {
  static auto* const kernels = new std::map<std::string, ProgramKernel>;
  return *kernels;
}

#if defined(GEEPS_FAKE_HAS_KERNELS)
void* AddressInRun(uint64_t address, uint64_t bytes, bool is_written) {
  return KernelRun::Current()->Access(address, bytes, is_written);
}
#endif

}  // namespace

void AddTestKernel(const std::string& name, geeps_fake_kernel body) { TestKernels()[name] = body; }

void AddProgramKernel(const geeps_fake_program_kernel& kernel) {
  const uint32_t* const bytes = kernel.parameter_bytes;
  ProgramKernels()[kernel.name] = {{bytes, bytes + kernel.num_parameters}, kernel.body};
}

const ProgramKernel* FindProgramKernel(const std::string& name) {
  const auto it = ProgramKernels().find(name);
  return it != ProgramKernels().end() ? &it->second : nullptr;
}

std::string LoadProgramKernels(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::string("GEEPS_FAKE_CUDA: kernels=") + path + ": " + dlerror();
  void* const symbol = dlsym(library, GEEPS_FAKE_LIST_KERNELS);
  if (symbol == nullptr) return "GEEPS_FAKE_CUDA: kernels=" + path + ": no function " GEEPS_FAKE_LIST_KERNELS;
  geeps_fake_list_kernels_fn list = nullptr;
  std::memcpy(&list, &symbol, sizeof list);
  for (uint32_t i = 0; list(i) != nullptr; ++i) AddProgramKernel(*list(i));
  return "";
}

bool HasKernel(const std::string& name) {
#if defined(GEEPS_FAKE_HAS_KERNELS)
  for (const char* const* known = cuda::kKernelNames; *known != nullptr; ++known) {
    if (name == *known) return true;
  }
#endif
  return TestKernels().count(name) > 0 || FindProgramKernel(name) != nullptr;
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
