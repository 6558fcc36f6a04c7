// SPDX-License-Identifier: Apache-2.0
// Driver: the functions of libcuda, the CUDA driver API, that this plugin calls, found at run time. No header or
// library of the CUDA Toolkit is needed to build this part: the declarations below are the driver's own binary
// interface, each in the version that the name in the table says and none newer than CUDA 12.0. tests/cuda compares
// them with cuda.h where that is installed. Source: CUDA Driver API reference manual,
// https://docs.nvidia.com/cuda/cuda-driver-api/. Thread contract: immutable after Open.
#ifndef GEEPS_PLUGINS_CUDA_DRIVER_H_
#define GEEPS_PLUGINS_CUDA_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <string>

// The driver's own names: an embedder's CUstream is a CUstream_st*.
struct CUctx_st;
struct CUstream_st;
struct CUevent_st;
struct CUmod_st;
struct CUfunc_st;

namespace geeps::cuda {

using Result = int;
using DeviceOrdinal = int;
using DevicePointer = uint64_t;
using Context = CUctx_st*;
using NativeStream = CUstream_st*;
using NativeEvent = CUevent_st*;
using Module = CUmod_st*;
using Function = CUfunc_st*;
using HostFunction = void (*)(void* user_data);

// CUresult
inline constexpr Result kSuccess = 0;
inline constexpr Result kInvalidValue = 1;
inline constexpr Result kOutOfMemory = 2;
inline constexpr Result kDeinitialized = 4;
inline constexpr Result kNoDevice = 100;
inline constexpr Result kInvalidContext = 201;
inline constexpr Result kInvalidHandle = 400;
inline constexpr Result kNotReady = 600;
inline constexpr Result kIllegalAddress = 700;
inline constexpr Result kContextIsDestroyed = 709;

// CUdevice_attribute
inline constexpr int kAttributeMultiprocessors = 16;
inline constexpr int kAttributeMemoryClockKHz = 36;
inline constexpr int kAttributeMemoryBusBits = 37;
inline constexpr int kAttributeComputeMajor = 75;
inline constexpr int kAttributeComputeMinor = 76;

// Flags
inline constexpr unsigned kStreamNonBlocking = 1;  // does not wait for the legacy default stream
inline constexpr unsigned kEventBlockingSync = 1;
inline constexpr unsigned kEventDisableTiming = 2;
inline constexpr unsigned kHostAllocPortable = 1;  // pinned for every context

// X(member, exported name, parameters): Result member(parameters).
#define GEEPS_CUDA_FUNCTIONS(X)                                                                                    \
  X(Init, "cuInit", (unsigned flags))                                                                              \
  X(DriverGetVersion, "cuDriverGetVersion", (int* version))                                                        \
  X(GetErrorName, "cuGetErrorName", (Result result, const char** name))                                            \
  X(GetErrorString, "cuGetErrorString", (Result result, const char** text))                                        \
  X(DeviceGetCount, "cuDeviceGetCount", (int* count))                                                              \
  X(DeviceGet, "cuDeviceGet", (DeviceOrdinal * device, int ordinal))                                               \
  X(DeviceGetName, "cuDeviceGetName", (char* name, int size, DeviceOrdinal device))                                \
  X(DeviceGetAttribute, "cuDeviceGetAttribute", (int* value, int attribute, DeviceOrdinal device))                 \
  X(DeviceTotalMem, "cuDeviceTotalMem_v2", (size_t * bytes, DeviceOrdinal device))                                 \
  X(DevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (Context * context, DeviceOrdinal device))                 \
  X(DevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (DeviceOrdinal device))                               \
  X(CtxPushCurrent, "cuCtxPushCurrent_v2", (Context context))                                                      \
  X(CtxPopCurrent, "cuCtxPopCurrent_v2", (Context * context))                                                      \
  X(MemGetInfo, "cuMemGetInfo_v2", (size_t * free, size_t * total))                                                \
  X(MemAlloc, "cuMemAlloc_v2", (DevicePointer * memory, size_t bytes))                                             \
  X(MemFree, "cuMemFree_v2", (DevicePointer memory))                                                               \
  X(MemHostAlloc, "cuMemHostAlloc", (void** memory, size_t bytes, unsigned flags))                                 \
  X(MemFreeHost, "cuMemFreeHost", (void* memory))                                                                  \
  X(StreamCreate, "cuStreamCreate", (NativeStream * stream, unsigned flags))                                       \
  X(StreamDestroy, "cuStreamDestroy_v2", (NativeStream stream))                                                    \
  X(StreamWaitEvent, "cuStreamWaitEvent", (NativeStream stream, NativeEvent event, unsigned flags))                \
  X(StreamQuery, "cuStreamQuery", (NativeStream stream))                                                           \
  X(StreamSynchronize, "cuStreamSynchronize", (NativeStream stream))                                               \
  X(EventCreate, "cuEventCreate", (NativeEvent * event, unsigned flags))                                           \
  X(EventDestroy, "cuEventDestroy_v2", (NativeEvent event))                                                        \
  X(EventRecord, "cuEventRecord", (NativeEvent event, NativeStream stream))                                        \
  X(EventQuery, "cuEventQuery", (NativeEvent event))                                                               \
  X(EventSynchronize, "cuEventSynchronize", (NativeEvent event))                                                   \
  X(LaunchHostFunc, "cuLaunchHostFunc", (NativeStream stream, HostFunction function, void* user_data))             \
  X(MemcpyAsync, "cuMemcpyAsync", (DevicePointer dst, DevicePointer src, size_t bytes, NativeStream stream))       \
  X(MemsetD8Async, "cuMemsetD8Async", (DevicePointer dst, unsigned char value, size_t count, NativeStream stream)) \
  X(ModuleLoadData, "cuModuleLoadData", (Module * module, const void* image))                                      \
  X(ModuleUnload, "cuModuleUnload", (Module module))                                                               \
  X(ModuleGetFunction, "cuModuleGetFunction", (Function * function, Module module, const char* name))              \
  X(LaunchKernel, "cuLaunchKernel",                                                                                \
    (Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,     \
     unsigned block_z, unsigned shared_bytes, NativeStream stream, void** parameters, void** extra))

struct Driver {
#define GEEPS_CUDA_MEMBER(member, exported, parameters) Result(*member) parameters = nullptr;
  GEEPS_CUDA_FUNCTIONS(GEEPS_CUDA_MEMBER)
#undef GEEPS_CUDA_MEMBER

  int version = 0;  // as cuDriverGetVersion gives it: 12040 is 12.4

  // The driver of this process: libcuda.so.1 as the dynamic linker finds it, opened and initialized once and never
  // closed. nullptr: there is none that can be used, and *why is a sentence that says what is missing and what helps.
  static const Driver* Open(std::string* why);
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_DRIVER_H_
