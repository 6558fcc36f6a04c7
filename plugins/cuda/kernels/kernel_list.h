// SPDX-License-Identifier: Apache-2.0
// KernelList: every kernel of the image. A kernel is a class with its name, the number of its phases, what a thread
// keeps from phase to phase (Local), and Run, one phase of one thread; the threads of a block wait for each other
// behind each phase. A block works on tiles b, b + num_blocks and so on, below NumTiles. Thread contract: plain data.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_KERNEL_LIST_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_KERNEL_LIST_H_

#include "plugins/cuda/kernels/apply_rows.h"
#include "plugins/cuda/kernels/lamb.h"
#include "plugins/cuda/kernels/move_rows.h"

// X(class). kernels.cu names the same ones, as names of functions cannot be made of classes; a test compares them.
#define GEEPS_CUDA_KERNELS(X) \
  X(CopyRowsKernel)           \
  X(AddRowsKernel)            \
  X(ApplyRowsKernel)          \
  X(LambPiecesKernel)         \
  X(LambRowsKernel)           \
  X(LambFinishKernel)         \
  X(CountStepsKernel)

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_KERNEL_LIST_H_
