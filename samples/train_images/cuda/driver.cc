// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/cuda/driver.h"

#include <dlfcn.h>

#include <cstring>

namespace train_images::cuda {
namespace {

constexpr const char* kDriverLibrary = "libcuda.so.1";
constexpr int kVersionLeast = 12000;

std::string VersionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// False: the library has no such function.
template <typename Member>
bool Find(void* library, const char* exported, Member* member) {
  void* const function = dlsym(library, exported);
  std::memcpy(member, &function, sizeof function);
  return function != nullptr;
}

}  // namespace

std::string Driver::Open() {
  void* const library = dlopen(kDriverLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::string("no NVIDIA driver: ") + dlerror();
#define TRAIN_IMAGES_FIND(member, exported, parameters) \
  if (!Find(library, exported, &member)) return std::string(kDriverLibrary) + " has no function " exported;
  TRAIN_IMAGES_DRIVER(TRAIN_IMAGES_FIND)
#undef TRAIN_IMAGES_FIND
  Result result = DriverGetVersion(&version);
  if (result == kSuccess && version < kVersionLeast) {
    return "the NVIDIA driver supports CUDA " + VersionText(version) + ", " + VersionText(kVersionLeast) + " is needed";
  }
  if (result == kSuccess) result = Init(0);
  return result == kSuccess ? "" : "the NVIDIA driver cannot be initialized: " + NameOf(result);
}

std::string Driver::NameOf(Result result) const {
  const char* name = nullptr;
  if (GetErrorName(result, &name) == kSuccess && name != nullptr) return name;
  return "CUDA error " + std::to_string(result);
}

std::vector<std::string> Cublas::NamesFor(int driver_version) {
  std::vector<std::string> names;
  for (int major = driver_version / 1000; major >= kVersionLeast / 1000; --major) {
    const std::string name = "libcublas.so." + std::to_string(major);
    names.push_back(name);
    names.push_back("/usr/local/cuda/lib64/" + name);  // where the toolkit puts it, known to the linker or not
  }
  return names;
}

std::string Cublas::Open(const std::vector<std::string>& names) {
  void* library = nullptr;
  std::string tried, found;
  for (const std::string& name : names) {
    if (library == nullptr) library = dlopen((found = name).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (name.find('/') == std::string::npos) tried += (tried.empty() ? "" : " and ") + name;
  }
  if (library == nullptr) {
    return "no cuBLAS: " + tried + " cannot be opened (" + dlerror() +
           "); install the CUDA Toolkit's cuBLAS or name its folder in LD_LIBRARY_PATH";
  }
#define TRAIN_IMAGES_FIND(member, exported, parameters) \
  if (!Find(library, exported, &member)) return found + " has no function " exported;
  TRAIN_IMAGES_CUBLAS(TRAIN_IMAGES_FIND)
#undef TRAIN_IMAGES_FIND
  return "";
}

std::string Cublas::NameOf(BlasStatus status) {
  switch (status) {
    case 1:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case 3:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case 7:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case 8:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case 11:
      return "CUBLAS_STATUS_MAPPING_ERROR";
    case 13:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case 14:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case 15:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "cuBLAS status " + std::to_string(status);
  }
}

}  // namespace train_images::cuda
