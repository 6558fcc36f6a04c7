// SPDX-License-Identifier: Apache-2.0
#include "runtime/cache/last_use.h"

#include "runtime/base/status.h"

namespace geeps::cache {
namespace {

constexpr const char* kWaitForLastUse = "local_data.last_use";

}  // namespace

LastUse::~LastUse() {
  if (used_in_ != nullptr) event_.Wait(kWaitForLastUse).IgnoreError();
}

absl::Status LastUse::Begin(const device::Stream* in) {
  if (used_in_ == nullptr || used_in_ == in) return absl::OkStatus();
  if (in != nullptr) return in->WaitFor(kWaitForLastUse, event_);
  GEEPS_RETURN_IF_ERROR(event_.Wait(kWaitForLastUse));
  used_in_ = nullptr;
  return absl::OkStatus();
}

// Several operations may be open: the event captures the end of each of them.
absl::Status LastUse::End(const device::Stream* in) {
  if (in == nullptr) return absl::OkStatus();
  GEEPS_RETURN_IF_ERROR(Begin(in));
  GEEPS_RETURN_IF_ERROR(in->Record(event_));
  used_in_ = in;
  return absl::OkStatus();
}

}  // namespace geeps::cache
