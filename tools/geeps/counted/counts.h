// SPDX-License-Identifier: Apache-2.0
// Counts: what the module geeps_device_counted.so tells `geeps bench gpu`. The module is a back end that passes every
// call on to another one and counts the work that is asked for; the program gives it that one before a runtime opens
// it. Thread contract: Use before any runtime of the process opens the module; the counters at any time.
#ifndef GEEPS_TOOLS_GEEPS_COUNTED_COUNTS_H_
#define GEEPS_TOOLS_GEEPS_COUNTED_COUNTS_H_

#include <geeps_device.h>

#include <atomic>
#include <cstdint>

namespace geeps::tool {

// The interface of the module beside "geeps.device/1".
constexpr char kCountsId[] = "geeps.bench-counts/1";

struct WorkCounts {
  std::atomic<uint64_t> copies{0};
  std::atomic<uint64_t> copied_bytes{0};
  std::atomic<uint64_t> fills{0};
  std::atomic<uint64_t> moves{0};    // calls of move_rows: all its copies are one launch, all its additions another one
  std::atomic<uint64_t> applies{0};  // calls of apply
};

struct CountsInterface {
  // The back end that calls are passed on to, with the host that its functions want.
  void (*use)(const geeps_device* table, const geeps_host* host);
  const WorkCounts* counts;
};

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_COUNTED_COUNTS_H_
