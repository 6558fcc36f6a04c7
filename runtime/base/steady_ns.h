// SPDX-License-Identifier: Apache-2.0
// Nanoseconds of a clock that never goes back and that all processes of a machine share. Thread contract: any thread.
#ifndef GEEPS_RUNTIME_BASE_STEADY_NS_H_
#define GEEPS_RUNTIME_BASE_STEADY_NS_H_

#include <chrono>
#include <cstdint>

namespace geeps {

inline uint64_t SteadyNs() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_STEADY_NS_H_
