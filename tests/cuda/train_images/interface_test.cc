// SPDX-License-Identifier: Apache-2.0
// The functions of the driver and of cuBLAS that train_images declares are those of the toolkit's headers.
#include <cublas_v2.h>
#include <cuda.h>
#include <cudaTypedefs.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

#include "samples/train_images/cuda/driver.h"
#include "tests/cuda/same_function.h"

namespace train_images::cuda {
namespace {

// X(member, version that the declaration has been in since), as in cudaTypedefs.h.
#define TRAIN_IMAGES_VERSIONS(X)    \
  X(Init, 2000)                     \
  X(DriverGetVersion, 2020)         \
  X(GetErrorName, 6000)             \
  X(DeviceGet, 2000)                \
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
  X(StreamSynchronize, 2000)        \
  X(EventCreate, 2000)              \
  X(EventDestroy, 4000)             \
  X(EventRecord, 2000)              \
  X(EventSynchronize, 2000)         \
  X(MemcpyAsync, 4000)              \
  X(MemsetD8Async, 3020)            \
  X(ModuleLoadData, 2000)           \
  X(ModuleUnload, 2000)             \
  X(ModuleGetFunction, 2000)        \
  X(LaunchKernel, 4000)

#define TRAIN_IMAGES_SAME(member, version)                                                               \
  static_assert(geeps::test::SameFunction<decltype(Driver::member), PFN_cu##member##_v##version>::value, \
                #member " is declared in another way in cuda.h");                                        \
  static_assert((version) <= 12000, #member " is newer than CUDA 12.0");
TRAIN_IMAGES_VERSIONS(TRAIN_IMAGES_SAME)

// Macros of the headers turn the name of a function into that of its version.
#define TRAIN_IMAGES_TEXT(name) #name
#define TRAIN_IMAGES_EXPANDED(name) TRAIN_IMAGES_TEXT(name)

TEST_CASE("train_images: its functions are exported by the names that the toolkit's headers have for them") {
  int num_compared = 0, num_functions = 0;
#define TRAIN_IMAGES_NAME(member, exported, parameters)                \
  CHECK(std::string(TRAIN_IMAGES_EXPANDED(cu##member)) == (exported)); \
  ++num_functions;
  TRAIN_IMAGES_DRIVER(TRAIN_IMAGES_NAME)
#define TRAIN_IMAGES_COUNT(member, version) ++num_compared;
  TRAIN_IMAGES_VERSIONS(TRAIN_IMAGES_COUNT)
  CHECK(num_compared == num_functions);
#define TRAIN_IMAGES_BLAS_NAME(member, exported, parameters)               \
  CHECK(std::string(TRAIN_IMAGES_EXPANDED(cublas##member)) == (exported)); \
  static_assert(geeps::test::SameFunction<decltype(Cublas::member), decltype(&cublas##member)>::value);
  TRAIN_IMAGES_CUBLAS(TRAIN_IMAGES_BLAS_NAME)
}

TEST_CASE("train_images: its numbers are those of the toolkit's headers") {
  CHECK(kSuccess == CUDA_SUCCESS);
  CHECK(kStreamNonBlocking == CU_STREAM_NON_BLOCKING);
  CHECK(kEventBlockingSync == CU_EVENT_BLOCKING_SYNC);
  CHECK(kEventDisableTiming == CU_EVENT_DISABLE_TIMING);
  CHECK(kBlasSuccess == CUBLAS_STATUS_SUCCESS);
  CHECK(kBlasTranspose == CUBLAS_OP_T);
  CHECK(kBlasPedanticMath == CUBLAS_PEDANTIC_MATH);
  CHECK(kBlasAtomicsNotAllowed == CUBLAS_ATOMICS_NOT_ALLOWED);
}

TEST_CASE("train_images: the names of statuses are those of cuBLAS") {
  CHECK(Cublas::NameOf(CUBLAS_STATUS_NOT_INITIALIZED) == "CUBLAS_STATUS_NOT_INITIALIZED");
  CHECK(Cublas::NameOf(CUBLAS_STATUS_ALLOC_FAILED) == "CUBLAS_STATUS_ALLOC_FAILED");
  CHECK(Cublas::NameOf(CUBLAS_STATUS_INVALID_VALUE) == "CUBLAS_STATUS_INVALID_VALUE");
  CHECK(Cublas::NameOf(CUBLAS_STATUS_ARCH_MISMATCH) == "CUBLAS_STATUS_ARCH_MISMATCH");
  CHECK(Cublas::NameOf(CUBLAS_STATUS_MAPPING_ERROR) == "CUBLAS_STATUS_MAPPING_ERROR");
  CHECK(Cublas::NameOf(CUBLAS_STATUS_EXECUTION_FAILED) == "CUBLAS_STATUS_EXECUTION_FAILED");
  CHECK(Cublas::NameOf(CUBLAS_STATUS_INTERNAL_ERROR) == "CUBLAS_STATUS_INTERNAL_ERROR");
  CHECK(Cublas::NameOf(CUBLAS_STATUS_NOT_SUPPORTED) == "CUBLAS_STATUS_NOT_SUPPORTED");
  CHECK(Cublas::NameOf(99) == "cuBLAS status 99");
}

TEST_CASE("train_images: the cuBLAS of the installed toolkit exports every function that is called") {
  for (const std::string& name : Cublas::NamesFor(99000)) {
    if (access(name.c_str(), R_OK) != 0) continue;
    CAPTURE(name);
    Cublas cublas;
    CHECK(cublas.Open({name}) == "");
  }
}

TEST_CASE("train_images: a library of cuBLAS is that of the driver's major version or an older one") {
  const std::vector<std::string> names = Cublas::NamesFor(13020);
  REQUIRE(names.size() == 4);
  CHECK(names[0] == "libcublas.so.13");
  CHECK(names[1] == "/usr/local/cuda/lib64/libcublas.so.13");
  CHECK(names[2] == "libcublas.so.12");
}

}  // namespace
}  // namespace train_images::cuda
