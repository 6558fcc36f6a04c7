// SPDX-License-Identifier: Apache-2.0
#include "tests/system/embedder.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "plugins/cuda/driver.h"

namespace geeps::system_test {
namespace {

void Must(cuda::Result result, const char* what) {
  if (result == cuda::kSuccess) return;
  std::fprintf(stderr, "the program's own %s fails with %d\n", what, result);
  std::abort();
}

}  // namespace

struct Embedder::Cuda {
  const cuda::Driver* driver = nullptr;
  cuda::Context context = nullptr;
  cuda::NativeStream stream = nullptr;
  std::map<uint64_t, std::vector<uint8_t>> bytes;  // by operation
};

Embedder::Embedder() = default;

Embedder::~Embedder() {
  if (cuda_ == nullptr) return;
  Finish();
  Must(cuda_->driver->StreamDestroy(cuda_->stream), "cuStreamDestroy");
  Must(cuda_->driver->CtxPopCurrent(nullptr), "cuCtxPopCurrent");
  Must(cuda_->driver->DevicePrimaryCtxRelease(0), "cuDevicePrimaryCtxRelease");
}

// The context stays current on this thread, as a framework's does.
void Embedder::NeedCuda() {
  if (cuda_ != nullptr) return;
  cuda_ = std::make_unique<Cuda>();
  std::string why;
  cuda_->driver = cuda::Driver::Open(&why);
  if (cuda_->driver == nullptr) {
    std::fprintf(stderr, "device memory without a driver: %s\n", why.c_str());
    std::abort();
  }
  Must(cuda_->driver->DevicePrimaryCtxRetain(&cuda_->context, 0), "cuDevicePrimaryCtxRetain");
  Must(cuda_->driver->CtxPushCurrent(cuda_->context), "cuCtxPushCurrent");
  Must(cuda_->driver->StreamCreate(&cuda_->stream, cuda::kStreamNonBlocking), "cuStreamCreate");
}

uint64_t Embedder::stream() const { return reinterpret_cast<uint64_t>(cuda_->stream); }

uint8_t* Embedder::Look(uint64_t operation, const geeps_view& view) {
  if (view.mem_kind != GEEPS_MEM_CUDA) return static_cast<uint8_t*>(view.data);
  NeedCuda();
  Finish();  // what was put from there has left
  std::vector<uint8_t>& bytes = cuda_->bytes[operation];
  bytes.resize(view.bytes);
  if (view.bytes == 0) return nullptr;
  Must(cuda_->driver->MemcpyAsync(reinterpret_cast<uint64_t>(bytes.data()), reinterpret_cast<uint64_t>(view.data),
                                  view.bytes, cuda_->stream),
       "cuMemcpyAsync");
  Finish();
  return bytes.data();
}

void Embedder::Put(uint64_t operation, const geeps_view& view) {
  if (view.mem_kind != GEEPS_MEM_CUDA || view.bytes == 0) return;
  Must(
      cuda_->driver->MemcpyAsync(reinterpret_cast<uint64_t>(view.data),
                                 reinterpret_cast<uint64_t>(cuda_->bytes[operation].data()), view.bytes, cuda_->stream),
      "cuMemcpyAsync");
}

void Embedder::Finish() {
  if (cuda_ != nullptr) Must(cuda_->driver->StreamSynchronize(cuda_->stream), "cuStreamSynchronize");
}

}  // namespace geeps::system_test
