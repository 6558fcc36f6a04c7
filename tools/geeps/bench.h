// SPDX-License-Identifier: Apache-2.0
// `geeps bench`: how fast geeps is on this machine, measured as its users see it. Limits and other systems, against
// which docs/results/core.md holds these figures, are programs of tests/bench.
#ifndef GEEPS_TOOLS_GEEPS_BENCH_H_
#define GEEPS_TOOLS_GEEPS_BENCH_H_

#include <string>
#include <vector>

namespace geeps::tool {

// Runs the command with the arguments behind "bench"; returns the exit code.
int BenchCommand(const std::vector<std::string>& arguments);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_BENCH_H_
