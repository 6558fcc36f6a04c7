// SPDX-License-Identifier: Apache-2.0
// A libcuda.so.1 that can tell about itself and its devices and nothing else: every other function answers
// CUDA_ERROR_NOT_SUPPORTED. GEEPS_STUB_CUDA = "version=12000 init=0 count=1 compute=90" says what it tells.
// Thread contract: any thread.
#include <cstdlib>
#include <cstring>

#include "plugins/cuda/driver.h"

namespace geeps::cuda {
namespace {

constexpr Result kNotSupported = 801;
constexpr Result kUnknown = 999;

// What stands behind `name=` in the variable.
int Told(const char* name, int otherwise) {
  const char* const words = std::getenv("GEEPS_STUB_CUDA");
  const char* const found = words != nullptr ? std::strstr(words, name) : nullptr;
  return found != nullptr ? std::atoi(found + std::strlen(name)) : otherwise;
}

}  // namespace

// The exported names, given to functions of other names so that they can be declared from the table.
#define GEEPS_STUB_DECLARE(member, exported, parameters) \
  extern "C" __attribute__((visibility("default"))) Result Stub##member parameters __asm__(exported);
GEEPS_CUDA_FUNCTIONS(GEEPS_STUB_DECLARE)

Result StubInit(unsigned) { return Told("init=", 0); }
Result StubDriverGetVersion(int* version) {
  *version = Told("version=", 12000);
  return kSuccess;
}
Result StubGetErrorName(Result result, const char** name) {
  *name = result == kUnknown ? "CUDA_ERROR_UNKNOWN" : "CUDA_ERROR_OF_A_STUB";
  return kSuccess;
}
Result StubGetErrorString(Result, const char** text) {
  *text = "unknown error";
  return kSuccess;
}
Result StubDeviceGetCount(int* count) {
  *count = Told("count=", 1);
  return kSuccess;
}
Result StubDeviceGet(DeviceOrdinal* device, int ordinal) {
  *device = ordinal;
  return kSuccess;
}
Result StubDeviceGetName(char* name, int size, DeviceOrdinal) {
  std::strncpy(name, "Stub", static_cast<size_t>(size));
  return kSuccess;
}
Result StubDeviceGetAttribute(int* value, int attribute, DeviceOrdinal) {
  const int compute = Told("compute=", 90);
  *value = attribute == kAttributeComputeMajor ? compute / 10 : attribute == kAttributeComputeMinor ? compute % 10 : 0;
  return kSuccess;
}
Result StubDeviceTotalMem(size_t* bytes, DeviceOrdinal) {
  *bytes = size_t{1} << 30;
  return kSuccess;
}

// The rest.
Result StubDevicePrimaryCtxRetain(Context*, DeviceOrdinal) { return kNotSupported; }
Result StubDevicePrimaryCtxRelease(DeviceOrdinal) { return kNotSupported; }
Result StubCtxPushCurrent(Context) { return kNotSupported; }
Result StubCtxPopCurrent(Context*) { return kNotSupported; }
Result StubMemGetInfo(size_t*, size_t*) { return kNotSupported; }
Result StubMemAlloc(DevicePointer*, size_t) { return kNotSupported; }
Result StubMemFree(DevicePointer) { return kNotSupported; }
Result StubMemHostAlloc(void**, size_t, unsigned) { return kNotSupported; }
Result StubMemFreeHost(void*) { return kNotSupported; }
Result StubStreamCreate(NativeStream*, unsigned) { return kNotSupported; }
Result StubStreamDestroy(NativeStream) { return kNotSupported; }
Result StubStreamWaitEvent(NativeStream, NativeEvent, unsigned) { return kNotSupported; }
Result StubStreamQuery(NativeStream) { return kNotSupported; }
Result StubStreamSynchronize(NativeStream) { return kNotSupported; }
Result StubEventCreate(NativeEvent*, unsigned) { return kNotSupported; }
Result StubEventDestroy(NativeEvent) { return kNotSupported; }
Result StubEventRecord(NativeEvent, NativeStream) { return kNotSupported; }
Result StubEventQuery(NativeEvent) { return kNotSupported; }
Result StubEventSynchronize(NativeEvent) { return kNotSupported; }
Result StubLaunchHostFunc(NativeStream, HostFunction, void*) { return kNotSupported; }
Result StubMemcpyAsync(DevicePointer, DevicePointer, size_t, NativeStream) { return kNotSupported; }
Result StubMemsetD8Async(DevicePointer, unsigned char, size_t, NativeStream) { return kNotSupported; }
Result StubModuleLoadData(Module*, const void*) { return kNotSupported; }
Result StubModuleUnload(Module) { return kNotSupported; }
Result StubModuleGetFunction(Function*, Module, const char*) { return kNotSupported; }
Result StubLaunchKernel(Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, NativeStream,
                        void**, void**) {
  return kNotSupported;
}

}  // namespace geeps::cuda
