// SPDX-License-Identifier: Apache-2.0
#include "runtime/protocol/types.h"

#include <bit>

namespace geeps::protocol {

bool SameBits(const RuleParams& a, const RuleParams& b) {
  if (a.num != b.num) return false;
  for (uint32_t i = 0; i < a.num && i < kNumParamsMax; ++i) {
    if (std::bit_cast<uint64_t>(a.values[i]) != std::bit_cast<uint64_t>(b.values[i])) return false;
  }
  return true;
}

}  // namespace geeps::protocol
