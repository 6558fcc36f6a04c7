// SPDX-License-Identifier: Apache-2.0
// The 16-bit numbers of the kernels against those of the tables.
#include "plugins/cuda/kernels/arithmetic.h"

#include <doctest/doctest.h>

#include <cstring>

#include "runtime/table/half.h"
#include "tests/table/random.h"

namespace geeps::test {
namespace {

template <typename Ours, typename Theirs>
void CheckWiden() {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    CAPTURE(bits);
    const float ours = cuda::Widen(Ours{static_cast<uint16_t>(bits)});
    const float theirs = table::Widen<float, uint32_t>(Theirs{}, bits);
    REQUIRE(std::memcmp(&ours, &theirs, sizeof ours) == 0);
  }
}

template <typename Ours, typename Theirs>
void CheckRound(uint32_t bits) {
  CAPTURE(bits);
  const float number = cuda::BitsAs<float>(bits);
  Ours ours;
  cuda::Round(number, &ours);
  REQUIRE(ours.bits == table::Narrow<uint32_t>(Theirs{}, number));
}

}  // namespace

TEST_CASE("cuda arithmetic: every 16-bit number is widened as in a table") {
  CheckWiden<cuda::F16, table::F16>();
  CheckWiden<cuda::Bf16, table::Bf16>();
}

TEST_CASE("cuda arithmetic: numbers of every exponent, ties and NaN among them, are rounded as in a table") {
  Random random(1);
  for (uint32_t top = 0; top < 0x10000; ++top) {
    const uint32_t any = static_cast<uint32_t>(random.Below(0x10000));
    for (const uint32_t low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu, any}) {
      CheckRound<cuda::F16, table::F16>(top << 16 | low);
      CheckRound<cuda::Bf16, table::Bf16>(top << 16 | low);
    }
    for (const uint32_t tie : {0x0fffu, 0x1000u, 0x1001u, 0x3000u, 0x2fffu}) {
      CheckRound<cuda::F16, table::F16>(top << 16 | tie);
    }
  }
}

TEST_CASE("cuda arithmetic: powers by squaring have the bits of the definition") {
  CHECK(cuda::Power(0.9, 0) == 1.0);
  CHECK(cuda::Power(0.9, 1) == 0.9);
  CHECK(cuda::Power(0.9, 5) == (1.0 * 0.9) * ((0.9 * 0.9) * (0.9 * 0.9)));
}

}  // namespace geeps::test
