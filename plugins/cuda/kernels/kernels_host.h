// SPDX-License-Identifier: Apache-2.0
// KernelsHost: the bodies of the kernels compiled for the host and run block by block, phase by phase, thread by
// thread: what a fake driver does when a kernel is launched. Device memory is asked for by its address, so it may lie
// anywhere. Thread contract: RunKernelOnHost may be called by several threads at once, the setters before all of them.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_KERNELS_HOST_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_KERNELS_HOST_H_

#include <cstdint>

namespace geeps::cuda {

// Where the bytes of a device address lie. It is asked for every access of up to 16 bytes, which do not cross a
// multiple of their size, and for a table, of which the kernel alone knows the size: bytes 0. Addresses of pinned
// memory come, too. nullptr, as at the beginning: the address itself.
using HostAddressFn = void* (*)(uint64_t device_address, uint64_t bytes, bool is_written);
void SetHostAddress(HostAddressFn fn);

// Blocks and the threads of each phase in ascending order, as at the beginning, or in descending order: a kernel whose
// result depends on it is wrong.
void SetHostOrder(bool is_descending);

// Runs a kernel now. `name` may end with "_inline"; parameters are those of cuLaunchKernel. False: there is no such
// kernel. Shared memory is filled with bytes that are no sensible number first.
bool RunKernelOnHost(const char* name, unsigned num_blocks, unsigned num_threads, unsigned shared_bytes,
                     void** parameters);

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_KERNELS_HOST_H_
