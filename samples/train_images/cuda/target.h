// SPDX-License-Identifier: Apache-2.0
// Target: what the kernels (kernels.h) need of the machine that they run on. nvcc compiles them for the device, g++ and
// clang compile the same text for the host, where tests run it (kernels_host.h). Memory is reached by Load and Store
// alone: on the device that is the memory itself, on the host the bytes behind Reach. Thread contract: pure functions.
#ifndef SAMPLES_TRAIN_IMAGES_CUDA_TARGET_H_
#define SAMPLES_TRAIN_IMAGES_CUDA_TARGET_H_

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define TRAIN_IMAGES_HD __host__ __device__ __forceinline__
#else
#define TRAIN_IMAGES_HD inline
#endif

namespace train_images::cuda {

#if !defined(__CUDA_ARCH__)
// The host's memory behind `bytes` at an address of device memory.
void* Reach(const void* address, uint64_t bytes, bool is_written);
#endif

// Four values in one access.
struct alignas(16) Quad {
  float values[4];
};
TRAIN_IMAGES_HD Quad operator+(const Quad& a, const Quad& b) {
  return {{a.values[0] + b.values[0], a.values[1] + b.values[1], a.values[2] + b.values[2], a.values[3] + b.values[3]}};
}

// REQUIRES: the address is aligned to sizeof(V).
template <typename V>
TRAIN_IMAGES_HD V Load(const V* address) {
#if defined(__CUDA_ARCH__)
  return *address;
#else
  V value;
  std::memcpy(&value, Reach(address, sizeof value, false), sizeof value);
  return value;
#endif
}

template <typename V>
TRAIN_IMAGES_HD void Store(V* address, const V& value) {
#if defined(__CUDA_ARCH__)
  *address = value;
#else
  std::memcpy(Reach(address, sizeof value, true), &value, sizeof value);
#endif
}

}  // namespace train_images::cuda

#endif  // SAMPLES_TRAIN_IMAGES_CUDA_TARGET_H_
