// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/kernels/kernels_host.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/cuda/kernels/kernel_list.h"

namespace geeps::cuda {
namespace {

constexpr std::string_view kInlineSuffix = "_inline";
constexpr uint8_t kPoison = 0xa5;

std::atomic<HostAddressFn> host_address = nullptr;
std::atomic<bool> is_descending_order = false;

struct Grid {
  unsigned num_blocks;
  unsigned num_threads;
  const uint8_t* table;
  uint64_t scratch;
};

uint32_t InOrder(uint32_t i, uint32_t num) {
  return is_descending_order.load(std::memory_order_relaxed) ? num - 1 - i : i;
}

template <typename Kernel, int kPhase>
void RunPhase(Place place, std::vector<typename Kernel::Local>* locals) {
  for (uint32_t i = 0; i < place.num_threads; ++i) {
    place.thread = InOrder(i, place.num_threads);
    Kernel::template Run<kPhase>(place, &(*locals)[place.thread]);
  }
}

template <typename Kernel>
void RunGrid(const Grid& grid, std::vector<uint8_t>* shared) {
  std::vector<typename Kernel::Local> locals(grid.num_threads);
  const uint64_t num_tiles = Kernel::NumTiles(grid.table);
  for (uint32_t i = 0; i < grid.num_blocks; ++i) {
    for (uint64_t tile = InOrder(i, grid.num_blocks); tile < num_tiles; tile += grid.num_blocks) {
      std::fill(shared->begin(), shared->end(), kPoison);
      const Place place = {grid.table, grid.scratch, tile, 0, grid.num_threads, shared->data()};
      [&]<int... kPhases>(std::integer_sequence<int, kPhases...>) { (RunPhase<Kernel, kPhases>(place, &locals), ...); }
      (std::make_integer_sequence<int, Kernel::kNumPhases>());
    }
  }
}

struct HostKernel {
  std::string_view name;
  void (*run)(const Grid& grid, std::vector<uint8_t>* shared);
};

#define GEEPS_CUDA_HOST_KERNEL(Kernel) {Kernel::kName, RunGrid<Kernel>},
constexpr HostKernel kHostKernels[] = {GEEPS_CUDA_KERNELS(GEEPS_CUDA_HOST_KERNEL)};
#undef GEEPS_CUDA_HOST_KERNEL

template <typename T>
T ReadParameter(const void* parameter) {
  T value;
  std::memcpy(&value, parameter, sizeof value);
  return value;
}

}  // namespace

void* HostAddress(uint64_t device_address, uint64_t bytes, bool is_written) {
  const HostAddressFn fn = host_address.load(std::memory_order_relaxed);
  return fn != nullptr ? fn(device_address, bytes, is_written) : reinterpret_cast<void*>(device_address);
}

void SetHostAddress(HostAddressFn fn) { host_address.store(fn); }

void SetHostOrder(bool is_descending) { is_descending_order.store(is_descending); }

bool RunKernelOnHost(const char* name, unsigned num_blocks, unsigned num_threads, unsigned shared_bytes,
                     void** parameters) {
  std::string_view base = name;
  const bool is_inline =
      base.size() > kInlineSuffix.size() && base.substr(base.size() - kInlineSuffix.size()) == kInlineSuffix;
  if (is_inline) base.remove_suffix(kInlineSuffix.size());
  for (const HostKernel& kernel : kHostKernels) {
    if (kernel.name != base) continue;
    const uint8_t* const table =
        is_inline ? static_cast<const uint8_t*>(parameters[0])
                  : static_cast<const uint8_t*>(HostAddress(ReadParameter<uint64_t>(parameters[0]), 0, false));
    std::vector<uint8_t> shared(shared_bytes);
    kernel.run({num_blocks, num_threads, table, ReadParameter<uint64_t>(parameters[1])}, &shared);
    return true;
  }
  return false;
}

}  // namespace geeps::cuda
