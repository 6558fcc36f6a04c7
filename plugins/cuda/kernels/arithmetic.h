// SPDX-License-Identifier: Apache-2.0
// Arithmetic: + - * / and the square root, each rounded by itself to the nearest even number, whatever flags the
// compiler was given; and the 16-bit numbers f16 and bf16, widened and rounded. Element by element these are the
// operations of geeps_device.h, on the device and on the host. What they leave open is the payload of a NaN that an
// operation makes: processors differ there. Thread contract: pure functions.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_ARITHMETIC_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_ARITHMETIC_H_

#include <cmath>
#include <cstdint>

#include "plugins/cuda/kernels/target.h"

namespace geeps::cuda {

#if defined(__CUDA_ARCH__)
GEEPS_HD float Add(float a, float b) { return __fadd_rn(a, b); }
GEEPS_HD double Add(double a, double b) { return __dadd_rn(a, b); }
GEEPS_HD float Subtract(float a, float b) { return __fsub_rn(a, b); }
GEEPS_HD double Subtract(double a, double b) { return __dsub_rn(a, b); }
GEEPS_HD float Multiply(float a, float b) { return __fmul_rn(a, b); }
GEEPS_HD double Multiply(double a, double b) { return __dmul_rn(a, b); }
GEEPS_HD float Divide(float a, float b) { return __fdiv_rn(a, b); }
GEEPS_HD double Divide(double a, double b) { return __ddiv_rn(a, b); }
GEEPS_HD float SquareRoot(float a) { return __fsqrt_rn(a); }
GEEPS_HD double SquareRoot(double a) { return __dsqrt_rn(a); }
#else
// The build compiles host code with -ffp-contract=off.
GEEPS_HD float Add(float a, float b) { return a + b; }
GEEPS_HD double Add(double a, double b) { return a + b; }
GEEPS_HD float Subtract(float a, float b) { return a - b; }
GEEPS_HD double Subtract(double a, double b) { return a - b; }
GEEPS_HD float Multiply(float a, float b) { return a * b; }
GEEPS_HD double Multiply(double a, double b) { return a * b; }
GEEPS_HD float Divide(float a, float b) { return a / b; }
GEEPS_HD double Divide(double a, double b) { return a / b; }
GEEPS_HD float SquareRoot(float a) { return std::sqrt(a); }
GEEPS_HD double SquareRoot(double a) { return std::sqrt(a); }
#endif

// base to the power of exponent by squaring, from the lowest bit up.
GEEPS_HD double Power(double base, uint64_t exponent) {
  double power = 1.0;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) power = Multiply(power, base);
    base = Multiply(base, base);
  }
  return power;
}

// The 16-bit numbers as they lie in memory.
struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};

// H: as a number lies in memory; T: in which it is calculated.
template <typename T>
GEEPS_HD T Widen(T number) {
  return number;
}

// Exact. The exponent is moved by a multiplication with 2^112, which makes subnormal numbers normal, too.
GEEPS_HD float Widen(F16 half) {
  const uint32_t sign = (half.bits & 0x8000u) << 16;
  const uint32_t moved = (half.bits & 0x7fffu) << 13;
  const uint32_t scaled = BitsAs<uint32_t>(Multiply(BitsAs<float>(moved), 0x1p112f));
  return BitsAs<float>(sign | (moved > 0x0f7fffffu ? moved | 0x7f800000u : scaled));
}
GEEPS_HD float Widen(Bf16 half) { return BitsAs<float>(static_cast<uint32_t>(half.bits) << 16); }

GEEPS_HD void Round(float number, float* out) { *out = number; }
GEEPS_HD void Round(double number, double* out) { *out = number; }

// To nearest even; beyond the largest number lies infinity; a NaN keeps its sign and the upper bits of its payload.
// Source of the two roundings: Giesen, "Half to float done quick" and its converse (public domain).
GEEPS_HD void Round(float number, F16* out) {
  const uint32_t bits = BitsAs<uint32_t>(number);
  const uint32_t sign = bits & 0x80000000u;
  const uint32_t size = bits ^ sign;
  uint32_t half;
  if (size > 0x477fffffu) {
    half = size > 0x7f800000u ? ((size >> 13) & 0x3ffu) | 0x7e00u : 0x7c00u;
  } else if (size < 0x38800000u) {
    // Subnormal as f16: adding 0.5 leaves the multiple of 2^-24 in the low bits, rounded by the adder.
    half = BitsAs<uint32_t>(Add(BitsAs<float>(size), 0.5f)) - 0x3f000000u;
  } else {
    half = (size + 0xc8000fffu + ((size >> 13) & 1u)) >> 13;
  }
  out->bits = static_cast<uint16_t>((sign >> 16) | half);
}
GEEPS_HD void Round(float number, Bf16* out) {
  const uint32_t bits = BitsAs<uint32_t>(number);
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  const uint32_t half = is_nan ? (bits >> 16) | 0x40u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  out->bits = static_cast<uint16_t>(half);
}

// H{} + H{}, calculated in the dtype that H is calculated in.
template <typename H>
GEEPS_HD H AddNumbers(H a, H b) {
  H sum;
  Round(Add(Widen(a), Widen(b)), &sum);
  return sum;
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_ARITHMETIC_H_
