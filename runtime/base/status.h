// SPDX-License-Identifier: Apache-2.0
// Status helpers: what absl::Status cannot say by itself (the ABI's code, the worker at fault, its clock, errno) travels as a
// payload, so that the function that decides that something is an error describes it once and the C ABI reports it unchanged.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_BASE_STATUS_H_
#define GEEPS_RUNTIME_BASE_STATUS_H_

#include <cstdint>
#include <exception>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace geeps {

// The ABI's status codes (include/geeps.h), as an enum for switches; the values are the ABI's.
enum class Code : int32_t {
  kOk = 0,
  kInvalid = -1,
  kUnsupported = -2,
  kNoMemory = -3,
  kIo = -4,
  kTimeout = -5,
  kCancelled = -6,
  kPeerLost = -7,
  kData = -8,
  kAbi = -9,
  kInternal = -10,
  kDevice = -11,
  kState = -12,
  kMismatch = -13,
  kBudget = -14,
  kDenied = -15,
  kNotFound = -16,
  kAborted = -17,
};

// What a status says beside its text.
struct StatusDetail {
  Code code = Code::kOk;
  int32_t rank = -1;         // the worker at fault; -1: unknown or nobody
  uint64_t clock = 0;        // last clock heard from it
  int32_t native_code = 0;   // errno and the like
  bool retryable = false;
  bool latched = false;      // the runtime is lost
};

// A status with that code and text; OutOfMemory() when there is no memory for it. REQUIRES: detail.code is an error.
absl::Status MakeStatus(const StatusDetail& detail, absl::string_view text) noexcept;
inline absl::Status MakeStatus(Code code, absl::string_view text) noexcept {
  StatusDetail detail;
  detail.code = code;
  return MakeStatus(detail, text);
}

// kNoMemory, without a text or another detail: the one error that takes no memory to make.
absl::Status OutOfMemory() noexcept;

// The status that `body` returns. What it throws is std::bad_alloc, since nothing of geeps has exceptions of its own:
// OutOfMemory().
template <typename Body>
absl::Status CatchOutOfMemory(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::exception&) {
    return OutOfMemory();
  }
}

// The detail of a status; for a plain absl status, its code mapped to the ABI's. Needs no memory.
StatusDetail DetailOf(const absl::Status& status) noexcept;

// The same status with `phrase` and ": " before its text.
absl::Status Prefixed(const absl::Status& status, absl::string_view phrase);

// The same status, marked as the cause that lost the runtime. Without memory as MakeStatus, hence not marked.
absl::Status Latched(const absl::Status& status) noexcept;

// The same status, sharing nothing with `status`. What a thread hands to another one goes through here: copies of an absl::Status share
// its text by a reference count inside Abseil's library, whose order ThreadSanitizer does not see there. Without memory as MakeStatus.
absl::Status Detached(const absl::Status& status) noexcept;

// "GEEPS_E_STATE"; static.
const char* CodeName(int32_t code);

template <typename... Args>
absl::Status Invalid(const Args&... args) { return MakeStatus(Code::kInvalid, absl::StrCat(args...)); }
template <typename... Args>
absl::Status WrongState(const Args&... args) { return MakeStatus(Code::kState, absl::StrCat(args...)); }
template <typename... Args>
absl::Status Mismatch(const Args&... args) { return MakeStatus(Code::kMismatch, absl::StrCat(args...)); }
template <typename... Args>
absl::Status BadData(const Args&... args) { return MakeStatus(Code::kData, absl::StrCat(args...)); }
template <typename... Args>
absl::Status NoMemory(const Args&... args) { return MakeStatus(Code::kNoMemory, absl::StrCat(args...)); }
template <typename... Args>
absl::Status NotFound(const Args&... args) { return MakeStatus(Code::kNotFound, absl::StrCat(args...)); }
template <typename... Args>
absl::Status Unsupported(const Args&... args) { return MakeStatus(Code::kUnsupported, absl::StrCat(args...)); }
template <typename... Args>
absl::Status Internal(const Args&... args) { return MakeStatus(Code::kInternal, absl::StrCat(args...)); }

// An I/O error (ENOMEM: kNoMemory): text, then what `error_number` means.
absl::Status IoError(int error_number, absl::string_view text);

}  // namespace geeps

// Both return from the enclosing function when the expression fails.
#define GEEPS_STATUS_CONCAT_(a, b) a##b
#define GEEPS_STATUS_CONCAT(a, b) GEEPS_STATUS_CONCAT_(a, b)
#define GEEPS_RETURN_IF_ERROR(expression)                  \
  do {                                                     \
    ::absl::Status geeps_status_ = (expression);           \
    if (!geeps_status_.ok()) return geeps_status_;         \
  } while (0)
#define GEEPS_ASSIGN_OR_RETURN(target, expression) \
  GEEPS_ASSIGN_OR_RETURN_(GEEPS_STATUS_CONCAT(geeps_or_, __LINE__), target, expression)
#define GEEPS_ASSIGN_OR_RETURN_(or_name, target, expression) \
  auto or_name = (expression);                               \
  if (!or_name.ok()) return or_name.status();                \
  target = std::move(or_name).value()

#endif  // GEEPS_RUNTIME_BASE_STATUS_H_
