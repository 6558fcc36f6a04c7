// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/driver.h"

#include <dlfcn.h>

#include <cstring>

#include "plugins/cuda/loss.h"
#include "plugins/cuda/status.h"

namespace geeps::cuda {
namespace {

constexpr const char* kLibrary = "libcuda.so.1";
constexpr int kVersionLeast = 12000;
// The first driver of CUDA 12.0 for Linux; CUDA Toolkit release notes, table "CUDA Toolkit and Corresponding Driver
// Versions".
constexpr const char* kDriverLeast = "525.60.13";

std::string VersionText(int version) { return Text(version / 1000, ".", version % 1000 / 10); }

// The sentence about a driver that cannot be used.
template <typename... Parts>
std::string NoDriver(const Parts&... parts) {
  return Text(parts...);
}

std::string WithoutFunction(const char* exported) {
  return NoDriver(kLibrary, " has no function ", exported, ": the NVIDIA driver is older than CUDA ",
                  VersionText(kVersionLeast), "; install version ", kDriverLeast, " or later of the driver");
}

// "" when every function was found.
std::string FindFunctions(void* library, Driver* driver) {
  const auto find = [library](const char* exported, void* member) {
    void* const function = dlsym(library, exported);
    std::memcpy(member, &function, sizeof(function));
    return function != nullptr;
  };
#define GEEPS_CUDA_FIND(member, exported, parameters) \
  if (!find(exported, &driver->member)) return WithoutFunction(exported);
  GEEPS_CUDA_FUNCTIONS(GEEPS_CUDA_FIND)
#undef GEEPS_CUDA_FIND
  return "";
}

// "" when the driver is new enough, initialized, and has a device.
std::string Initialize(Driver* driver) {
  if (const Result result = driver->DriverGetVersion(&driver->version); result != kSuccess) {
    return NoDriver("the NVIDIA driver does not tell its version: cuDriverGetVersion: ", ResultText(*driver, result));
  }
  const std::string version = VersionText(driver->version);
  if (driver->version < kVersionLeast) {
    return NoDriver("the NVIDIA driver supports CUDA ", version, ", ", VersionText(kVersionLeast),
                    " is needed: install version ", kDriverLeast, " or later of the driver");
  }
  std::string no_device = Text("the NVIDIA driver (CUDA ", version,
                               ") finds no device: is there a GPU, is its device file "
                               "(/dev/nvidia0 ..) accessible, does CUDA_VISIBLE_DEVICES hide it?");
  const Result result = driver->Init(0);
  if (result == kNoDevice) return no_device;
  if (result != kSuccess) {
    return NoDriver("the NVIDIA driver (CUDA ", version,
                    ") cannot be initialized: cuInit: ", ResultText(*driver, result));
  }
  int num_devices = 0;
  if (const Result counted = driver->DeviceGetCount(&num_devices); counted != kSuccess) {
    return NoDriver("the NVIDIA driver (CUDA ", version,
                    ") does not count its devices: cuDeviceGetCount: ", ResultText(*driver, counted));
  }
  return num_devices > 0 ? "" : no_device;
}

struct Opened {
  Driver driver;
  std::string why;  // "": usable
};

Opened OpenNow() {
  Opened opened;
  // Local: an embedder's own use of the driver is not touched. Never closed: its threads run until the process ends.
  void* const library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const error = dlerror();
    opened.why = NoDriver("no NVIDIA driver: ", error != nullptr ? error : kLibrary,
                          "; install the NVIDIA driver, version ", kDriverLeast, " or later");
    return opened;
  }
  opened.why = FindFunctions(library, &opened.driver);
  if (opened.why.empty()) opened.why = Initialize(&opened.driver);
  return opened;
}

}  // namespace

const Driver* Driver::Open(std::string* why) {
  // On the heap for ever: devices may still be used while the process's destructors run.
  static const Opened* const opened = new Opened(OpenNow());
  if (opened->why.empty()) return &opened->driver;
  *why = opened->why;
  return nullptr;
}

}  // namespace geeps::cuda
