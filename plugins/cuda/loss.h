// SPDX-License-Identifier: Apache-2.0
// Loss: whether one opened device is lost, and why. Results of the driver are turned into statuses here, so that the
// first one that says that the context is broken is kept, whichever call it came back from.
// Thread contract: any thread.
#ifndef GEEPS_PLUGINS_CUDA_LOSS_H_
#define GEEPS_PLUGINS_CUDA_LOSS_H_

#include <atomic>
#include <mutex>
#include <string>

#include "plugins/cuda/driver.h"
#include "plugins/cuda/status.h"

namespace geeps::cuda {

// "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)"
std::string ResultText(const Driver& driver, Result result);

// True when the context is as good as before: the call was refused, nothing else happened. What is not known to be so
// counts as a loss.
bool IsRecoverable(Result result);

class Loss {
 public:
  // device_text: "device 0 (NVIDIA H100)".
  Loss(const Driver* driver, std::string device_text) : driver_(driver), device_text_(std::move(device_text)) {}

  bool is_lost() const { return is_lost_.load(std::memory_order_acquire); }
  // The first cause; ok while the device is not lost.
  Status cause() const;
  const std::string& device_text() const { return device_text_; }

  // ok for kSuccess. Otherwise a status that names the call, "cuMemcpyAsync for a copy of 12 bytes", and the result:
  // NOMEM, INVALID or UNSUPPORTED for a call that was refused; the first cause when the device is lost, by this result
  // or before. call: parts of a text.
  template <typename... Parts>
  Status Check(Result result, const Parts&... call) {
    return result == kSuccess ? Status() : Fail(result, false, Text(call...));
  }
  // As Check, for calls behind others that have already changed what is in a stream: every failure is a loss.
  template <typename... Parts>
  Status CheckOrLose(Result result, const Parts&... call) {
    return result == kSuccess ? Status() : Fail(result, true, Text(call...));
  }

 private:
  Status Fail(Result result, bool always_loses, const std::string& call);

  const Driver* const driver_;
  const std::string device_text_;
  std::atomic<bool> is_lost_{false};
  mutable std::mutex mutex_;
  Status cause_;  // guarded by mutex_; constant once is_lost_
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_LOSS_H_
