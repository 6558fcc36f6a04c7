// SPDX-License-Identifier: Apache-2.0
// What a step of this plugin answers inside, and how that becomes an answer in the terms of the ABI: a status and a
// sentence.
//
// A plugin links nothing of geeps, so it brings its own small Status. Immutable after construction; safe to copy
// between threads.
#ifndef PLUGINS_IDX_STATUS_H_
#define PLUGINS_IDX_STATUS_H_

#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "geeps_plugin.h"

namespace geeps::idx {

class Status {
 public:
  Status() = default;
  Status(geeps_status code, std::string text, int32_t native_code = 0)
      : code_(code), native_code_(native_code), text_(std::move(text)) {}

  bool ok() const { return code_ == GEEPS_OK; }
  geeps_status code() const { return code_; }
  int32_t native_code() const { return native_code_; }
  const std::string& text() const { return text_; }

 private:
  geeps_status code_ = GEEPS_OK;
  int32_t native_code_ = 0;
  std::string text_;
};

// Fills the caller's error when the status is negative; returns the code. err may be NULL. Needs no memory.
geeps_status Report(geeps_status code, int32_t native_code, const char* text, geeps_error* err) noexcept;
inline geeps_status Report(const Status& status, geeps_error* err) noexcept {
  return Report(status.code(), status.native_code(), status.text().c_str(), err);
}

// Copies what a caller of another version handed in: a smaller struct has a tail of zeros, a larger one is refused
// unless what lies behind our end is zero. min_bytes: size of the struct in the first version of the interface.
Status CopyIn(const char* what, const void* theirs, void* ours, uint32_t our_bytes, uint32_t min_bytes);

// Checks the size of a struct to be filled; CopyOut then writes what fits and keeps the caller's struct_size.
Status CheckOut(const char* what, const void* theirs, uint32_t min_bytes);
void CopyOut(const void* ours, uint32_t our_bytes, void* theirs);

// Runs `body` (returning Status) as the inside of an entry of the ABI: no exception leaves it.
template <typename Body>
geeps_status Entry(geeps_error* err, Body&& body) {
  try {
    return Report(body(), err);
  } catch (const std::bad_alloc&) {
    return Report(GEEPS_E_NOMEM, 0, "no memory for the bookkeeping of a data source", err);
  } catch (const std::exception& e) {
    return Report(GEEPS_E_INTERNAL, 0, e.what(), err);
  } catch (...) {
    return Report(GEEPS_E_INTERNAL, 0, "a data source failed", err);
  }
}

}  // namespace geeps::idx

#endif  // PLUGINS_IDX_STATUS_H_
