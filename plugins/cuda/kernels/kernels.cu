// SPDX-License-Identifier: Apache-2.0
// The kernels as the device knows them: each class of kernel_list.h as NAME, with its table in device memory, and as
// NAME_inline, with a small table among the parameters (launch.h). Thread contract: as kernel_list.h.
#include <cstdint>

#include "plugins/cuda/kernels/kernel_list.h"
#include "plugins/cuda/launch.h"

namespace geeps::cuda {
namespace {

// All phases of a tile. Blocks with one phase have nothing to wait for.
template <typename Kernel, int kPhase>
__device__ __forceinline__ void RunPhases(const Place& place, typename Kernel::Local* local) {
  if constexpr (kPhase < Kernel::kNumPhases) {
    Kernel::template Run<kPhase>(place, local);
    if constexpr (Kernel::kNumPhases > 1) __syncthreads();
    RunPhases<Kernel, kPhase + 1>(place, local);
  }
}

template <typename Kernel>
__device__ __forceinline__ void RunBlock(const uint8_t* table, uint8_t* scratch) {
  extern __shared__ __align__(16) uint8_t shared[];
  const uint64_t num_tiles = Kernel::NumTiles(table);
  for (uint64_t tile = blockIdx.x; tile < num_tiles; tile += gridDim.x) {
    const Place place = {table, reinterpret_cast<uint64_t>(scratch), tile, threadIdx.x, blockDim.x, shared};
    typename Kernel::Local local;
    RunPhases<Kernel, 0>(place, &local);
  }
}

}  // namespace

// num_blocks: at least so many should be on a multiprocessor at once, which bounds the registers of a thread: what
// hides the latency of memory is the number of reads in flight, and 768 threads with 64 bytes each are 48 KiB of them.
#define GEEPS_CUDA_GLOBAL(name, Kernel, num_threads, num_blocks)                                                       \
  extern "C" __global__ void __launch_bounds__(num_threads, num_blocks) name(const uint8_t* table, uint8_t* scratch) { \
    RunBlock<Kernel>(table, scratch);                                                                                  \
  }                                                                                                                    \
  extern "C" __global__ void __launch_bounds__(num_threads, num_blocks)                                                \
      name##_inline(const __grid_constant__ InlineTable table, uint8_t* scratch) {                                     \
    RunBlock<Kernel>(table.bytes, scratch);                                                                            \
  }

GEEPS_CUDA_GLOBAL(copy_rows, CopyRowsKernel, kMoveThreads, 4)
GEEPS_CUDA_GLOBAL(add_rows, AddRowsKernel, kMoveThreads, 3)
GEEPS_CUDA_GLOBAL(apply_rows, ApplyRowsKernel, kApplyThreads, 6)
GEEPS_CUDA_GLOBAL(lamb_pieces, LambPiecesKernel, kApplyThreads, 6)
GEEPS_CUDA_GLOBAL(lamb_rows, LambRowsKernel, kApplyThreads, 6)
GEEPS_CUDA_GLOBAL(lamb_finish, LambFinishKernel, kApplyThreads, 6)
GEEPS_CUDA_GLOBAL(count_steps, CountStepsKernel, kApplyThreads, 6)

}  // namespace geeps::cuda
