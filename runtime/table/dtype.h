// SPDX-License-Identifier: Apache-2.0
// DType: how values are kept. A table has one dtype; its values travel in the wire dtype and are summed and kept in the
// accumulate dtype. For f32 and f64 the three are the same; a 16-bit wire dtype would accumulate in f32.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_DTYPE_H_
#define GEEPS_RUNTIME_TABLE_DTYPE_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace geeps::table {

// The values are the codes of the ABI (GEEPS_F32 ..): DLPack type code << 16 | bits << 8 | lanes.
enum class DType : uint32_t {
  kF32 = 0x022001,
  kF64 = 0x024001,
};

// Bytes of one value.
inline constexpr uint64_t ValueBytes(DType dtype) { return dtype == DType::kF64 ? 8 : 4; }

// The dtype in which values of `dtype` are summed and rule state is kept.
inline constexpr DType AccumulateDType(DType dtype) { return dtype; }

// "f32"; static.
const char* DTypeName(DType dtype);

// Errors: Unsupported for a code that tables cannot have.
absl::StatusOr<DType> DTypeFromCode(uint32_t code);

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_DTYPE_H_
