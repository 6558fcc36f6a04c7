// SPDX-License-Identifier: Apache-2.0
// Device: a GPU as train_images uses it: the primary context, which is the one that geeps uses too, one stream, a
// cuBLAS handle on it, the kernels. The context is current on the thread that opened it for as long as the object
// lives. Bits: cuBLAS calculates f32 as f32, without atomics, in a workspace of its own; with the same calls its sums
// are then made in the same way in every run on the same machine. Thread contract: one thread, that which opened it.
// Errors: the first one goes to the Error given to Open; after it calls do nothing.
#ifndef SAMPLES_TRAIN_IMAGES_CUDA_DEVICE_H_
#define SAMPLES_TRAIN_IMAGES_CUDA_DEVICE_H_

#include <cstdint>
#include <geeps.hpp>
#include <memory>
#include <string>
#include <vector>

#include "samples/train_images/cuda/driver.h"
#include "samples/train_images/cuda/kernels.h"

namespace train_images::cuda {

class Device {
 public:
  // ordinal: the driver's number of the device. blas_names: libraries to try; empty: those that run on the driver. NULL
  // after a failure.
  static std::unique_ptr<Device> Open(int ordinal, const std::vector<std::string>& blas_names, geeps::Error& err);
  // Waits for the stream's work.
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  Stream stream() const { return stream_; }

  // NULL after a failure. Freed with the device unless before.
  void* AllocateDevice(uint64_t bytes, const char* what);
  void* AllocatePinned(uint64_t bytes, const char* what);
  // Waits for the stream's work, also after a failure.
  void FreeDevice(void* memory);

  // In the stream's order:
  void Copy(void* to, const void* from, uint64_t bytes);
  void FillZero(void* memory, uint64_t bytes);
  template <typename Kernel>
  void Launch(const Kernel& kernel) {
    LaunchKernel(NameOf(kernel), kernel.num, &kernel);
  }
  // c [m, n] = op(a) op(b) + beta c, row by row as in net.cc: ld is the distance of two rows.
  void Gemm(bool transpose_a, bool transpose_b, uint64_t m, uint64_t n, uint64_t k, const float* a, uint64_t lda,
            const float* b, uint64_t ldb, float beta, float* c, uint64_t ldc);
  // Marks the end of what was asked for so far ...
  Event MakeEvent();  // freed with the device
  void Record(Event event);
  // ... and waits until that is done.
  void Wait(Event event);
  void Finish();

 private:
  explicit Device(geeps::Error& err) : err_(err) {}

  void Initialize(int ordinal, const std::vector<std::string>& blas_names);
  void InitializeBlas();
  void LoadKernels();
  void LaunchKernel(const char* name, uint32_t num, const void* kernel);
  // True when the call went well.
  bool Check(Result result, const std::string& what);
  bool CheckBlas(BlasStatus status, const char* what);
  void* FailAllocation(Result result, const char* call, uint64_t bytes, const char* what);

  struct LoadedKernel {
    const char* name;
    Function function;
  };

  geeps::Error& err_;
  Driver driver_;
  Cublas blas_;
  int ordinal_ = 0, device_ = 0;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
  BlasHandle blas_handle_ = nullptr;
  Module module_ = nullptr;
  std::vector<LoadedKernel> kernels_;
  std::vector<void*> device_memory_, pinned_memory_;
  std::vector<Event> events_;
};

}  // namespace train_images::cuda

#endif  // SAMPLES_TRAIN_IMAGES_CUDA_DEVICE_H_
