// SPDX-License-Identifier: Apache-2.0
// Conversions at the edge: statuses to codes and geeps_error, caller's structs of any size, texts out, options and rows
// in. Every entry of the ABI runs inside Guard, so that no exception leaves libgeeps.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_CAPI_CONVERT_H_
#define GEEPS_RUNTIME_CAPI_CONVERT_H_

#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "geeps.h"
#include "runtime/base/status.h"
#include "runtime/table/row_set.h"

namespace geeps::capi {

// Fills `err` (unless NULL) and returns the code. Needs no memory.
geeps_status Report(const absl::Status& status, geeps_error* err) noexcept;

// Calls body, which returns an absl::Status or a geeps_status wrapped in StatusOr<geeps_status>; exceptions become
// statuses.
template <typename Body>
geeps_status Guard(geeps_error* err, Body&& body) noexcept {
  try {
    absl::StatusOr<geeps_status> result = body();
    if (result.ok()) return *result;
    return Report(result.status(), err);
  } catch (const std::bad_alloc&) {
    return Report(OutOfMemory(), err);
  } catch (const std::exception& error) {
    return Report(CatchOutOfMemory([&] { return Internal("an exception inside geeps: ", error.what()); }), err);
  } catch (...) {
    return Report(MakeStatus(Code::kInternal, "an unknown exception inside geeps"), err);
  }
}

// Copies a caller's struct of struct_size bytes into *out, whose tail is zero when the caller's is smaller. A larger
// one is accepted while its unknown tail is zero. Errors: Invalid for NULL; kAbi, naming both sizes.
absl::Status ReadStructBytes(const void* in, uint32_t min_size, uint32_t own_size, const char* name, void* out);
template <typename T>
absl::Status ReadStruct(const T* in, uint32_t min_size, const char* name, T* out) {
  return ReadStructBytes(in, min_size, sizeof(T), name, out);
}
// Checks the struct that the caller wants filled. Errors: as above.
absl::Status CheckOutStructBytes(const void* out, uint32_t min_size, uint32_t own_size, const char* name);
template <typename T>
absl::Status CheckOutStruct(const T* out, uint32_t min_size, const char* name) {
  return CheckOutStructBytes(out, min_size, sizeof(T), name);
}
// Writes the members that the caller's struct has. REQUIRES: CheckOutStruct.
void WriteStructBytes(const void* in, uint32_t own_size, void* out);

using Options = std::vector<std::pair<absl::string_view, absl::string_view>>;
absl::StatusOr<Options> ReadOptions(const geeps_kv* options, uint64_t num_options);
absl::StatusOr<std::vector<table::RowRun>> ReadRows(const geeps_rows* rows, uint64_t num_runs);
// The handle of a device stream; none for NULL and kind HOST. Errors: kAbi, Invalid.
absl::StatusOr<std::optional<uint64_t>> ReadStream(const geeps_stream* stream);
// Errors: Invalid for NULL or a text of more than max bytes.
absl::StatusOr<absl::string_view> ReadText(const char* text, const char* name, uint64_t max);
// The text-out convention of geeps.h.
absl::Status WriteText(absl::string_view text, char* buf, uint64_t cap, uint64_t* len);

}  // namespace geeps::capi

#endif  // GEEPS_RUNTIME_CAPI_CONVERT_H_
