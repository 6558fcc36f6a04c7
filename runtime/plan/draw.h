// SPDX-License-Identifier: Apache-2.0
// Random numbers for searches of a plan: the same ones everywhere and each time.
#ifndef GEEPS_RUNTIME_PLAN_DRAW_H_
#define GEEPS_RUNTIME_PLAN_DRAW_H_

#include <cstdint>

namespace geeps::plan {

// xorshift64* (Vigna 2016, https://vigna.di.unimi.it/ftp/papers/xorshift.pdf).
class Draw {
 public:
  // 0 .. bound - 1; bound: not 0, below 2^32.
  uint32_t Below(uint64_t bound) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>((state_ * 0x2545F4914F6CDD1Dull >> 32) * bound >> 32);
  }

 private:
  uint64_t state_ = 0x9E3779B97F4A7C15ull;
};

}  // namespace geeps::plan

#endif  // GEEPS_RUNTIME_PLAN_DRAW_H_
