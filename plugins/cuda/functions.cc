// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/functions.h"

#include <cstring>

#include "plugins/cuda/launch.h"
#include "plugins/cuda/loss.h"

namespace geeps::cuda {
namespace {

// The image holds nothing that this device or this driver runs.
constexpr Result kNoBinaryForGpu = 209;
constexpr Result kInvalidPtx = 218;
constexpr Result kJitCompilerNotFound = 221;
constexpr Result kUnsupportedPtxVersion = 222;
constexpr Result kJitCompilationDisabled = 223;

geeps_status CodeOf(Result result) {
  switch (result) {
    case kNoBinaryForGpu:
    case kInvalidPtx:
    case kJitCompilerNotFound:
    case kUnsupportedPtxVersion:
    case kJitCompilationDisabled:
      return GEEPS_E_UNSUPPORTED;
    case kOutOfMemory:
      return GEEPS_E_NOMEM;
    default:
      return GEEPS_E_DEVICE;
  }
}

}  // namespace

void Functions::Unload() {
  if (module_ != nullptr) driver_.ModuleUnload(module_);
  module_ = nullptr;
}

Status Functions::Load(const std::string& device_text) {
  Result result = driver_.ModuleLoadData(&module_, kKernelImage);
  if (result != kSuccess) {
    module_ = nullptr;
    return Status(
        CodeOf(result),
        Text("the kernels cannot be loaded into ", device_text, ": cuModuleLoadData: ", ResultText(driver_, result)),
        result);
  }
  for (const char* const* name = kKernelNames; *name != nullptr; ++name) {
    Pair pair;
    pair.name = *name;
    const std::string inline_name = Text(*name, "_inline");
    result = driver_.ModuleGetFunction(&pair.with_table_address, module_, *name);
    if (result == kSuccess) result = driver_.ModuleGetFunction(&pair.with_table_inline, module_, inline_name.c_str());
    if (result != kSuccess) {
      return Status(CodeOf(result),
                    Text("kernel ", *name, " or ", inline_name, " cannot be had from ", device_text,
                         ": cuModuleGetFunction: ", ResultText(driver_, result)),
                    result);
    }
    pairs_.push_back(pair);
  }
  return Status();
}

const Functions::Pair* Functions::Find(const char* name) const {
  for (const Pair& pair : pairs_) {
    if (pair.name == name || std::strcmp(pair.name, name) == 0) return &pair;
  }
  return nullptr;
}

}  // namespace geeps::cuda
