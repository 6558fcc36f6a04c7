// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/init.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/table/digest.h"

namespace geeps::table {
namespace {

TableSchema Schema(absl::string_view init, uint64_t num_rows, uint64_t row_values, DType dtype = DType::kF64,
                   absl::string_view seed = "7", absl::string_view name = "t") {
  return ParseTableOptions(name, num_rows, row_values, dtype, {{"init", init}, {"seed", seed}}).value().schema;
}

template <typename T = double>
std::vector<T> Fill(const TableSchema& schema) {
  std::vector<T> values(schema.num_rows * schema.row_values);
  FillInitial(schema, 0, schema.num_rows, values.data());
  return values;
}

struct Moments {
  double mean = 0, deviation = 0, skew = 0, kurtosis = 0;
};

Moments MomentsOf(const std::vector<double>& values) {
  Moments moments;
  const double n = static_cast<double>(values.size());
  for (const double value : values) moments.mean += value / n;
  double m2 = 0, m3 = 0, m4 = 0;
  for (const double value : values) {
    const double d = value - moments.mean;
    m2 += d * d / n;
    m3 += d * d * d / n;
    m4 += d * d * d * d / n;
  }
  moments.deviation = std::sqrt(m2);
  moments.skew = m3 / std::pow(m2, 1.5);
  moments.kurtosis = m4 / (m2 * m2);
  return moments;
}

template <typename T>
uint64_t BitsDigest(const std::vector<T>& values) {
  Digester digester;
  for (const T value : values) digester.Add(static_cast<double>(value));
  return digester.value();
}

TEST_CASE("FillInitial: zero and constant fill every value") {
  for (const float value : Fill<float>(Schema("zero", 3, 5, DType::kF32))) CHECK(std::bit_cast<uint32_t>(value) == 0);
  for (const float value : Fill<float>(Schema("constant:-2.5", 3, 5, DType::kF32))) CHECK(value == -2.5f);
}

TEST_CASE("FillInitial: uniform numbers have the interval's bounds, mean and deviation") {
  const std::vector<double> values = Fill(Schema("uniform:-1:3", 1000, 400));
  for (const double value : values) REQUIRE((value >= -1 && value <= 3));
  const Moments moments = MomentsOf(values);
  // Five standard errors of 400,000 samples.
  CHECK(std::fabs(moments.mean - 1) < 0.01);
  CHECK(std::fabs(moments.deviation - 4 / std::sqrt(12.0)) < 0.006);
}

TEST_CASE("FillInitial: normal numbers have the moments and the tails of a normal distribution") {
  const std::vector<double> values = Fill(Schema("normal:2:0.5", 1000, 400));
  const Moments moments = MomentsOf(values);
  CHECK(std::fabs(moments.mean - 2) < 0.004);
  CHECK(std::fabs(moments.deviation - 0.5) < 0.003);
  CHECK(std::fabs(moments.skew) < 0.02);
  CHECK(std::fabs(moments.kurtosis - 3) < 0.04);
  // P(|z| > 1) = 0.3173, P(|z| > 3) = 0.0027.
  int beyond_1 = 0, beyond_3 = 0;
  for (const double value : values) {
    beyond_1 += std::fabs(value - 2) > 0.5;
    beyond_3 += std::fabs(value - 2) > 1.5;
  }
  CHECK(std::fabs(beyond_1 / 400000.0 - 0.3173) < 0.004);
  CHECK(std::fabs(beyond_3 / 400000.0 - 0.0027) < 0.0005);
}

TEST_CASE("FillInitial: any partitions give the same bits") {
  for (const absl::string_view init : {"uniform:0:1", "normal:0:1"}) {
    const TableSchema schema = Schema(init, 100, 7, DType::kF32);
    const std::vector<float> whole = Fill<float>(schema);
    for (const uint64_t size : {1, 3, 64}) {
      std::vector<float> parts(whole.size());
      for (uint64_t row = 0; row < 100; row += size) {
        FillInitial(schema, row, std::min<uint64_t>(size, 100 - row), parts.data() + row * 7);
      }
      CHECK(std::memcmp(parts.data(), whole.data(), whole.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("FillInitial: seed, name, row and column all matter, the number of rows does not") {
  const std::vector<double> values = Fill(Schema("uniform:0:1", 10, 10));
  CHECK(Fill(Schema("uniform:0:1", 10, 10, DType::kF64, "8")) != values);
  CHECK(Fill(Schema("uniform:0:1", 10, 10, DType::kF64, "7", "u")) != values);
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t j = 0; j < i; ++j) REQUIRE(values[i] != values[j]);
  }
  const std::vector<double> more = Fill(Schema("uniform:0:1", 20, 10));
  CHECK(std::equal(values.begin(), values.end(), more.begin()));
}

TEST_CASE("FillInitial: f32 tables hold the rounded numbers of f64 tables") {
  const std::vector<double> wide = Fill(Schema("normal:0:1", 50, 3));
  const std::vector<float> narrow = Fill<float>(Schema("normal:0:1", 50, 3, DType::kF32));
  for (size_t i = 0; i < wide.size(); ++i) CHECK(narrow[i] == static_cast<float>(wide[i]));
}

TEST_CASE("FillInitial: the bits are the same in every build") {
  CHECK(BitsDigest(Fill(Schema("uniform:-0.1:0.1", 1000, 10))) == 4345548354838708622ull);
  CHECK(BitsDigest(Fill(Schema("normal:0:0.02", 1000, 10))) == 16863031167237856448ull);
}

}  // namespace
}  // namespace geeps::table
