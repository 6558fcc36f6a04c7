// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/status.h"

#include <errno.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "absl/strings/cord.h"
#include "absl/types/optional.h"

namespace geeps {
namespace {

constexpr absl::string_view kPayloadUrl = "geeps/status-detail";

absl::StatusCode AbslCode(Code code) {
  switch (code) {
    case Code::kOk: return absl::StatusCode::kOk;
    case Code::kInvalid: return absl::StatusCode::kInvalidArgument;
    case Code::kUnsupported: return absl::StatusCode::kUnimplemented;
    case Code::kNoMemory:
    case Code::kBudget: return absl::StatusCode::kResourceExhausted;
    case Code::kIo:
    case Code::kPeerLost: return absl::StatusCode::kUnavailable;
    case Code::kTimeout: return absl::StatusCode::kDeadlineExceeded;
    case Code::kCancelled: return absl::StatusCode::kCancelled;
    case Code::kData: return absl::StatusCode::kDataLoss;
    case Code::kState:
    case Code::kAbi:
    case Code::kMismatch: return absl::StatusCode::kFailedPrecondition;
    case Code::kDenied: return absl::StatusCode::kPermissionDenied;
    case Code::kNotFound: return absl::StatusCode::kNotFound;
    case Code::kAborted: return absl::StatusCode::kAborted;
    case Code::kInternal:
    case Code::kDevice: return absl::StatusCode::kInternal;
  }
  return absl::StatusCode::kInternal;
}

Code CodeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk: return Code::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange: return Code::kInvalid;
    case absl::StatusCode::kUnimplemented: return Code::kUnsupported;
    case absl::StatusCode::kResourceExhausted: return Code::kNoMemory;
    case absl::StatusCode::kUnavailable: return Code::kIo;
    case absl::StatusCode::kDeadlineExceeded: return Code::kTimeout;
    case absl::StatusCode::kCancelled: return Code::kCancelled;
    case absl::StatusCode::kDataLoss: return Code::kData;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists: return Code::kState;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated: return Code::kDenied;
    case absl::StatusCode::kNotFound: return Code::kNotFound;
    case absl::StatusCode::kAborted: return Code::kAborted;
    default: return Code::kInternal;
  }
}

}  // namespace

absl::Status MakeStatus(const StatusDetail& detail, absl::string_view text) noexcept {
  try {
    absl::Status status(AbslCode(detail.code), text);
    status.SetPayload(kPayloadUrl,
                      absl::Cord(absl::string_view(reinterpret_cast<const char*>(&detail), sizeof(detail))));
    return status;
  } catch (const std::exception&) {
    return OutOfMemory();
  }
}

// A status without a text is a number where others are a pointer.
absl::Status OutOfMemory() noexcept { return absl::Status(absl::StatusCode::kResourceExhausted, ""); }

StatusDetail DetailOf(const absl::Status& status) noexcept {
  StatusDetail detail;
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (payload.has_value() && payload->size() == sizeof(detail)) {
    char* to = reinterpret_cast<char*>(&detail);
    for (const absl::string_view chunk : payload->Chunks()) to = std::copy(chunk.begin(), chunk.end(), to);
    return detail;
  }
  detail.code = CodeOf(status.code());
  return detail;
}

absl::Status Prefixed(const absl::Status& status, absl::string_view phrase) {
  if (status.ok()) return status;
  return MakeStatus(DetailOf(status), absl::StrCat(phrase, ": ", status.message()));
}

absl::Status Latched(const absl::Status& status) noexcept {
  if (status.ok()) return status;
  StatusDetail detail = DetailOf(status);
  detail.latched = true;
  return MakeStatus(detail, status.message());
}

absl::Status Detached(const absl::Status& status) noexcept {
  return status.ok() ? absl::OkStatus() : MakeStatus(DetailOf(status), status.message());
}

absl::Status IoError(int error_number, absl::string_view text) {
  StatusDetail detail;
  detail.code = error_number == ENOMEM ? Code::kNoMemory : Code::kIo;
  detail.native_code = error_number;
  return MakeStatus(detail, absl::StrCat(text, ": ", std::generic_category().message(error_number)));
}

const char* CodeName(int32_t code) {
  static constexpr const char* kNames[] = {
      "GEEPS_OK",          "GEEPS_E_INVALID",   "GEEPS_E_UNSUPPORTED", "GEEPS_E_NOMEM",  "GEEPS_E_IO",     "GEEPS_E_TIMEOUT",
      "GEEPS_E_CANCELLED", "GEEPS_E_PEER_LOST", "GEEPS_E_DATA",        "GEEPS_E_ABI",    "GEEPS_E_INTERNAL", "GEEPS_E_DEVICE",
      "GEEPS_E_STATE",     "GEEPS_E_MISMATCH",  "GEEPS_E_BUDGET",      "GEEPS_E_DENIED", "GEEPS_E_NOT_FOUND", "GEEPS_E_ABORTED"};
  if (code == 1) return "GEEPS_AGAIN";
  if (code == 2) return "GEEPS_END";
  if (code > 0 || code < -17) return "GEEPS_E_?";
  return kNames[-code];
}

}  // namespace geeps
