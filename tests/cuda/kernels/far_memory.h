// SPDX-License-Identifier: Apache-2.0
// FarMemory: memory that kernels reach by addresses behind which nothing lies on the host, as device memory is. An
// access outside of it, or one that is not aligned to its size, is counted as a fault. Thread contract: one thread.
#ifndef GEEPS_TESTS_CUDA_KERNELS_FAR_MEMORY_H_
#define GEEPS_TESTS_CUDA_KERNELS_FAR_MEMORY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "plugins/cuda/launch.h"

namespace geeps::test {

class FarMemory {
 public:
  FarMemory();
  ~FarMemory();
  FarMemory(const FarMemory&) = delete;

  // The address of a copy of the bytes, `offset` bytes behind a multiple of 256.
  uint64_t Put(const void* data, uint64_t bytes, uint64_t offset = 0);
  template <typename T>
  uint64_t Put(const std::vector<T>& values, uint64_t offset = 0) {
    return Put(values.data(), values.size() * sizeof(T), offset);
  }
  // `bytes` that no kernel may count on.
  uint64_t Reserve(uint64_t bytes);
  // What lies at an address that Put gave, as many bytes as it was given.
  std::vector<uint8_t> Get(uint64_t address) const;
  template <typename T>
  std::vector<T> GetAs(uint64_t address) const {
    const std::vector<uint8_t> bytes = Get(address);
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty()) __builtin_memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  // Accesses that a device would not have made.
  uint64_t num_faults() const { return num_faults_; }

  // Runs the launches of a plan, with the table among the parameters where it has room there and `by_value` says so.
  // False: there is no such kernel.
  bool Run(const cuda::LaunchSet& set, bool by_value);

 private:
  struct Block {
    uint64_t first;
    uint64_t bytes;
    std::unique_ptr<uint8_t[]> memory;
  };
  static void* Find(uint64_t address, uint64_t bytes, bool is_written);
  const Block* BlockOf(uint64_t address) const;

  std::vector<Block> blocks_;  // by address
  uint64_t next_;
  mutable size_t last_ = 0;
  uint64_t num_faults_ = 0;
};

template <typename T>
T* PointerTo(uint64_t address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace geeps::test

#endif  // GEEPS_TESTS_CUDA_KERNELS_FAR_MEMORY_H_
