// SPDX-License-Identifier: Apache-2.0
// The modelled link: what copies between host and device memory cost where there is no device. Each direction carries
// one copy at a time: a latency, then bytes at a bandwidth. A copy begins when its stream has come to it and those
// before it in its direction are over, all of it counted from the moments at which that should have been: what a thread
// wakes up late does not add up. Pure.
#ifndef GEEPS_RUNTIME_DEVICE_MODELLED_LINK_H_
#define GEEPS_RUNTIME_DEVICE_MODELLED_LINK_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace geeps::device {

// What carries a piece of work out: one thing after another each.
enum class Lane : uint8_t {
  kDevice,
  kIn,   // host to device
  kOut,  // device to host
};
constexpr uint32_t kNumLanes = 3;

struct ModelledLink {
  uint64_t in_bytes_per_s = 0;  // 0: no link is modelled
  uint64_t out_bytes_per_s = 0;
  uint64_t latency_ns = 0;

  explicit operator bool() const { return in_bytes_per_s > 0; }
  // From the begin of a copy until so many of its bytes are there. REQUIRES: a lane of the link.
  uint64_t TimeOf(Lane lane, uint64_t bytes) const {
    const uint64_t bytes_per_s = lane == Lane::kIn ? in_bytes_per_s : out_bytes_per_s;
    return latency_ns + static_cast<uint64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_s));
  }
};

// "IN", "IN:OUT" or "IN:OUT:LATENCY": bytes per second, also with KiB, MiB, GiB or TiB behind them, and microseconds.
// Without OUT both directions are as fast; without LATENCY it is 10. Errors: Invalid.
absl::StatusOr<ModelledLink> ParseModelledLink(absl::string_view text);

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_MODELLED_LINK_H_
