// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/cuda/kernels_host.h"

#include <atomic>

#include "samples/train_images/cuda/kernels.h"

namespace train_images::cuda {
namespace {

std::atomic<ReachFn> reach = nullptr;
std::atomic<bool> is_descending_order = false;

template <typename Kernel>
void RunAll(const void* parameter) {
  Kernel kernel;
  std::memcpy(&kernel, parameter, sizeof kernel);
  const bool is_descending = is_descending_order.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < kernel.num; ++i) kernel.Run(is_descending ? kernel.num - 1 - i : i);
}

}  // namespace

void SetReach(ReachFn fn) { reach = fn; }

void SetOrder(bool is_descending) { is_descending_order = is_descending; }

void* Reach(const void* address, uint64_t bytes, bool is_written) {
  const ReachFn fn = reach.load(std::memory_order_relaxed);
  return fn != nullptr ? fn(reinterpret_cast<uintptr_t>(address), bytes, is_written) : const_cast<void*>(address);
}

#define TRAIN_IMAGES_HOST_KERNEL(Kernel, name) {#name, sizeof(Kernel), &RunAll<Kernel>},
const HostKernel kHostKernels[] = {TRAIN_IMAGES_KERNELS(TRAIN_IMAGES_HOST_KERNEL){nullptr, 0, nullptr}};
#undef TRAIN_IMAGES_HOST_KERNEL

}  // namespace train_images::cuda
