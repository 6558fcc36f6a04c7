// SPDX-License-Identifier: Apache-2.0
#include "runtime/capi/convert.h"

#include <algorithm>
#include <cstring>

#include "runtime/table/dtype.h"

namespace geeps::capi {
namespace {

static_assert(static_cast<uint32_t>(table::DType::kF32) == GEEPS_F32 &&
              static_cast<uint32_t>(table::DType::kF64) == GEEPS_F64);
static_assert(static_cast<int32_t>(Code::kAborted) == GEEPS_E_ABORTED &&
              static_cast<int32_t>(Code::kInvalid) == GEEPS_E_INVALID);

// More options or runs than this cannot be meant.
constexpr uint64_t kOptionsMax = 1024;
constexpr uint64_t kRunsMax = uint64_t{1} << 32;
constexpr uint64_t kOptionBytesMax = 65536;
// No struct of a later release is longer: a struct_size beyond it was never set.
constexpr uint32_t kStructBytesMax = 4096;

// `text` for OutOfMemory(), which has none of its own; else the status's.
absl::string_view NoMemoryText(const absl::Status& status, absl::string_view text) {
  return status.message().empty() && DetailOf(status).code == Code::kNoMemory ? text : status.message();
}

// Checks the size that the caller has set, and that what this library does not know of the struct is zero.
absl::Status CheckSize(const void* in, uint32_t min_size, uint32_t own_size, const char* name) {
  if (in == nullptr) return Invalid(name, " is NULL");
  uint32_t size = 0;
  std::memcpy(&size, in, sizeof(size));
  if (size < min_size || size > kStructBytesMax) {
    return MakeStatus(Code::kAbi, absl::StrCat(name, " has struct_size ", size, ", at least ", min_size,
                                               " is needed (this library's is ", own_size, "): set it to sizeof"));
  }
  const uint8_t* const bytes = static_cast<const uint8_t*>(in);
  for (uint32_t i = own_size; i < size; ++i) {
    if (bytes[i] != 0) {
      return MakeStatus(Code::kAbi, absl::StrCat(name, " has struct_size ", size, " with members this library (",
                                                 own_size, " bytes) does not know: it is older than the caller"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

geeps_status Report(const absl::Status& status, geeps_error* err) noexcept {
  const StatusDetail detail = DetailOf(status);
  const geeps_status code = static_cast<geeps_status>(detail.code);
  if (err == nullptr || err->struct_size < offsetof(geeps_error, message) + 2) return code;
  geeps_error filled;
  std::memset(&filled, 0, sizeof(filled));
  filled.struct_size = err->struct_size;
  filled.code = code;
  filled.native_code = detail.native_code;
  filled.flags = (detail.retryable ? GEEPS_ERROR_RETRYABLE : 0) | (detail.latched ? GEEPS_ERROR_LATCHED : 0);
  filled.rank = detail.rank;
  filled.clock = detail.rank < 0 ? 0 : detail.clock;
  const size_t written = std::min<size_t>(err->struct_size, sizeof(filled));
  const size_t room = written - offsetof(geeps_error, message) - 1;
  const absl::string_view text = NoMemoryText(status, "the allocator has no memory left");
  size_t size = std::min(room, text.size());
  // Cut before a character, not inside one.
  while (size < text.size() && size > 0 && (text[size] & 0xc0) == 0x80) --size;
  std::memcpy(filled.message, text.data(), size);
  std::memcpy(err, &filled, written);
  return code;
}

absl::Status ReadStructBytes(const void* in, uint32_t min_size, uint32_t own_size, const char* name, void* out) {
  GEEPS_RETURN_IF_ERROR(CheckSize(in, min_size, own_size, name));
  uint32_t size = 0;
  std::memcpy(&size, in, sizeof(size));
  std::memset(out, 0, own_size);
  std::memcpy(out, in, std::min(size, own_size));
  return absl::OkStatus();
}

absl::Status CheckOutStructBytes(const void* out, uint32_t min_size, uint32_t own_size, const char* name) {
  return CheckSize(out, min_size, own_size, name);
}

void WriteStructBytes(const void* in, uint32_t own_size, void* out) {
  uint32_t size = 0;
  std::memcpy(&size, out, sizeof(size));
  const uint32_t written = std::min(size, own_size);
  std::memcpy(static_cast<uint8_t*>(out) + sizeof(size), static_cast<const uint8_t*>(in) + sizeof(size),
              written - sizeof(size));
}

absl::StatusOr<absl::string_view> ReadText(const char* text, const char* name, uint64_t max) {
  if (text == nullptr) return Invalid(name, " is NULL");
  const size_t size = strnlen(text, max + 1);
  if (size > max) return Invalid(name, " is longer than ", max, " bytes");
  return absl::string_view(text, size);
}

absl::StatusOr<Options> ReadOptions(const geeps_kv* options, uint64_t num_options) {
  if (num_options > kOptionsMax) return Invalid(num_options, " options, at most ", kOptionsMax);
  if (num_options > 0 && options == nullptr) return Invalid("options is NULL with num_options = ", num_options);
  Options result;
  for (uint64_t i = 0; i < num_options; ++i) {
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view key, ReadText(options[i].key, "an option's key", kOptionBytesMax));
    GEEPS_ASSIGN_OR_RETURN(const absl::string_view value,
                           ReadText(options[i].value, "an option's value", kOptionBytesMax));
    result.emplace_back(key, value);
  }
  return result;
}

absl::StatusOr<std::vector<table::RowRun>> ReadRows(const geeps_rows* rows, uint64_t num_runs) {
  if (num_runs > kRunsMax) return Invalid(num_runs, " runs of rows, at most ", kRunsMax);
  if (num_runs > 0 && rows == nullptr) return Invalid("rows is NULL with num_runs = ", num_runs);
  std::vector<table::RowRun> runs;
  runs.reserve(num_runs);
  for (uint64_t i = 0; i < num_runs; ++i) runs.push_back({rows[i].first, rows[i].count});
  return runs;
}

absl::StatusOr<std::optional<uint64_t>> ReadStream(const geeps_stream* stream) {
  if (stream == nullptr) return std::nullopt;
  geeps_stream read;
  GEEPS_RETURN_IF_ERROR(ReadStruct(stream, sizeof(geeps_stream), "stream", &read));
  if (read.kind == GEEPS_STREAM_HOST) return std::nullopt;
  if (read.kind == GEEPS_STREAM_DEVICE) return read.handle;
  return Invalid("stream kind ", read.kind, ": GEEPS_STREAM_HOST or GEEPS_STREAM_DEVICE");
}

absl::Status WriteText(absl::string_view text, char* buf, uint64_t cap, uint64_t* len) {
  if (len == nullptr) return Invalid("len is NULL");
  if (buf == nullptr && cap > 0) return Invalid("buf is NULL with cap = ", cap);
  if (cap > text.size()) {
    std::memcpy(buf, text.data(), text.size());
    buf[text.size()] = '\0';
  }
  *len = text.size() + 1;
  return absl::OkStatus();
}

}  // namespace geeps::capi
