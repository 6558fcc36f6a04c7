// SPDX-License-Identifier: Apache-2.0
// Exported functions: the driver, its devices, contexts.
#include <cstdio>
#include <cstring>

#include "tests/cuda/fake/api.h"
#include "tests/cuda/fake/driver.h"
#include "tests/cuda/fake/trap.h"

namespace geeps::fake::api {
namespace {

using cuda::kInvalidContext;
using cuda::kInvalidValue;
using cuda::kNoDevice;
using cuda::kOutOfMemory;
using cuda::kSuccess;

struct NamedResult {
  Result result;
  const char* name;
  const char* text;
};
constexpr NamedResult kResults[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {800, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const NamedResult* FindResult(Result result) {
  for (const NamedResult& named : kResults) {
    if (named.result == result) return &named;
  }
  return nullptr;
}

// False: the ordinal is wrong.
bool IsDevice(const Call& call, int device) { return device >= 0 && device < call->config.num_devices; }

}  // namespace

Result FakeInit(unsigned flags) {
  Call call("cuInit", Call::kNothing);
  if (call.result() != kSuccess) return call.result();
  if (flags != 0) return call.Finding(kInvalidValue, "flags ", flags);
  if (call->config.num_devices == 0) return kNoDevice;
  if (!call->is_initialized) {
    if (!call->memory.Reserve()) return kOutOfMemory;
    call->engine = std::make_unique<Engine>(&call->counters);
    call->engine->Configure(call->config);
    call->is_initialized = true;
  }
  return kSuccess;
}

Result FakeDriverGetVersion(int* version) {
  Call call("cuDriverGetVersion", Call::kNothing);
  if (call.result() == kSuccess) *version = call->config.version;
  return call.result();
}

Result FakeGetErrorName(Result result, const char** name) {
  const NamedResult* const named = FindResult(result);
  *name = named != nullptr ? named->name : nullptr;
  return named != nullptr ? kSuccess : kInvalidValue;
}

Result FakeGetErrorString(Result result, const char** text) {
  const NamedResult* const named = FindResult(result);
  *text = named != nullptr ? named->text : nullptr;
  return named != nullptr ? kSuccess : kInvalidValue;
}

Result FakeDeviceGetCount(int* count) {
  Call call("cuDeviceGetCount", Call::kInitialized);
  if (call.result() == kSuccess) *count = call->config.num_devices;
  return call.result();
}

Result FakeDeviceGet(DeviceOrdinal* device, int ordinal) {
  Call call("cuDeviceGet", Call::kInitialized);
  if (call.result() != kSuccess) return call.result();
  if (!IsDevice(call, ordinal)) return kInvalidDevice;
  *device = ordinal;
  return kSuccess;
}

Result FakeDeviceGetName(char* name, int size, DeviceOrdinal device) {
  Call call("cuDeviceGetName", Call::kInitialized);
  if (call.result() != kSuccess) return call.result();
  if (!IsDevice(call, device)) return kInvalidDevice;
  if (size <= 0) return call.Finding(kInvalidValue, "room for ", size, " bytes");
  std::snprintf(name, static_cast<size_t>(size), "Fake GPU");
  return kSuccess;
}

Result FakeDeviceGetAttribute(int* value, int attribute, DeviceOrdinal device) {
  Call call("cuDeviceGetAttribute", Call::kInitialized);
  if (call.result() != kSuccess) return call.result();
  if (!IsDevice(call, device)) return kInvalidDevice;
  switch (attribute) {
    case cuda::kAttributeMultiprocessors:
      *value = 8;
      return kSuccess;
    case cuda::kAttributeMemoryClockKHz:
      *value = 1000000;
      return kSuccess;
    case cuda::kAttributeMemoryBusBits:
      *value = 512;
      return kSuccess;
    case cuda::kAttributeComputeMajor:
      *value = call->config.compute_major;
      return kSuccess;
    case cuda::kAttributeComputeMinor:
      *value = call->config.compute_minor;
      return kSuccess;
    default:
      return call.Finding(kInvalidValue, "the fake knows no attribute ", attribute);
  }
}

Result FakeDeviceTotalMem(size_t* bytes, DeviceOrdinal device) {
  Call call("cuDeviceTotalMem_v2", Call::kInitialized);
  if (call.result() != kSuccess) return call.result();
  if (!IsDevice(call, device)) return kInvalidDevice;
  *bytes = call->config.memory_bytes;
  return kSuccess;
}

Result FakeDevicePrimaryCtxRetain(Context* context, DeviceOrdinal device) {
  Call call("cuDevicePrimaryCtxRetain", Call::kInitialized);
  if (call.result() != kSuccess) return call.result();
  if (!IsDevice(call, device)) return kInvalidDevice;
  auto*& primary = call->primaries[static_cast<size_t>(device)];
  if (primary == nullptr) {
    primary = call->engine->NewContext(device);
    call->contexts[primary->handle].reset(primary);
  }
  SetTrap();
  ++primary->num_retained;
  *context = HandleOf<Context>(primary->handle);
  return kSuccess;
}

Result FakeDevicePrimaryCtxRelease(DeviceOrdinal device) {
  Call call("cuDevicePrimaryCtxRelease_v2", Call::kInitialized);
  if (call.result() != kSuccess) return call.result();
  if (!IsDevice(call, device)) return kInvalidDevice;
  auto*& primary = call->primaries[static_cast<size_t>(device)];
  if (primary == nullptr) return call.Finding(kInvalidContext, "device ", device, " has no primary context");
  if (--primary->num_retained > 0) return kSuccess;
  auto* const ended = primary;
  primary = nullptr;
  call->EndContext(ended, call.lock());
  return kSuccess;
}

Result FakeCtxPushCurrent(Context context) {
  Call call("cuCtxPushCurrent_v2", Call::kInitialized);
  if (call.result() != kSuccess) return call.result();
  if (call->FindContext(NumberOf(context)) == nullptr) {
    return call.Finding(kInvalidContext, "context ", NumberOf(context), " is not there, or not any more");
  }
  ContextStack().push_back(NumberOf(context));
  return kSuccess;
}

Result FakeCtxPopCurrent(Context* context) {
  Call call("cuCtxPopCurrent_v2", Call::kInitialized);
  if (call.result() != kSuccess) return call.result();
  if (ContextStack().empty()) return call.Finding(kInvalidContext, "no context is current on this thread");
  if (context != nullptr) *context = HandleOf<Context>(ContextStack().back());
  ContextStack().pop_back();
  return kSuccess;
}

}  // namespace geeps::fake::api
