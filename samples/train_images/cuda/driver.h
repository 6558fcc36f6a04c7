// SPDX-License-Identifier: Apache-2.0
// The functions of libcuda, the CUDA driver API, and of cuBLAS that train_images calls, found at run time, so that one
// binary runs with and without them and needs no header of the CUDA Toolkit. The declarations are those of cuda.h and
// cublas_v2.h, none newer than CUDA 12.0; tests/cuda/train_images compares them where these headers are installed.
// Thread contract: immutable once opened.
#ifndef SAMPLES_TRAIN_IMAGES_CUDA_DRIVER_H_
#define SAMPLES_TRAIN_IMAGES_CUDA_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct CUctx_st;
struct CUstream_st;
struct CUevent_st;
struct CUmod_st;
struct CUfunc_st;
struct cublasContext;

namespace train_images::cuda {

using Result = int;  // CUresult
using DevicePointer = uint64_t;
using Context = CUctx_st*;
using Stream = CUstream_st*;
using Event = CUevent_st*;
using Module = CUmod_st*;
using Function = CUfunc_st*;

inline constexpr Result kSuccess = 0;
inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kEventBlockingSync = 1;
inline constexpr unsigned kEventDisableTiming = 2;

// X(member, exported name, parameters): Result member(parameters).
#define TRAIN_IMAGES_DRIVER(X)                                                                                 \
  X(Init, "cuInit", (unsigned flags))                                                                          \
  X(DriverGetVersion, "cuDriverGetVersion", (int* version))                                                    \
  X(GetErrorName, "cuGetErrorName", (Result result, const char** name))                                        \
  X(DeviceGet, "cuDeviceGet", (int* device, int ordinal))                                                      \
  X(DevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (Context * context, int device))                       \
  X(DevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (int device))                                     \
  X(CtxPushCurrent, "cuCtxPushCurrent_v2", (Context context))                                                  \
  X(CtxPopCurrent, "cuCtxPopCurrent_v2", (Context * context))                                                  \
  X(MemGetInfo, "cuMemGetInfo_v2", (size_t * free, size_t * total))                                            \
  X(MemAlloc, "cuMemAlloc_v2", (DevicePointer * memory, size_t bytes))                                         \
  X(MemFree, "cuMemFree_v2", (DevicePointer memory))                                                           \
  X(MemHostAlloc, "cuMemHostAlloc", (void** memory, size_t bytes, unsigned flags))                             \
  X(MemFreeHost, "cuMemFreeHost", (void* memory))                                                              \
  X(StreamCreate, "cuStreamCreate", (Stream * stream, unsigned flags))                                         \
  X(StreamDestroy, "cuStreamDestroy_v2", (Stream stream))                                                      \
  X(StreamSynchronize, "cuStreamSynchronize", (Stream stream))                                                 \
  X(EventCreate, "cuEventCreate", (Event * event, unsigned flags))                                             \
  X(EventDestroy, "cuEventDestroy_v2", (Event event))                                                          \
  X(EventRecord, "cuEventRecord", (Event event, Stream stream))                                                \
  X(EventSynchronize, "cuEventSynchronize", (Event event))                                                     \
  X(MemcpyAsync, "cuMemcpyAsync", (DevicePointer dst, DevicePointer src, size_t bytes, Stream stream))         \
  X(MemsetD8Async, "cuMemsetD8Async", (DevicePointer dst, unsigned char value, size_t count, Stream stream))   \
  X(ModuleLoadData, "cuModuleLoadData", (Module * module, const void* image))                                  \
  X(ModuleUnload, "cuModuleUnload", (Module module))                                                           \
  X(ModuleGetFunction, "cuModuleGetFunction", (Function * function, Module module, const char* name))          \
  X(LaunchKernel, "cuLaunchKernel",                                                                            \
    (Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, \
     unsigned block_z, unsigned shared_bytes, Stream stream, void** parameters, void** extra))

struct Driver {
#define TRAIN_IMAGES_MEMBER(member, exported, parameters) Result(*member) parameters = nullptr;
  TRAIN_IMAGES_DRIVER(TRAIN_IMAGES_MEMBER)
#undef TRAIN_IMAGES_MEMBER
  int version = 0;  // 12040 is 12.4

  // libcuda.so.1, initialized, never closed. "" or a sentence that says what is missing.
  std::string Open();
  std::string NameOf(Result result) const;
};

using BlasStatus = int;  // cublasStatus_t
using BlasHandle = cublasContext*;

inline constexpr BlasStatus kBlasSuccess = 0;
inline constexpr int kBlasTranspose = 1;     // CUBLAS_OP_T; CUBLAS_OP_N is 0
inline constexpr int kBlasPedanticMath = 2;  // f32 as such, every product and sum
inline constexpr int kBlasAtomicsNotAllowed = 0;

// X(member, exported name, parameters): BlasStatus member(parameters).
#define TRAIN_IMAGES_CUBLAS(X)                                                                                    \
  X(Create, "cublasCreate_v2", (BlasHandle * handle))                                                             \
  X(Destroy, "cublasDestroy_v2", (BlasHandle handle))                                                             \
  X(SetStream, "cublasSetStream_v2", (BlasHandle handle, Stream stream))                                          \
  X(SetWorkspace, "cublasSetWorkspace_v2", (BlasHandle handle, void* workspace, size_t bytes))                    \
  X(SetMathMode, "cublasSetMathMode", (BlasHandle handle, int mode))                                              \
  X(SetAtomicsMode, "cublasSetAtomicsMode", (BlasHandle handle, int mode))                                        \
  X(Sgemm, "cublasSgemm_v2",                                                                                      \
    (BlasHandle handle, int transa, int transb, int m, int n, int k, const float* alpha, const float* a, int lda, \
     const float* b, int ldb, const float* beta, float* c, int ldc))

struct Cublas {
#define TRAIN_IMAGES_MEMBER(member, exported, parameters) BlasStatus(*member) parameters = nullptr;
  TRAIN_IMAGES_CUBLAS(TRAIN_IMAGES_MEMBER)
#undef TRAIN_IMAGES_MEMBER

  // The first of these libraries that is there, never closed. "" or a sentence that says what is missing.
  std::string Open(const std::vector<std::string>& names);
  // Those that run on a driver of this version, newest first: a library of a later major version does not.
  static std::vector<std::string> NamesFor(int driver_version);
  static std::string NameOf(BlasStatus status);
};

}  // namespace train_images::cuda

#endif  // SAMPLES_TRAIN_IMAGES_CUDA_DRIVER_H_
