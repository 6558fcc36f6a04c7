// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/dtype.h"

#include "absl/strings/str_format.h"
#include "runtime/base/status.h"

namespace geeps::table {

const char* DTypeName(DType dtype) { return dtype == DType::kF64 ? "f64" : "f32"; }

absl::StatusOr<DType> DTypeFromCode(uint32_t code) {
  switch (code) {
    case static_cast<uint32_t>(DType::kF32):
      return DType::kF32;
    case static_cast<uint32_t>(DType::kF64):
      return DType::kF64;
    default:
      break;
  }
  return Unsupported(absl::StrFormat("dtype 0x%06x: tables have dtype f32 (0x%06x) or f64 (0x%06x)", code,
                                     static_cast<uint32_t>(DType::kF32), static_cast<uint32_t>(DType::kF64)));
}

}  // namespace geeps::table
