// SPDX-License-Identifier: Apache-2.0
#include "plugins/idx/status.h"

#include <algorithm>
#include <cstring>

namespace geeps::idx {
namespace {

// No struct of a later version is longer: a struct_size beyond it was never set.
constexpr uint32_t kStructBytesMax = 4096;

uint32_t SizeOf(const void* with_struct_size) {
  uint32_t bytes;
  std::memcpy(&bytes, with_struct_size, sizeof bytes);
  return bytes;
}

Status BadSize(const char* what, uint32_t found, uint32_t expected) {
  return Status(GEEPS_E_ABI, std::string(what) + ": struct_size is " + std::to_string(found) + ", expected " +
                                 std::to_string(expected) + " or what a later version adds, zeroed");
}

}  // namespace

geeps_status Report(geeps_status code, int32_t native_code, const char* text, geeps_error* err) noexcept {
  if (code >= 0 || err == nullptr || err->struct_size < sizeof(uint32_t)) return code;
  geeps_error filled;
  std::memset(&filled, 0, sizeof filled);
  filled.code = code;
  filled.native_code = native_code;
  filled.rank = -1;
  const size_t length = std::min(std::strlen(text), sizeof filled.message - 1);
  std::memcpy(filled.message, text, length);
  CopyOut(&filled, sizeof filled, err);
  return code;
}

Status CopyIn(const char* what, const void* theirs, void* ours, uint32_t our_bytes, uint32_t min_bytes) {
  if (theirs == nullptr) return Status(GEEPS_E_INVALID, std::string(what) + " is NULL");
  const uint32_t their_bytes = SizeOf(theirs);
  if (their_bytes < min_bytes || their_bytes > kStructBytesMax) return BadSize(what, their_bytes, our_bytes);
  const auto* bytes = static_cast<const unsigned char*>(theirs);
  for (uint32_t i = our_bytes; i < their_bytes; ++i) {
    if (bytes[i] != 0) return BadSize(what, their_bytes, our_bytes);
  }
  std::memset(ours, 0, our_bytes);
  std::memcpy(ours, theirs, std::min(our_bytes, their_bytes));
  return Status();
}

Status CheckOut(const char* what, const void* theirs, uint32_t min_bytes) {
  if (theirs == nullptr) return Status(GEEPS_E_INVALID, std::string(what) + " is NULL");
  if (SizeOf(theirs) < min_bytes) return BadSize(what, SizeOf(theirs), min_bytes);
  return Status();
}

void CopyOut(const void* ours, uint32_t our_bytes, void* theirs) {
  const uint32_t skip = sizeof(uint32_t);   // struct_size stays the caller's
  const uint32_t end = std::min(our_bytes, SizeOf(theirs));
  std::memcpy(static_cast<char*>(theirs) + skip, static_cast<const char*>(ours) + skip, end - skip);
}

}  // namespace geeps::idx
