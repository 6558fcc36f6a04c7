// SPDX-License-Identifier: Apache-2.0
// DType: how values are kept. A table has one dtype: that of its contributions, of the versions that are published and
// of what travels. Values are summed, and masters and rule state are kept, in the accumulate dtype: f32 for the 16-bit
// dtypes, else the same one.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_DTYPE_H_
#define GEEPS_RUNTIME_TABLE_DTYPE_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace geeps::table {

// The values are the codes of the ABI (GEEPS_F32 ..): DLPack type code << 16 | bits << 8 | lanes.
enum class DType : uint32_t {
  kF16 = 0x021001,
  kF32 = 0x022001,
  kF64 = 0x024001,
  kBf16 = 0x041001,
};

// Bytes of one value.
inline constexpr uint64_t ValueBytes(DType dtype) {
  switch (dtype) {
    case DType::kF16:
    case DType::kBf16:
      return 2;
    case DType::kF32:
      return 4;
    case DType::kF64:
      break;
  }
  return 8;
}

// The dtype in which values of `dtype` are summed, and in which masters and rule state are kept.
inline constexpr DType AccumulateDType(DType dtype) { return dtype == DType::kF64 ? DType::kF64 : DType::kF32; }

// True when the values that are published are rounded copies of masters.
inline constexpr bool HasMasters(DType dtype) { return AccumulateDType(dtype) != dtype; }

// The largest finite number.
double LargestNumber(DType dtype);

// "f32"; static.
const char* DTypeName(DType dtype);

// Errors: Unsupported for a code that tables cannot have.
absl::StatusOr<DType> DTypeFromCode(uint32_t code);

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_DTYPE_H_
