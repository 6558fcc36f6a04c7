// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/abi_status.h"

#include <algorithm>
#include <cstddef>

namespace geeps::device {

geeps_status ToAbi(const absl::Status& status, geeps_error* err) {
  if (status.ok()) return GEEPS_OK;
  const StatusDetail detail = DetailOf(status);
  const geeps_status code = static_cast<geeps_status>(detail.code);
  if (err == nullptr || err->struct_size < sizeof(err->struct_size)) return code;
  geeps_error filled = {};
  filled.struct_size = err->struct_size;
  filled.code = code;
  filled.native_code = detail.native_code;
  filled.flags = (detail.retryable ? GEEPS_ERROR_RETRYABLE : 0u) | (detail.latched ? GEEPS_ERROR_LATCHED : 0u);
  filled.rank = detail.rank;
  filled.clock = detail.clock;
  const absl::string_view text = status.message();
  const size_t length = std::min(text.size(), sizeof(filled.message) - 1);
  std::copy_n(text.data(), length, filled.message);  // memcpy takes no null pointer, also not for no bytes
  std::memcpy(err, &filled, std::min<size_t>(err->struct_size, sizeof(filled)));
  return code;
}

absl::Status FromAbi(geeps_status code, const geeps_error& err) {
  StatusDetail detail;
  detail.code = code < 0 && code >= GEEPS_E_ABORTED ? static_cast<Code>(code) : Code::kDevice;
  detail.native_code = err.native_code;
  detail.retryable = (err.flags & GEEPS_ERROR_RETRYABLE) != 0;
  const size_t length = strnlen(err.message, sizeof(err.message));
  if (length == 0) return MakeStatus(detail, absl::StrCat("the device back end failed with status ", code));
  return MakeStatus(detail, absl::string_view(err.message, length));
}

geeps_error EmptyError() {
  geeps_error err = {};
  err.struct_size = sizeof(err);
  err.rank = -1;
  return err;
}

}  // namespace geeps::device
