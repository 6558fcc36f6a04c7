// SPDX-License-Identifier: Apache-2.0
// Status: what a step of this plugin answers inside, and how that becomes an answer in the terms of the ABI; and
// structs that come across the ABI with their size. A plugin links nothing of geeps, so it brings its own.
// Thread contract: immutable after construction; functions are pure.
#ifndef GEEPS_PLUGINS_CUDA_STATUS_H_
#define GEEPS_PLUGINS_CUDA_STATUS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <utility>

#include "geeps_plugin.h"

namespace geeps::cuda {

class Status {
 public:
  Status() = default;
  // native_code: a CUresult.
  Status(geeps_status code, std::string text, int32_t native_code = 0, bool is_latched = false)
      : code_(code), native_code_(native_code), is_latched_(is_latched), text_(std::move(text)) {}

  bool ok() const { return code_ == GEEPS_OK; }
  geeps_status code() const { return code_; }
  int32_t native_code() const { return native_code_; }
  bool is_latched() const { return is_latched_; }
  const std::string& text() const { return text_; }

 private:
  geeps_status code_ = GEEPS_OK;
  int32_t native_code_ = 0;
  bool is_latched_ = false;
  std::string text_;
};

template <typename... Parts>
std::string Text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <typename... Parts>
Status Invalid(const Parts&... parts) {
  return Status(GEEPS_E_INVALID, Text(parts...));
}

// Fills the caller's error, which may be nullptr, when `code` is an error; returns the code. Needs no memory.
geeps_status Report(geeps_status code, int32_t native_code, bool is_latched, const char* text,
                    geeps_error* err) noexcept;
inline geeps_status Report(const Status& status, geeps_error* err) noexcept {
  return Report(status.code(), status.native_code(), status.is_latched(), status.text().c_str(), err);
}

// Runs fn, a Status(), as the inside of a function of the ABI: no exception leaves it.
template <typename Fn>
geeps_status Guarded(geeps_error* err, Fn&& fn) {
  try {
    return Report(fn(), err);
  } catch (const std::bad_alloc&) {
    return Report(GEEPS_E_NOMEM, 0, false, "out of host memory for the bookkeeping of the cuda back end", err);
  } catch (const std::exception& e) {
    return Report(GEEPS_E_INTERNAL, 0, false, e.what(), err);
  } catch (...) {
    return Report(GEEPS_E_INTERNAL, 0, false, "an exception of unknown type in the cuda back end", err);
  }
}

// ReadStruct without types. Errors: Invalid, ABI.
Status CopyIn(const char* type_name, const void* from, uint32_t our_bytes, void* to);

// Copies a struct that begins with its uint32_t size: what a shorter one lacks is zero; a longer one may hold zeros
// only in what this build does not know.
template <typename T>
Status ReadStruct(const void* from, const char* type_name, T* out) {
  T copy = {};
  Status status = CopyIn(type_name, from, sizeof(T), &copy);
  if (status.ok()) *out = copy;
  return status;
}

// Writes as much of `from` as the caller's struct has room for; its struct_size stays.
template <typename T>
Status WriteStruct(const T& from, const char* type_name, T* to) {
  if (to == nullptr) return Invalid(type_name, " is NULL");
  const uint32_t size = to->struct_size;
  if (size < sizeof(size)) return Status(GEEPS_E_ABI, Text(type_name, ".struct_size is ", size));
  std::memcpy(to, &from, std::min<size_t>(size, sizeof(T)));
  to->struct_size = size;
  return Status();
}

// Calls fn(const T&) for each of `num` descriptors that lie first's struct_size bytes apart; stops at the first error.
template <typename T, typename Fn>
Status ForEachStruct(const T* first, uint64_t num, const char* type_name, Fn&& fn) {
  if (num == 0) return Status();
  if (first == nullptr) return Invalid(num, " of ", type_name, " at NULL");
  const uint32_t stride = first->struct_size;
  for (uint64_t i = 0; i < num; ++i) {
    T copy = {};
    Status status = ReadStruct(reinterpret_cast<const uint8_t*>(first) + i * stride, type_name, &copy);
    if (!status.ok()) return status;
    if (copy.struct_size != stride) {
      return Status(GEEPS_E_ABI,
                    Text(type_name, " ", i, " has struct_size ", copy.struct_size, ", the first has ", stride));
    }
    fn(copy);
  }
  return Status();
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_STATUS_H_
