// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/cuda/device.h"

#include <algorithm>
#include <cstring>

#include "samples/train_images/cuda/image.h"

namespace train_images::cuda {
namespace {

// What NVIDIA recommends for the newest of the architectures that there are kernels for (cuBLAS manual,
// cublasSetWorkspace).
constexpr uint64_t kWorkspaceBytes = uint64_t{32} << 20;

constexpr uint32_t kThreads = 256;  // of a block
// More blocks than any GPU runs at once; their threads go on to further pieces.
constexpr uint32_t kBlocksMost = 65536;

DevicePointer AddressOf(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

}  // namespace

std::unique_ptr<Device> Device::Open(int ordinal, const std::vector<std::string>& blas_names, geeps::Error& err) {
  std::unique_ptr<Device> device(new Device(err));
  device->Initialize(ordinal, blas_names);
  return err.ok() ? std::move(device) : nullptr;
}

void Device::Initialize(int ordinal, const std::vector<std::string>& blas_names) {
  if (!err_.ok()) return;
  if (kKernelImage == nullptr) {
    err_.Fail(GEEPS_E_UNSUPPORTED, "this build of train_images has no kernels for CUDA: it was built without nvcc");
    return;
  }
  std::string missing = driver_.Open();
  if (missing.empty()) missing = blas_.Open(blas_names.empty() ? Cublas::NamesFor(driver_.version) : blas_names);
  if (!missing.empty()) {
    err_.Fail(GEEPS_E_UNSUPPORTED, missing);
    return;
  }
  ordinal_ = ordinal;
  Context context = nullptr;
  if (!Check(driver_.DeviceGet(&device_, ordinal), "cuDeviceGet") ||
      !Check(driver_.DevicePrimaryCtxRetain(&context, device_), "cuDevicePrimaryCtxRetain")) {
    return;
  }
  if (!Check(driver_.CtxPushCurrent(context), "cuCtxPushCurrent")) {
    driver_.DevicePrimaryCtxRelease(device_);
    return;
  }
  context_ = context;
  if (!Check(driver_.StreamCreate(&stream_, kStreamNonBlocking), "cuStreamCreate")) return;
  InitializeBlas();
  LoadKernels();
}

void Device::InitializeBlas() {
  if (!CheckBlas(blas_.Create(&blas_handle_), "cublasCreate")) {
    blas_handle_ = nullptr;
    return;
  }
  // A new stream takes the workspace away, so that comes second.
  CheckBlas(blas_.SetStream(blas_handle_, stream_), "cublasSetStream");
  void* const workspace = AllocateDevice(kWorkspaceBytes, "the workspace of cuBLAS");
  if (workspace == nullptr) return;
  CheckBlas(blas_.SetWorkspace(blas_handle_, workspace, kWorkspaceBytes), "cublasSetWorkspace");
  CheckBlas(blas_.SetMathMode(blas_handle_, kBlasPedanticMath), "cublasSetMathMode");
  CheckBlas(blas_.SetAtomicsMode(blas_handle_, kBlasAtomicsNotAllowed), "cublasSetAtomicsMode");
}

void Device::LoadKernels() {
  if (!err_.ok()) return;
  if (!Check(driver_.ModuleLoadData(&module_, kKernelImage), "the kernels cannot be loaded: cuModuleLoadData")) {
    module_ = nullptr;
    return;
  }
#define TRAIN_IMAGES_LOAD(Kernel, name)                                            \
  kernels_.push_back({NameOf(Kernel{}), nullptr});                                 \
  if (!Check(driver_.ModuleGetFunction(&kernels_.back().function, module_, #name), \
             "kernel " #name ": cuModuleGetFunction"))                             \
    return;
  TRAIN_IMAGES_KERNELS(TRAIN_IMAGES_LOAD)
#undef TRAIN_IMAGES_LOAD
}

// What fails here fails for a reason that was told before.
Device::~Device() {
  if (context_ == nullptr) return;
  if (stream_ != nullptr) driver_.StreamSynchronize(stream_);
  if (blas_handle_ != nullptr) blas_.Destroy(blas_handle_);
  for (const Event event : events_) driver_.EventDestroy(event);
  for (void* const memory : device_memory_) driver_.MemFree(AddressOf(memory));
  for (void* const memory : pinned_memory_) driver_.MemFreeHost(memory);
  if (module_ != nullptr) driver_.ModuleUnload(module_);
  if (stream_ != nullptr) driver_.StreamDestroy(stream_);
  driver_.CtxPopCurrent(nullptr);
  driver_.DevicePrimaryCtxRelease(device_);
}

bool Device::Check(Result result, const std::string& what) {
  if (result == kSuccess) return true;
  err_.Fail(GEEPS_E_DEVICE,
            "train_images on device " + std::to_string(ordinal_) + ": " + what + ": " + driver_.NameOf(result));
  return false;
}

bool Device::CheckBlas(BlasStatus status, const char* what) {
  if (status == kBlasSuccess) return true;
  err_.Fail(GEEPS_E_DEVICE,
            "train_images on device " + std::to_string(ordinal_) + ": " + what + ": " + Cublas::NameOf(status));
  return false;
}

void* Device::FailAllocation(Result result, const char* call, uint64_t bytes, const char* what) {
  size_t free_bytes = 0, total_bytes = 0;
  driver_.MemGetInfo(&free_bytes, &total_bytes);
  err_.Fail(GEEPS_E_NOMEM, "train_images on device " + std::to_string(ordinal_) + ": " + std::to_string(bytes) +
                               " bytes for " + what + ": " + call + ": " + driver_.NameOf(result) + "; of " +
                               std::to_string(total_bytes) + " bytes of device memory " + std::to_string(free_bytes) +
                               " are free");
  return nullptr;
}

void* Device::AllocateDevice(uint64_t bytes, const char* what) {
  if (!err_.ok()) return nullptr;
  DevicePointer memory = 0;
  const Result result = driver_.MemAlloc(&memory, std::max<uint64_t>(bytes, 1));
  if (result != kSuccess) return FailAllocation(result, "cuMemAlloc", bytes, what);
  device_memory_.push_back(reinterpret_cast<void*>(static_cast<uintptr_t>(memory)));
  return device_memory_.back();
}

void* Device::AllocatePinned(uint64_t bytes, const char* what) {
  if (!err_.ok()) return nullptr;
  void* memory = nullptr;
  const Result result = driver_.MemHostAlloc(&memory, std::max<uint64_t>(bytes, 1), 0);
  if (result != kSuccess) return FailAllocation(result, "cuMemHostAlloc", bytes, what);
  pinned_memory_.push_back(memory);
  return memory;
}

void Device::FreeDevice(void* memory) {
  if (memory == nullptr) return;
  driver_.StreamSynchronize(stream_);
  device_memory_.erase(std::find(device_memory_.begin(), device_memory_.end(), memory));
  driver_.MemFree(AddressOf(memory));
}

void Device::Copy(void* to, const void* from, uint64_t bytes) {
  if (err_.ok()) Check(driver_.MemcpyAsync(AddressOf(to), AddressOf(from), bytes, stream_), "cuMemcpyAsync");
}

void Device::FillZero(void* memory, uint64_t bytes) {
  if (err_.ok()) Check(driver_.MemsetD8Async(AddressOf(memory), 0, bytes, stream_), "cuMemsetD8Async");
}

void Device::LaunchKernel(const char* name, uint32_t num, const void* kernel) {
  if (!err_.ok() || num == 0) return;
  const auto it = std::find_if(kernels_.begin(), kernels_.end(), [name](const LoadedKernel& k) {
    return k.name == name || std::strcmp(k.name, name) == 0;
  });
  const uint32_t num_blocks = std::min(kBlocksMost, (num - 1) / kThreads + 1);
  void* parameters[] = {const_cast<void*>(kernel)};
  const Result result =
      driver_.LaunchKernel(it->function, num_blocks, 1, 1, kThreads, 1, 1, 0, stream_, parameters, nullptr);
  if (result != kSuccess) Check(result, std::string("kernel ") + name + ": cuLaunchKernel");
}

// cuBLAS counts down columns: to it each of our matrices is the transposed one, and (a b)' is b' a'.
void Device::Gemm(bool transpose_a, bool transpose_b, uint64_t m, uint64_t n, uint64_t k, const float* a, uint64_t lda,
                  const float* b, uint64_t ldb, float beta, float* c, uint64_t ldc) {
  if (!err_.ok()) return;
  const float alpha = 1;
  CheckBlas(blas_.Sgemm(blas_handle_, transpose_b ? kBlasTranspose : 0, transpose_a ? kBlasTranspose : 0,
                        static_cast<int>(n), static_cast<int>(m), static_cast<int>(k), &alpha, b, static_cast<int>(ldb),
                        a, static_cast<int>(lda), &beta, c, static_cast<int>(ldc)),
            "cublasSgemm");
}

Event Device::MakeEvent() {
  Event event = nullptr;
  if (!err_.ok()) return event;
  // A thread that waits sleeps: it may share its core with the mover.
  if (!Check(driver_.EventCreate(&event, kEventBlockingSync | kEventDisableTiming), "cuEventCreate")) return nullptr;
  events_.push_back(event);
  return event;
}

void Device::Record(Event event) {
  if (err_.ok()) Check(driver_.EventRecord(event, stream_), "cuEventRecord");
}

void Device::Wait(Event event) {
  if (err_.ok()) Check(driver_.EventSynchronize(event), "cuEventSynchronize");
}

void Device::Finish() {
  if (err_.ok()) Check(driver_.StreamSynchronize(stream_), "cuStreamSynchronize");
}

}  // namespace train_images::cuda
