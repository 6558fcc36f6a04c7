// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/byte_count.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace geeps {

bool ParseByteCount(absl::string_view text, uint64_t* out) {
  uint32_t shift = 0;
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  for (uint32_t i = 0; i < 4; ++i) {
    if (absl::ConsumeSuffix(&text, kUnits[i])) shift = 10 * (i + 1);
  }
  uint64_t number = 0;
  if (!absl::SimpleAtoi(absl::StripTrailingAsciiWhitespace(text), &number) || number == 0 ||
      number > kByteCountMax >> shift) {
    return false;
  }
  *out = number << shift;
  return true;
}

}  // namespace geeps
