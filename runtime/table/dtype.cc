// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/dtype.h"

#include <limits>

#include "absl/strings/str_format.h"
#include "runtime/base/status.h"

namespace geeps::table {

double LargestNumber(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return 65504.0;
    case DType::kBf16:
      return 0x1.fep127;
    case DType::kF32:
      return static_cast<double>(std::numeric_limits<float>::max());
    case DType::kF64:
      break;
  }
  return std::numeric_limits<double>::max();
}

const char* DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return "f16";
    case DType::kBf16:
      return "bf16";
    case DType::kF32:
      return "f32";
    case DType::kF64:
      break;
  }
  return "f64";
}

absl::StatusOr<DType> DTypeFromCode(uint32_t code) {
  const DType dtype = static_cast<DType>(code);
  switch (dtype) {
    case DType::kF16:
    case DType::kBf16:
    case DType::kF32:
    case DType::kF64:
      return dtype;
  }
  return Unsupported(
      absl::StrFormat("dtype 0x%06x: tables have dtype f16 (0x%06x), bf16 (0x%06x), f32 (0x%06x) or f64 "
                      "(0x%06x)",
                      code, static_cast<uint32_t>(DType::kF16), static_cast<uint32_t>(DType::kBf16),
                      static_cast<uint32_t>(DType::kF32), static_cast<uint32_t>(DType::kF64)));
}

}  // namespace geeps::table
