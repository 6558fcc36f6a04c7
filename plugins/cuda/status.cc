// SPDX-License-Identifier: Apache-2.0
#include "plugins/cuda/status.h"

namespace geeps::cuda {

geeps_status Report(geeps_status code, int32_t native_code, bool is_latched, const char* text,
                    geeps_error* err) noexcept {
  if (code >= 0 || err == nullptr || err->struct_size < sizeof(err->struct_size)) return code;
  geeps_error filled = {};
  filled.struct_size = err->struct_size;
  filled.code = code;
  filled.native_code = native_code;
  filled.flags = is_latched ? GEEPS_ERROR_LATCHED : 0u;
  filled.rank = -1;
  const size_t length = std::min(std::strlen(text), sizeof(filled.message) - 1);
  std::copy_n(text, length, filled.message);
  std::memcpy(err, &filled, std::min<size_t>(err->struct_size, sizeof(filled)));
  return code;
}

Status CopyIn(const char* type_name, const void* from, uint32_t our_bytes, void* to) {
  if (from == nullptr) return Invalid(type_name, " is NULL");
  uint32_t size = 0;
  std::memcpy(&size, from, sizeof(size));
  if (size < sizeof(size)) return Status(GEEPS_E_ABI, Text(type_name, ".struct_size is ", size));
  const char* const bytes = static_cast<const char*>(from);
  for (uint32_t i = our_bytes; i < size; ++i) {
    if (bytes[i] != 0) {
      return Status(GEEPS_E_ABI, Text(type_name, " has ", size, " bytes, this build knows ", our_bytes, ", and byte ",
                                      i, " is not zero"));
    }
  }
  std::memcpy(to, from, std::min(size, our_bytes));
  return Status();
}

}  // namespace geeps::cuda
