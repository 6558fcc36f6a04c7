// SPDX-License-Identifier: Apache-2.0
// Between absl::Status and the device interface's (geeps_status, geeps_error), and structs that come across it with
// their size.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_DEVICE_ABI_STATUS_H_
#define GEEPS_RUNTIME_DEVICE_ABI_STATUS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>

#include "absl/status/status.h"
#include "geeps_device.h"
#include "runtime/base/status.h"

namespace geeps::device {

// Fills *err, which may be nullptr, when `status` is an error, and returns its code.
geeps_status ToAbi(const absl::Status& status, geeps_error* err);

// The status that a back end has reported by its code and *err. REQUIRES: code < 0.
absl::Status FromAbi(geeps_status code, const geeps_error& err);

// An empty geeps_error with its size set.
geeps_error EmptyError();

// Runs fn, an absl::Status(), for a function of the table: no exception gets out.
template <typename Fn>
geeps_status Guarded(geeps_error* err, Fn&& fn) {
  try {
    return ToAbi(fn(), err);
  } catch (const std::bad_alloc&) {
    return ToAbi(MakeStatus(Code::kNoMemory, "out of host memory for bookkeeping"), err);
  } catch (const std::exception& e) {
    return ToAbi(Internal("exception: ", e.what()), err);
  } catch (...) {
    return ToAbi(Internal("an exception of unknown type"), err);
  }
}

// Copies a struct that begins with its uint32_t size: what a shorter one lacks is zero; a longer one may hold zeros
// only in what this build does not know.
template <typename T>
absl::Status ReadStruct(const void* from, const char* type_name, T* out) {
  uint32_t size = 0;
  if (from == nullptr) return Invalid(type_name, " is NULL");
  std::memcpy(&size, from, sizeof(size));
  if (size < sizeof(size)) return MakeStatus(Code::kAbi, absl::StrCat(type_name, ".struct_size is ", size));
  T copy = {};
  std::memcpy(&copy, from, std::min<size_t>(size, sizeof(T)));
  const char* bytes = static_cast<const char*>(from);
  for (size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) {
      return MakeStatus(Code::kAbi, absl::StrCat(type_name, " has ", size, " bytes, this build knows ", sizeof(T),
                                                 ", and byte ", i, " is not zero"));
    }
  }
  *out = copy;
  return absl::OkStatus();
}

// Writes as much of `from` as the caller's struct has room for; its struct_size stays.
template <typename T>
absl::Status WriteStruct(const T& from, const char* type_name, T* to) {
  if (to == nullptr) return Invalid(type_name, " is NULL");
  const uint32_t size = to->struct_size;
  if (size < sizeof(size)) return MakeStatus(Code::kAbi, absl::StrCat(type_name, ".struct_size is ", size));
  std::memcpy(to, &from, std::min<size_t>(size, sizeof(T)));
  to->struct_size = size;
  return absl::OkStatus();
}

}  // namespace geeps::device

#endif  // GEEPS_RUNTIME_DEVICE_ABI_STATUS_H_
