// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/half.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/table/random.h"
#include "tests/table/reference_half.h"

namespace geeps::table {
namespace {

using FloatPack = PackOf<float>::type;

// One number through the function for single values and through each lane of the one for packs, which must agree.
template <typename H>
uint16_t NarrowOne(float number) {
  H single;
  StoreNumbers(&single, number);
  H pack[4];
  StoreNumbers(pack, FloatPack{number, 1.0f, number, -number});
  const bool same =
      pack[0].bits == single.bits && pack[2].bits == single.bits && (pack[3].bits ^ 0x8000) == single.bits;
  if (!same) FAIL("lanes differ for ", number);
  return single.bits;
}

template <typename H>
float WidenOne(uint16_t bits) {
  const H from[4] = {{bits}, {0}, {bits}, {static_cast<uint16_t>(bits ^ 0x8000)}};
  const float single = LoadNumbers<float>(from);
  const FloatPack pack = LoadNumbers<FloatPack>(from);
  const uint32_t wanted = std::bit_cast<uint32_t>(single);
  const bool same = std::bit_cast<uint32_t>(pack[0]) == wanted && std::bit_cast<uint32_t>(pack[2]) == wanted &&
                    std::bit_cast<uint32_t>(pack[3]) == (wanted ^ 0x80000000u);
  if (!same) FAIL("lanes differ for ", bits);
  return single;
}

// The next f32 above or below, over zero and to infinity, too.
float Up(float x) { return std::nextafter(x, std::numeric_limits<float>::infinity()); }
float Down(float x) { return std::nextafter(x, -std::numeric_limits<float>::infinity()); }

template <typename H>
void AllPatterns(test::HalfShape shape) {
  int num_nan = 0;
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float wide = WidenOne<H>(half);
    const float wanted = test::DecodeHalf(shape, half);
    REQUIRE(std::isnan(wide) == std::isnan(wanted));
    REQUIRE(std::signbit(wide) == std::signbit(wanted));
    if (std::isnan(wide)) {
      ++num_nan;
      // Comes back quiet, else as it was.
      REQUIRE(NarrowOne<H>(wide) == (half | 1 << (shape.mantissa_bits - 1)));
    } else {
      REQUIRE(wide == wanted);
      REQUIRE(NarrowOne<H>(wide) == half);
    }
  }
  CHECK(num_nan == 2 * ((1 << shape.mantissa_bits) - 1));
}

// Each number between two neighbours goes to the nearer one; the middle to the one whose last bit is 0.
template <typename H>
void AllMiddles(test::HalfShape shape) {
  const int last = ((1 << shape.exponent_bits) - 1) << shape.mantissa_bits;  // infinity
  for (int bits = 0; bits < last; ++bits) {
    const uint16_t low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    const double below = test::DecodeHalf(shape, low);
    // What would be the number behind the largest one, at whose middle infinity begins.
    const double above = bits + 1 < last ? test::DecodeHalf(shape, high) : std::ldexp(1.0, shape.bias() + 1);
    const float middle = static_cast<float>((below + above) / 2);
    REQUIRE(NarrowOne<H>(middle) == (bits % 2 == 0 ? low : high));
    REQUIRE(NarrowOne<H>(Up(middle)) == high);
    REQUIRE(NarrowOne<H>(Down(middle)) == low);
    REQUIRE(NarrowOne<H>(-middle) == (0x8000 | (bits % 2 == 0 ? low : high)));
  }
}

TEST_CASE("f16: all 65,536 patterns are widened exactly and come back") { AllPatterns<F16>(test::kF16Shape); }
TEST_CASE("bf16: all 65,536 patterns are widened exactly and come back") { AllPatterns<Bf16>(test::kBf16Shape); }

TEST_CASE(
    "f16: ties go to even and others to the nearest, between all neighbours, subnormal ones and infinity included") {
  AllMiddles<F16>(test::kF16Shape);
}
TEST_CASE(
    "bf16: ties go to even and others to the nearest, between all neighbours, subnormal ones and infinity included") {
  AllMiddles<Bf16>(test::kBf16Shape);
}

TEST_CASE("f16 and bf16: overflow, underflow, NaN and infinity") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(NarrowOne<F16>(65504.0f) == 0x7bff);
  CHECK(NarrowOne<F16>(65519.99f) == 0x7bff);
  CHECK(NarrowOne<F16>(65520.0f) == 0x7c00);
  CHECK(NarrowOne<F16>(3e38f) == 0x7c00);
  CHECK(NarrowOne<F16>(-infinity) == 0xfc00);
  CHECK(NarrowOne<F16>(0x1p-24f) == 0x0001);
  CHECK(NarrowOne<F16>(0x1p-25f) == 0x0000);
  CHECK(NarrowOne<F16>(Up(0x1p-25f)) == 0x0001);
  CHECK(NarrowOne<F16>(-0x1p-149f) == 0x8000);
  CHECK(NarrowOne<Bf16>(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(NarrowOne<Bf16>(infinity) == 0x7f80);
  CHECK(NarrowOne<Bf16>(-0x1p-149f) == 0x8000);
  // A NaN whose payload lies in the low bits only must not become infinity.
  for (const uint32_t bits : {0x7f800001u, 0x7fffffffu, 0xff800001u}) {
    const float nan = std::bit_cast<float>(bits);
    CHECK(std::isnan(test::DecodeHalf(test::kF16Shape, NarrowOne<F16>(nan))));
    CHECK(std::isnan(test::DecodeHalf(test::kBf16Shape, NarrowOne<Bf16>(nan))));
  }
}

TEST_CASE("f16 and bf16: 200,000 random f32 bit patterns are rounded as by arithmetic") {
  test::Random random(5);
  for (int i = 0; i < 200'000; ++i) {
    const float number = std::bit_cast<float>(static_cast<uint32_t>(random.Bits()));
    if (std::isnan(number)) continue;
    REQUIRE(NarrowOne<F16>(number) == test::EncodeHalf(test::kF16Shape, number));
    REQUIRE(NarrowOne<Bf16>(number) == test::EncodeHalf(test::kBf16Shape, number));
  }
}

}  // namespace
}  // namespace geeps::table
