// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/init.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "runtime/table/digest.h"

namespace geeps::table {
namespace {

// 53 random bits as a double in [0, 1): exact.
double UnitUniform(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

// The natural logarithm of a normal positive x by + - * / alone, so that no C library has a say. Writes x = m * 2^e
// with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(t), t = (m - 1) / (m + 1). |t| < 0.1716, so the series' 12th term is
// below 1e-19.
double ExactLog(double x) {
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  constexpr double kSqrt2 = 0x1.6a09e667f3bcdp0;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  double exponent = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1023);
  double m = std::bit_cast<double>((bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull);
  if (m >= kSqrt2) {
    m = m * 0.5;
    exponent = exponent + 1.0;
  }
  const double t = (m - 1.0) / (m + 1.0);
  const double t2 = t * t;
  double series = 0.0;
  for (int k = 23; k >= 1; k -= 2) series = series * t2 + 1.0 / static_cast<double>(k);
  return exponent * kLn2 + 2.0 * (t * series);
}

// A standard normal number by Marsaglia's polar method: points of the square until one lies in the unit disc. std::sqrt
// is correctly rounded (IEEE 754), everything else is + - * /.
double UnitNormal(uint64_t key) {
  for (uint64_t attempt = 0;; ++attempt) {
    const double u = 2.0 * UnitUniform(MixBits(key + kGoldenStep * (2 * attempt + 1))) - 1.0;
    const double v = 2.0 * UnitUniform(MixBits(key + kGoldenStep * (2 * attempt + 2))) - 1.0;
    const double u2 = u * u;
    const double v2 = v * v;
    const double s = u2 + v2;
    // Below 2^-100 only the centre remains; it has no direction.
    if (s < 1.0 && s > 0x1p-100) return u * std::sqrt(-2.0 * ExactLog(s) / s);
  }
}

double InitialValue(const InitSpec& init, uint64_t row_key, uint64_t column) {
  const uint64_t key = MixBits(row_key + kGoldenStep * (column + 1));
  switch (init.kind) {
    case InitKind::kZero:
      return 0.0;
    case InitKind::kConstant:
      return init.a;
    case InitKind::kUniform: {
      const double offset = (init.b - init.a) * UnitUniform(key);
      return init.a + offset;
    }
    case InitKind::kNormal: {
      const double offset = init.b * UnitNormal(key);
      return init.a + offset;
    }
  }
  return 0.0;
}

template <typename T>
void Fill(const TableSchema& schema, uint64_t first_row, uint64_t num_rows, T* out) {
  if (schema.init.kind == InitKind::kZero || schema.init.kind == InitKind::kConstant) {
    std::fill_n(out, num_rows * schema.row_values, static_cast<T>(InitialValue(schema.init, 0, 0)));
    return;
  }
  Digester digester;
  digester.Add(schema.seed);
  digester.Add(absl::string_view(schema.name));
  const uint64_t table_key = digester.value();
  for (uint64_t row = first_row; row < first_row + num_rows; ++row) {
    const uint64_t row_key = MixBits(table_key ^ MixBits(row + kGoldenStep));
    for (uint64_t column = 0; column < schema.row_values; ++column) {
      *out++ = static_cast<T>(InitialValue(schema.init, row_key, column));
    }
  }
}

}  // namespace

void FillInitial(const TableSchema& schema, uint64_t first_row, uint64_t num_rows, void* out) {
  if (AccumulateDType(schema.dtype) == DType::kF64) {
    Fill(schema, first_row, num_rows, static_cast<double*>(out));
  } else {
    Fill(schema, first_row, num_rows, static_cast<float*>(out));
  }
}

}  // namespace geeps::table
