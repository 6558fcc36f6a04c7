// SPDX-License-Identifier: Apache-2.0
// ReferenceTable: a bounded table kept by one loop over rows and columns, clock after clock: what any number of workers
// must agree with, bit for bit. Written without the product's fold, rules and segments on purpose.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_TABLE_REFERENCE_H_
#define GEEPS_TESTS_TABLE_REFERENCE_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/types/span.h"
#include "runtime/table/init.h"
#include "runtime/table/row_set.h"
#include "runtime/table/schema.h"
#include "tests/table/reference_half.h"
#include "tests/table/reference_rule.h"

namespace geeps::test {

// The number nearest to `number` that a table of `dtype` can hold.
template <typename T>
T RoundToDType(table::DType dtype, T number) {
  if (dtype == table::DType::kF16) return RoundToHalf(kF16Shape, static_cast<float>(number));
  if (dtype == table::DType::kBf16) return RoundToHalf(kBf16Shape, static_cast<float>(number));
  return number;
}

// The bytes of the numbers, rounded, as they lie in a table of `dtype`.
template <typename T>
std::vector<uint8_t> BytesOf(table::DType dtype, const std::vector<T>& numbers) {
  std::vector<uint8_t> bytes(numbers.size() * table::ValueBytes(dtype));
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (table::HasMasters(dtype)) {
      const HalfShape shape = dtype == table::DType::kF16 ? kF16Shape : kBf16Shape;
      const uint16_t half = EncodeHalf(shape, static_cast<float>(numbers[i]));
      std::memcpy(bytes.data() + i * sizeof half, &half, sizeof half);
    } else {
      std::memcpy(bytes.data() + i * sizeof(T), &numbers[i], sizeof(T));
    }
  }
  return bytes;
}

// What one worker adds to a table in one clock. Updates of a row within a clock are added up already.
template <typename T>
struct ReferenceContribution {
  uint32_t rank = 0;
  table::RowSet rows;
  std::vector<T> values;  // [rows.NumRows(), row_values], numbers that the table's dtype can hold
};

// T: the accumulate dtype: double for f64, else float.
template <typename T>
class ReferenceTable {
 public:
  // REQUIRES: sizeof(T) is that of the accumulate dtype.
  explicit ReferenceTable(const table::TableSchema& schema)
      : schema_(schema),
        values_(schema.num_rows * schema.row_values),
        rule_(schema.rule->name, schema.num_rows, schema.row_values) {
    table::FillInitial(schema, 0, schema.num_rows, values_.data());
    params_.assign(schema.params, schema.params + schema.rule->num_params);
  }

  // For this clock and later ones.
  void SetParams(absl::Span<const double> params) { params_.assign(params.begin(), params.end()); }

  // Applies one clock of all workers. The order of `contributions` does not matter; a rank occurs at most once.
  void ApplyClock(std::vector<ReferenceContribution<T>> contributions) {
    std::sort(contributions.begin(), contributions.end(), [](const auto& a, const auto& b) { return a.rank < b.rank; });
    for (uint64_t row = 0; row < schema_.num_rows; ++row) {
      std::vector<const T*> row_values;
      std::vector<uint32_t> groups;
      for (const auto& contribution : contributions) {
        if (!contribution.rows.ContainsRow(row)) continue;
        row_values.push_back(contribution.values.data() + contribution.rows.RankOf(row) * schema_.row_values);
        groups.push_back(contribution.rank / schema_.sum_group);
      }
      if (row_values.empty()) continue;
      std::vector<T> reduced;
      for (uint64_t column = 0; column < schema_.row_values; ++column) {
        reduced.push_back(Reduce(row_values, groups, column));
      }
      rule_.Step(row, params_, reduced.data(), values_.data() + row * schema_.row_values);
    }
    ++age_;
  }

  uint64_t age() const { return age_; }
  const table::TableSchema& schema() const { return schema_; }
  // [num_rows, row_values]: the masters. What is published of them: BytesOf(schema().dtype, values()).
  const std::vector<T>& values() const { return values_; }
  const T* row(uint64_t row) const { return values_.data() + row * schema_.row_values; }
  // The rows of a set, dense.
  std::vector<T> Gather(const table::RowSet& rows) const {
    std::vector<T> out;
    rows.ForEachRow([&](uint64_t r) { out.insert(out.end(), row(r), row(r) + schema_.row_values); });
    return out;
  }

 private:
  T Reduce(const std::vector<const T*>& row_values, const std::vector<uint32_t>& groups, uint64_t column) const {
    T total = T{0};
    bool has_total = false;
    for (size_t i = 0; i < row_values.size();) {
      volatile T group_sum = row_values[i][column];
      size_t j = i + 1;
      for (; j < row_values.size() && groups[j] == groups[i]; ++j) group_sum = group_sum + row_values[j][column];
      if (j > i + 1) group_sum = RoundToDType<T>(schema_.dtype, group_sum);
      total = has_total ? static_cast<T>(total + group_sum) : static_cast<T>(group_sum);
      has_total = true;
      i = j;
    }
    return schema_.reduce == table::Reduce::kMean ? total / static_cast<T>(row_values.size()) : total;
  }

  table::TableSchema schema_;
  std::vector<T> values_;
  ReferenceRule<T> rule_;
  std::vector<double> params_;
  uint64_t age_ = 0;
};

}  // namespace geeps::test

#endif  // GEEPS_TESTS_TABLE_REFERENCE_H_
