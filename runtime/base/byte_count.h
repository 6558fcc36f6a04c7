// SPDX-License-Identifier: Apache-2.0
// Numbers of bytes as people write them. Pure.
#ifndef GEEPS_RUNTIME_BASE_BYTE_COUNT_H_
#define GEEPS_RUNTIME_BASE_BYTE_COUNT_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace geeps {

constexpr uint64_t kByteCountMax = uint64_t{1} << 62;

// A whole number from 1 to kByteCountMax, also with KiB, MiB, GiB or TiB behind it. False, and *out as it was, when it
// is none.
bool ParseByteCount(absl::string_view text, uint64_t* out);

}  // namespace geeps

#endif  // GEEPS_RUNTIME_BASE_BYTE_COUNT_H_
