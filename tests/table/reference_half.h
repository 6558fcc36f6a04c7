// SPDX-License-Identifier: Apache-2.0
// The 16-bit dtypes once more, by arithmetic on numbers instead of shifts of bits: what the library's conversions must
// agree with. Includes nothing of the library on purpose.
// Thread contract: pure functions.
#ifndef GEEPS_TESTS_TABLE_REFERENCE_HALF_H_
#define GEEPS_TESTS_TABLE_REFERENCE_HALF_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace geeps::test {

// Shape of a 16-bit number: 1 sign bit, exponent bits, mantissa bits.
struct HalfShape {
  int exponent_bits;
  int mantissa_bits;
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};
inline constexpr HalfShape kF16Shape = {5, 10};
inline constexpr HalfShape kBf16Shape = {8, 7};

inline float DecodeHalf(HalfShape shape, uint16_t bits) {
  const int exponent = (bits >> shape.mantissa_bits) & ((1 << shape.exponent_bits) - 1);
  const int mantissa = bits & ((1 << shape.mantissa_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << shape.exponent_bits) - 1) {
    const float special =
        mantissa != 0 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
    return std::copysign(special, static_cast<float>(sign));
  }
  const double whole = exponent == 0 ? mantissa : mantissa + (1 << shape.mantissa_bits);
  return static_cast<float>(sign *
                            std::ldexp(whole, (exponent == 0 ? 1 : exponent) - shape.bias() - shape.mantissa_bits));
}

// To the nearest one, to the even one of two. Any NaN becomes the quiet one without payload.
inline uint16_t EncodeHalf(HalfShape shape, float value) {
  const int special = ((1 << shape.exponent_bits) - 1) << shape.mantissa_bits;
  const int sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | special | 1 << (shape.mantissa_bits - 1));
  const double size = std::fabs(static_cast<double>(value));
  if (std::isinf(size)) return static_cast<uint16_t>(sign | special);
  // The distance of neighbours where the number lies is 2^(exponent - mantissa_bits).
  int exponent = 0;
  std::frexp(size, &exponent);
  exponent = std::max(size == 0 ? 1 - shape.bias() : exponent - 1, 1 - shape.bias());
  double whole = std::nearbyint(std::ldexp(size, shape.mantissa_bits - exponent));
  if (whole >= std::ldexp(1.0, shape.mantissa_bits + 1)) {
    whole = whole / 2;
    ++exponent;
  }
  if (exponent > shape.bias()) return static_cast<uint16_t>(sign | special);
  const bool is_normal = whole >= std::ldexp(1.0, shape.mantissa_bits);
  const int mantissa = static_cast<int>(whole) & ((1 << shape.mantissa_bits) - 1);
  return static_cast<uint16_t>(sign | (is_normal ? (exponent + shape.bias()) << shape.mantissa_bits : 0) | mantissa);
}

inline float RoundToHalf(HalfShape shape, float value) { return DecodeHalf(shape, EncodeHalf(shape, value)); }

}  // namespace geeps::test

#endif  // GEEPS_TESTS_TABLE_REFERENCE_HALF_H_
