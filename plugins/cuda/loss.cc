// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/loss.h"

namespace geeps::cuda {
namespace {

constexpr Result kNotFound = 500;
constexpr Result kLaunchOutOfResources = 701;
constexpr Result kNotPermitted = 800;
constexpr Result kNotSupported = 801;
constexpr Result kCaptureFirst = 900;  // CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED ..
constexpr Result kCaptureLast = 908;   // .. CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD

geeps_status CodeOf(Result result) {
  switch (result) {
    case kOutOfMemory:
    case kLaunchOutOfResources:
      return GEEPS_E_NOMEM;
    case kNotPermitted:
    case kNotSupported:
      return GEEPS_E_UNSUPPORTED;
    default:
      return GEEPS_E_INVALID;
  }
}

}  // namespace

std::string ResultText(const Driver& driver, Result result) {
  const char* name = nullptr;
  const char* text = nullptr;
  const bool has_name = driver.GetErrorName(result, &name) == kSuccess && name != nullptr;
  const bool has_text = driver.GetErrorString(result, &text) == kSuccess && text != nullptr;
  if (!has_name) return Text("CUresult ", result, ", which this driver does not name");
  return has_text ? Text(name, " (", text, ")") : Text(name);
}

bool IsRecoverable(Result result) {
  switch (result) {
    case kSuccess:
    case kInvalidValue:
    case kOutOfMemory:
    case kInvalidHandle:
    case kNotFound:
    case kNotReady:
    case kLaunchOutOfResources:
    case kNotPermitted:
    case kNotSupported:
      return true;
    default:
      return result >= kCaptureFirst && result <= kCaptureLast;
  }
}

Status Loss::cause() const {
  if (!is_lost()) return Status();
  const std::lock_guard<std::mutex> lock(mutex_);
  return cause_;
}

Status Loss::Fail(Result result, bool always_loses, const std::string& call) {
  if (is_lost()) return cause();
  if (!always_loses && IsRecoverable(result)) {
    return Status(CodeOf(result), Text(call, " on ", device_text_, ": ", ResultText(*driver_, result)), result);
  }
  Status cause(GEEPS_E_DEVICE, Text(device_text_, " is lost: ", call, ": ", ResultText(*driver_, result)), result,
               true);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!is_lost()) {
    cause_ = std::move(cause);
    is_lost_.store(true, std::memory_order_release);
  }
  return cause_;
}

}  // namespace geeps::cuda
