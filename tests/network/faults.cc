// SPDX-License-Identifier: Apache-2.0
// network_faults: many drawn jobs, each with a fault of the network that must be noticed, and as many whose frames come
// late and in pieces. `network_faults FIRST COUNT`; prints what is not as it must be, with the seeds.
#include <cstdio>
#include <cstdlib>

#include "tests/network/drawn.h"

namespace geeps::network_test {
namespace {

int Run(uint64_t first, uint64_t count) {
  uint64_t num_struck = 0, num_wrong = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const Drawn drawn = RunDrawnFault(seed);
    const std::string delays = RunDrawnDelays(seed);
    num_struck += drawn.struck ? 1 : 0;
    for (const std::string& wrong : {drawn.wrong, delays}) {
      if (wrong.empty()) continue;
      ++num_wrong;
      std::printf("%s\n", wrong.c_str());
      std::fflush(stdout);
    }
  }
  std::printf("%llu jobs with a fault, in %llu of them it came to it, and as many with delays: %llu went wrong\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(num_struck),
              static_cast<unsigned long long>(num_wrong));
  return num_wrong == 0 && num_struck > 0 ? 0 : 1;
}

}  // namespace
}  // namespace geeps::network_test

int main(int argc, char** argv) {
  if (argc != 3) {
    std::printf("usage: network_faults FIRST COUNT\n");
    return 2;
  }
  return geeps::network_test::Run(std::strtoull(argv[1], nullptr, 10), std::strtoull(argv[2], nullptr, 10));
}
