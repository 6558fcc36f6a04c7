// SPDX-License-Identifier: Apache-2.0
// Exported functions: modules and launches.
#include <cstring>

#include "plugins/cuda/launch.h"
#include "tests/cuda/fake/api.h"
#include "tests/cuda/fake/driver.h"
#include "tests/cuda/fake/kernel_run.h"
#include "tests/cuda/fake/kernels.h"

namespace geeps::fake::api {
namespace {

using cuda::kInlineTableBytes;
using cuda::kInvalidHandle;
using cuda::kInvalidValue;
using cuda::kSuccess;

constexpr uint32_t kMostThreads = 1024;          // of a block
constexpr uint32_t kMostSharedBytes = 48 << 10;  // that a kernel gets without asking
constexpr char kInlineSuffix[] = "_inline";

// The parameters as they were when the launch was made.
struct Parameters {
  uint64_t table = 0;                 // in device memory
  std::vector<uint8_t> inline_table;  // or by value
  uint64_t scratch = 0;
};

Result RunLaunch(const Op& op, const std::string& kernel, const KernelShape& shape, const Parameters& parameters) {
  Driver& driver = Driver::The();
  driver.counters.Count("launches");
  KernelRun run(&driver, op);
  const uint8_t* table = parameters.inline_table.data();
  if (parameters.inline_table.empty()) {
    // How much of it the kernel reads, it alone knows.
    const Region* const region = driver.memory.Find(parameters.table);
    table = run.Access(parameters.table, region != nullptr ? region->bytes.end() - parameters.table : 1, false);
    if (region == nullptr) return run.Finish();
  }
  RunKernel(kernel, shape, table, parameters.scratch);
  const Result result = run.Finish();
  driver.ForgetOldAccesses();
  return result;
}

// The same for a program's kernel, whose parameters lie one behind the other, each at a multiple of 16 bytes.
struct ProgramParameters {
  std::vector<uint8_t> bytes;
  std::vector<size_t> places;
};

ProgramParameters CopyParameters(const ProgramKernel& kernel, void* const* parameters) {
  ProgramParameters copied;
  for (size_t i = 0; i < kernel.parameter_bytes.size(); ++i) {
    const auto* const value = static_cast<const uint8_t*>(parameters[i]);
    copied.places.push_back(copied.bytes.size());
    copied.bytes.insert(copied.bytes.end(), value, value + kernel.parameter_bytes[i]);
    copied.bytes.resize((copied.bytes.size() + 15) / 16 * 16);
  }
  return copied;
}

Result RunProgramLaunch(const Op& op, const ProgramKernel& kernel, const KernelShape& shape,
                        const ProgramParameters& copied) {
  Driver& driver = Driver::The();
  driver.counters.Count("launches");
  KernelRun run(&driver, op);
  std::vector<uint8_t> bytes = copied.bytes;
  std::vector<void*> parameters;
  for (const size_t place : copied.places) parameters.push_back(bytes.data() + place);
  kernel.body(parameters.data(), shape.num_blocks, shape.num_threads);
  const Result result = run.Finish();
  driver.ForgetOldAccesses();
  return result;
}

}  // namespace

Result FakeModuleLoadData(Module* module, const void* image) {
  Call call("cuModuleLoadData", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  if (image == nullptr) return call.Finding(kInvalidValue, "the image is NULL");
  const uint64_t handle = (uint64_t{2} << 40) + ++call->last_handle;
  call->modules[handle] = {call.context()};
  ++call.context()->num_modules;
  *module = HandleOf<Module>(handle);
  return kSuccess;
}

Result FakeModuleUnload(Module module) {
  Call call("cuModuleUnload", Call::kContext);
  if (call.context() == nullptr) return call.result();
  const uint64_t handle = NumberOf(module);
  const auto it = call->modules.find(handle);
  if (it == call->modules.end()) return call.Finding(kInvalidHandle, "module ", handle, " is not there");
  --it->second.context->num_modules;
  call->modules.erase(it);
  std::erase_if(call->functions, [handle](const auto& entry) { return entry.second.module == handle; });
  return call.result();
}

Result FakeModuleGetFunction(Function* function, Module module, const char* name) {
  Call call("cuModuleGetFunction", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  if (call->modules.count(NumberOf(module)) == 0) {
    return call.Finding(kInvalidHandle, "module ", NumberOf(module), " is not there");
  }
  std::string kernel = name;
  if (kernel.ends_with(kInlineSuffix)) kernel.resize(kernel.size() - (sizeof(kInlineSuffix) - 1));
  if (!HasKernel(kernel)) return kNotFound;
  const uint64_t handle = (uint64_t{3} << 40) + ++call->last_handle;
  call->functions[handle] = {NumberOf(module), call.context(), name};
  *function = HandleOf<Function>(handle);
  return kSuccess;
}

Result FakeLaunchKernel(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared_bytes, NativeStream native,
                        void** parameters, void** extra) {
  Call call("cuLaunchKernel", Call::kContext);
  if (call.result() != kSuccess) return call.result();
  Stream* const stream = call->FindStream(native, call.context(), call.name());
  const auto it = call->functions.find(NumberOf(function));
  if (stream == nullptr) return kInvalidHandle;
  if (it == call->functions.end() || it->second.context != call.context()) {
    return call.Finding(kInvalidHandle, "function ", NumberOf(function), " is not there, or of another context");
  }
  if (grid_x == 0 || grid_x > INT32_MAX || block_x == 0 || block_x > kMostThreads ||
      (grid_y & grid_z & block_y & block_z) != 1 || shared_bytes > kMostSharedBytes || extra != nullptr) {
    return call.Finding(kInvalidValue, it->second.name, " with grid ", grid_x, " ", grid_y, " ", grid_z, ", block ",
                        block_x, " ", block_y, " ", block_z, ", ", shared_bytes, " bytes shared");
  }
  std::string kernel = it->second.name;
  const KernelShape shape = {grid_x, block_x, shared_bytes};
  if (const ProgramKernel* const of_program = FindProgramKernel(kernel); of_program != nullptr) {
    Op op;
    op.work = [of_program, shape, copied = CopyParameters(*of_program, parameters)](const Op& run) {
      return RunProgramLaunch(run, *of_program, shape, copied);
    };
    call->engine->Append(stream, Text("kernel ", kernel), std::move(op));
    return kSuccess;
  }
  const bool is_inline = kernel.ends_with(kInlineSuffix);
  Parameters copied;
  if (is_inline) {
    kernel.resize(kernel.size() - (sizeof(kInlineSuffix) - 1));
    const auto* const table = static_cast<const uint8_t*>(parameters[0]);
    copied.inline_table.assign(table, table + kInlineTableBytes);
  } else {
    std::memcpy(&copied.table, parameters[0], sizeof(copied.table));
  }
  std::memcpy(&copied.scratch, parameters[1], sizeof(copied.scratch));
  Op op;
  std::string text = Text("kernel ", kernel);
  op.work = [kernel = std::move(kernel), shape, copied = std::move(copied)](const Op& run) {
    return RunLaunch(run, kernel, shape, copied);
  };
  call->engine->Append(stream, std::move(text), std::move(op));
  return kSuccess;
}

}  // namespace geeps::fake::api
