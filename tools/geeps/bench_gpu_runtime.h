// SPDX-License-Identifier: Apache-2.0
// What sections of `geeps bench gpu` share that walk passes of a runtime. Thread contract: one thread per runtime.
#ifndef GEEPS_TOOLS_GEEPS_BENCH_GPU_RUNTIME_H_
#define GEEPS_TOOLS_GEEPS_BENCH_GPU_RUNTIME_H_

#include <string>

#include "tools/geeps/bench_gpu.h"

namespace geeps::tool {

// One worker alone, started.
geeps::Runtime StartAlone(const std::string& device, geeps::Error& err);

// Options of a table whose values MomentumAfter gives.
geeps::Options MomentumTable();

// The walker's calls are in the order of the device's stream; where a runtime does not know that, in the host's, which
// waits for it before anything is handed back.
void UseStream(GpuDevice* gpu, geeps::Walker* walker);
void FinishUnlessShared(GpuDevice* gpu);

// A number of the runtime's statistics.
uint64_t StatOf(const geeps::Runtime& rt, const char* section, const char* key, geeps::Error& err);

// Whether every value of a row is as expected at the runtime's clock.
GpuOutcome CheckRow(geeps::Table& table, uint64_t row, uint64_t row_values, float expected, const std::string& what,
                    geeps::Error& err);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_BENCH_GPU_RUNTIME_H_
