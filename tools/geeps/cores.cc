// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/cores.h"

#include <sched.h>

#include <cerrno>
#include <fstream>
#include <set>
#include <string>

namespace geeps::tool {
namespace {

// A machine with more hardware threads than this is taken as one whose mask cannot be read.
constexpr int kCoresMax = 1 << 14;

// The lowest hardware thread on the same physical core, or `core` itself when the kernel does not say.
int FirstSibling(int core) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(core) + "/topology/thread_siblings_list");
  int first = core;
  return file >> first ? first : core;
}

}  // namespace

std::vector<int> AllowedCores() {
  std::vector<int> cores;
  for (int num_cores = 1024; num_cores <= kCoresMax && cores.empty(); num_cores *= 2) {
    cpu_set_t* mask = CPU_ALLOC(num_cores);
    if (mask == nullptr) break;
    const size_t mask_bytes = CPU_ALLOC_SIZE(num_cores);
    CPU_ZERO_S(mask_bytes, mask);
    const bool known = sched_getaffinity(0, mask_bytes, mask) == 0;
    const bool too_small = !known && errno == EINVAL;
    for (int core = 0; known && core < num_cores; ++core) {
      if (CPU_ISSET_S(core, mask_bytes, mask)) cores.push_back(core);
    }
    CPU_FREE(mask);
    if (!too_small) break;
  }
  // Two workers on one physical core would share its arithmetic units while another core idles.
  std::set<int> taken;
  std::vector<bool> second(cores.size());
  for (size_t i = 0; i < cores.size(); ++i) second[i] = !taken.insert(FirstSibling(cores[i])).second;
  std::vector<int> ordered;
  for (bool want : {false, true}) {
    for (size_t i = 0; i < cores.size(); ++i) {
      if (second[i] == want) ordered.push_back(cores[i]);
    }
  }
  return ordered;
}

int BindToCore(int core) {
  constexpr int kBits = 8 * sizeof(unsigned long);
  unsigned long mask[kCoresMax / kBits] = {};  // on the stack: nothing may be allocated between fork and exec
  if (core < 0 || core >= kCoresMax) return EINVAL;
  mask[core / kBits] |= 1ul << (core % kBits);
  return sched_setaffinity(0, sizeof(mask), reinterpret_cast<cpu_set_t*>(mask)) == 0 ? 0 : errno;
}

Memory HostMemory() {
  Memory memory;
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  uint64_t kib = 0;
  while (file >> key >> kib) {
    std::getline(file, unit);
    if (key == "MemTotal:") memory.total_bytes = kib * 1024;
    if (key == "MemAvailable:") memory.available_bytes = kib * 1024;
  }
  return memory;
}

}  // namespace geeps::tool
