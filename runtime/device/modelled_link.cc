// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/modelled_link.h"

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "runtime/base/byte_count.h"
#include "runtime/base/status.h"

namespace geeps::device {
namespace {

constexpr uint64_t kLatencyUs = 10;
constexpr uint64_t kLatencyUsMax = 1'000'000;
// The nanoseconds of a copy of terabytes can be counted.
constexpr uint64_t kBytesPerSMin = 1024;

}  // namespace

absl::StatusOr<ModelledLink> ParseModelledLink(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  ModelledLink link;
  uint64_t latency_us = kLatencyUs;
  const bool is_read = parts.size() <= 3 && ParseByteCount(parts[0], &link.in_bytes_per_s) &&
                       ParseByteCount(parts.size() > 1 ? parts[1] : parts[0], &link.out_bytes_per_s) &&
                       (parts.size() < 3 || absl::SimpleAtoi(parts[2], &latency_us));
  if (!is_read || link.in_bytes_per_s < kBytesPerSMin || link.out_bytes_per_s < kBytesPerSMin || latency_us == 0 ||
      latency_us > kLatencyUsMax) {
    return Invalid("link:", text, ": the link's bytes per second to the device, from ", kBytesPerSMin,
                   " on, and behind a ':' each those from the device, and microseconds of latency from 1 to ",
                   kLatencyUsMax, "; 800MiB:800MiB:20, say");
  }
  link.latency_ns = latency_us * 1000;
  return link;
}

}  // namespace geeps::device
