// SPDX-License-Identifier: Apache-2.0
// The cores and the memory of this machine, as far as this process may use them. Functions without state; any thread.
#ifndef GEEPS_TOOLS_GEEPS_CORES_H_
#define GEEPS_TOOLS_GEEPS_CORES_H_

#include <cstdint>
#include <vector>

namespace geeps::tool {

// The cores that the affinity mask of this process allows, in the order in which workers are bound to them: one hardware
// thread of each physical core first, then the second ones. Empty when the kernel does not say.
std::vector<int> AllowedCores();

// Binds the calling thread to one core. Returns 0 or errno. Safe between fork and exec.
int BindToCore(int core);

struct Memory {
  uint64_t total_bytes = 0;      // 0: unknown
  uint64_t available_bytes = 0;  // what can be allocated without swapping; 0: unknown
};

// Host memory, from /proc/meminfo.
Memory HostMemory();

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_CORES_H_
