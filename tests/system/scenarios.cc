// SPDX-License-Identifier: Apache-2.0
// scenarios: runs many drawn scenarios, each with a world size, transport, device, slack and shape of its own that
// follow from its seed, and compares every read and get with what it may show. `scenarios FIRST COUNT`; prints the
// seeds that differ.
#include <cstdio>
#include <cstdlib>

#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

std::string RunSeed(uint64_t seed, const std::string& device) {
  Random random(seed ^ 0x5eed);
  ScenarioOptions options;
  options.seed = seed;
  options.world = 1 + static_cast<uint32_t>(random.Below(5));
  options.slack_max = random.OneIn(2) ? 0 : static_cast<uint32_t>(random.Below(5));
  options.num_clocks = 6 + random.Below(12);
  options.large_tables = random.OneIn(2);
  options.sparse_rows = random.OneIn(4);
  options.every_clock = random.OneIn(4);
  options.modes = random.OneIn(2);
  options.row_calls = random.OneIn(2);
  const char* const devices[] = {"host", "deferred:lazy", "deferred:eager"};
  Setup setup;
  setup.transport = random.OneIn(2) ? "tcp" : "inproc";
  setup.device = random.OneIn(3) ? "deferred:seeded:" + std::to_string(seed) + (seed % 2 == 0 ? ":separate" : "")
                                 : devices[random.Below(3)];
  if (!device.empty()) setup.device = device;
  options.streams = setup.device != "host" && random.OneIn(2);
  const std::string complaints = RunScenario(options, setup);
  return complaints.empty() ? ""
                            : "seed " + std::to_string(seed) + ", " + std::to_string(options.world) + " workers over " +
                                  setup.transport + ", " + setup.device + ":\n" + complaints;
}

int Run(uint64_t first, uint64_t count, const std::string& device) {
  uint64_t failed = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::string complaints = RunSeed(seed, device);
    if (complaints.empty()) continue;
    ++failed;
    std::printf("%s", complaints.c_str());
    std::fflush(stdout);
  }
  std::printf("%llu scenarios, %llu show something else than they may\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(failed));
  return failed == 0 && count > 0 ? 0 : 1;
}

}  // namespace
}  // namespace geeps::system_test

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::printf("usage: scenarios FIRST COUNT [DEVICE]\n");
    return 2;
  }
  return geeps::system_test::Run(std::strtoull(argv[1], nullptr, 10), std::strtoull(argv[2], nullptr, 10),
                                 argc == 4 ? argv[3] : "");
}
