// SPDX-License-Identifier: Apache-2.0
// LastUse: the program's last use of memory that it may use in several streams, one after another.
// Thread contract: the program's thread.
#ifndef GEEPS_RUNTIME_CACHE_LAST_USE_H_
#define GEEPS_RUNTIME_CACHE_LAST_USE_H_

#include "absl/status/status.h"
#include "runtime/device/device.h"

namespace geeps::cache {

class LastUse {
 public:
  // event: needed where the program has streams of its own.
  explicit LastUse(device::Event event = {}) : event_(std::move(event)) {}
  // Waits for it.
  ~LastUse();
  LastUse(const LastUse&) = delete;
  LastUse& operator=(const LastUse&) = delete;

  // The program is going to use the memory in stream `in`, or by host code (nullptr), which then waits here: what was
  // done to it in other streams is over before.
  absl::Status Begin(const device::Stream* in);
  // Its use is over with the work of `in` so far; nullptr: with this call.
  absl::Status End(const device::Stream* in);

 private:
  device::Event event_;
  const device::Stream* used_in_ = nullptr;  // event_ was recorded there and may not be complete
};

}  // namespace geeps::cache

#endif  // GEEPS_RUNTIME_CACHE_LAST_USE_H_
