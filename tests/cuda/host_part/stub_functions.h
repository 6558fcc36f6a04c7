// SPDX-License-Identifier: Apache-2.0
// A Driver whose functions answer as a test tells them, for parts of the plugin that need few of them. Thread contract:
// one thread; one StubFunctions at a time.
#ifndef GEEPS_TESTS_CUDA_HOST_PART_STUB_FUNCTIONS_H_
#define GEEPS_TESTS_CUDA_HOST_PART_STUB_FUNCTIONS_H_

#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <vector>

#include "plugins/cuda/driver.h"

namespace geeps::cuda {

struct StubFunctions {
  StubFunctions();
  ~StubFunctions() { current = nullptr; }

  Driver driver;
  // Answers.
  Result alloc = kSuccess;
  Result pin = kSuccess;
  Result copy = kSuccess;
  Result record = kSuccess;
  Result synchronize = kSuccess;  // a stream
  std::set<NativeEvent> complete;  // of the recorded ones
  // What was called.
  uint64_t num_synchronized = 0;  // streams
  uint64_t next_address = 1 << 20;
  std::map<uint64_t, uint64_t> device_memory;  // address -> bytes
  std::map<void*, uint64_t> pinned_memory;
  std::set<NativeEvent> events;
  std::set<NativeEvent> recorded;
  std::vector<NativeEvent> waited;
  struct Copied {
    uint64_t dst = 0;
    uint64_t src = 0;
    uint64_t bytes = 0;
  };
  std::vector<Copied> copies;

  static StubFunctions* current;
};

}  // namespace geeps::cuda

#endif  // GEEPS_TESTS_CUDA_HOST_PART_STUB_FUNCTIONS_H_
