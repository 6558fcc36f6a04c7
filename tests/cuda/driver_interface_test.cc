// SPDX-License-Identifier: Apache-2.0
// The functions of plugins/cuda/driver.h are those of the toolkit's headers: each by the name that it is exported by,
// with parameters of the same size and kind, in a version that CUDA 12.0 has.
#include <cuda.h>
#include <cudaTypedefs.h>
#include <doctest/doctest.h>

#include <string>

#include "plugins/cuda/driver.h"
#include "tests/cuda/same_function.h"

namespace geeps::cuda {
namespace {

// X(member, version that the declaration has been in since), as in cudaTypedefs.h.
#define GEEPS_CUDA_VERSIONS(X)      \
  X(Init, 2000)                     \
  X(DriverGetVersion, 2020)         \
  X(GetErrorName, 6000)             \
  X(GetErrorString, 6000)           \
  X(DeviceGetCount, 2000)           \
  X(DeviceGet, 2000)                \
  X(DeviceGetName, 2000)            \
  X(DeviceGetAttribute, 2000)       \
  X(DeviceTotalMem, 3020)           \
  X(DevicePrimaryCtxRetain, 7000)   \
  X(DevicePrimaryCtxRelease, 11000) \
  X(CtxPushCurrent, 4000)           \
  X(CtxPopCurrent, 4000)            \
  X(MemGetInfo, 3020)               \
  X(MemAlloc, 3020)                 \
  X(MemFree, 3020)                  \
  X(MemHostAlloc, 2020)             \
  X(MemFreeHost, 2000)              \
  X(StreamCreate, 2000)             \
  X(StreamDestroy, 4000)            \
  X(StreamWaitEvent, 3020)          \
  X(StreamQuery, 2000)              \
  X(StreamSynchronize, 2000)        \
  X(EventCreate, 2000)              \
  X(EventDestroy, 4000)             \
  X(EventRecord, 2000)              \
  X(EventQuery, 2000)               \
  X(EventSynchronize, 2000)         \
  X(LaunchHostFunc, 10000)          \
  X(MemcpyAsync, 4000)              \
  X(MemsetD8Async, 3020)            \
  X(ModuleLoadData, 2000)           \
  X(ModuleUnload, 2000)             \
  X(ModuleGetFunction, 2000)        \
  X(LaunchKernel, 4000)

#define GEEPS_CUDA_SAME(member, version)                                                          \
  static_assert(test::SameFunction<decltype(Driver::member), PFN_cu##member##_v##version>::value, \
                #member " is declared in another way in cuda.h");                                 \
  static_assert((version) <= 12000, #member " is newer than CUDA 12.0");
GEEPS_CUDA_VERSIONS(GEEPS_CUDA_SAME)

// Macros of cuda.h turn the name of a function into that of its version.
#define GEEPS_CUDA_TEXT(name) #name
#define GEEPS_CUDA_EXPANDED(name) GEEPS_CUDA_TEXT(name)

TEST_CASE("Driver: its functions are exported by the names that cuda.h has for them") {
  int num_compared = 0, num_functions = 0;
#define GEEPS_CUDA_NAME(member, exported, parameters)                \
  CHECK(std::string(GEEPS_CUDA_EXPANDED(cu##member)) == (exported)); \
  ++num_functions;
  GEEPS_CUDA_FUNCTIONS(GEEPS_CUDA_NAME)
#define GEEPS_CUDA_COUNT(member, version) ++num_compared;
  GEEPS_CUDA_VERSIONS(GEEPS_CUDA_COUNT)
  CHECK(num_compared == num_functions);
}

TEST_CASE("Driver: its numbers are those of cuda.h") {
  CHECK(kSuccess == CUDA_SUCCESS);
  CHECK(kInvalidValue == CUDA_ERROR_INVALID_VALUE);
  CHECK(kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
  CHECK(kDeinitialized == CUDA_ERROR_DEINITIALIZED);
  CHECK(kNoDevice == CUDA_ERROR_NO_DEVICE);
  CHECK(kInvalidContext == CUDA_ERROR_INVALID_CONTEXT);
  CHECK(kInvalidHandle == CUDA_ERROR_INVALID_HANDLE);
  CHECK(kNotReady == CUDA_ERROR_NOT_READY);
  CHECK(kIllegalAddress == CUDA_ERROR_ILLEGAL_ADDRESS);
  CHECK(kContextIsDestroyed == CUDA_ERROR_CONTEXT_IS_DESTROYED);
  CHECK(kAttributeMultiprocessors == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  CHECK(kAttributeMemoryClockKHz == CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
  CHECK(kAttributeMemoryBusBits == CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
  CHECK(kAttributeComputeMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  CHECK(kAttributeComputeMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  CHECK(kStreamNonBlocking == CU_STREAM_NON_BLOCKING);
  CHECK(kEventBlockingSync == CU_EVENT_BLOCKING_SYNC);
  CHECK(kEventDisableTiming == CU_EVENT_DISABLE_TIMING);
  CHECK(kHostAllocPortable == CU_MEMHOSTALLOC_PORTABLE);
}

}  // namespace
}  // namespace geeps::cuda
