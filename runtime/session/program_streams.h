// SPDX-License-Identifier: Apache-2.0
// ProgramStreams: the embedder's streams, by their handles. One that was passed once stays known until the runtime is
// destroyed: the path of a clock finds it without a lock or an allocation.
// Thread contract: one call at a time (the program's).
#ifndef GEEPS_RUNTIME_SESSION_PROGRAM_STREAMS_H_
#define GEEPS_RUNTIME_SESSION_PROGRAM_STREAMS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"

namespace geeps::session {

class ProgramStreams {
 public:
  // device: outlives this.
  explicit ProgramStreams(const device::Device* device) : device_(device) {}

  // Errors: those of the back end; Unsupported for one whose work is done when a call returns.
  absl::StatusOr<const device::Stream*> Of(uint64_t handle) {
    for (const auto& known : streams_) {
      if (known->handle == handle) return &known->stream;
    }
    if (device_->is_synchronous()) {
      return Unsupported("device '", device_->info().name,
                         "' has no streams of its own: pass NULL or kind GEEPS_STREAM_HOST");
    }
    auto added = std::make_unique<Known>();
    added->handle = handle;
    GEEPS_ASSIGN_OR_RETURN(added->stream, device_->WrapStream(handle));
    streams_.push_back(std::move(added));
    return &streams_.back()->stream;
  }

 private:
  struct Known {
    uint64_t handle = 0;
    device::Stream stream;
  };

  const device::Device* const device_;
  std::vector<std::unique_ptr<Known>> streams_;
};

}  // namespace geeps::session

#endif  // GEEPS_RUNTIME_SESSION_PROGRAM_STREAMS_H_
