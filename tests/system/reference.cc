// SPDX-License-Identifier: Apache-2.0
#include "tests/system/reference.h"

#include <cstring>

#include "tests/table/reference_half.h"
#include "tests/table/reference_rule.h"

namespace geeps::system_test {
namespace {

bool IsHalf(uint32_t dtype) { return dtype == GEEPS_F16 || dtype == GEEPS_BF16; }
test::HalfShape ShapeOf(uint32_t dtype) { return dtype == GEEPS_F16 ? test::kF16Shape : test::kBf16Shape; }

// T: the dtype of the arithmetic: double for f64, else float.
template <typename T>
T Load(uint32_t dtype, const uint8_t* from, uint64_t index) {
  if (IsHalf(dtype)) {
    uint16_t bits;
    std::memcpy(&bits, from + index * sizeof bits, sizeof bits);
    return static_cast<T>(test::DecodeHalf(ShapeOf(dtype), bits));
  }
  T value;
  std::memcpy(&value, from + index * sizeof(T), sizeof value);
  return value;
}

template <typename T>
void Store(uint32_t dtype, uint8_t* to, uint64_t index, T value) {
  if (IsHalf(dtype)) {
    const uint16_t bits = test::EncodeHalf(ShapeOf(dtype), static_cast<float>(value));
    std::memcpy(to + index * sizeof bits, &bits, sizeof bits);
    return;
  }
  std::memcpy(to + index * sizeof(T), &value, sizeof value);
}

template <typename T>
class TypedRows : public ReferenceRows {
 public:
  explicit TypedRows(const TableSpec& spec)
      : spec_(spec),
        values_(spec.num_rows * spec.row_values, static_cast<T>(spec.initial)),
        rule_(spec.rule, spec.num_rows, spec.row_values) {}

  std::vector<uint8_t> Advance(const std::vector<RowValues>& contributions,
                               const std::vector<double>& params) override {
    for (uint64_t row = 0; row < spec_.num_rows; ++row) {
      std::vector<T> sums;
      for (uint64_t column = 0; column < spec_.row_values; ++column) {
        T sum = 0;
        if (Reduce(contributions, row, column, &sum)) sums.push_back(sum);
      }
      // Without contributors there is no step of the rule.
      if (!sums.empty()) rule_.Step(row, params, sums.data(), values_.data() + row * spec_.row_values);
    }
    return Version();
  }

  std::vector<uint8_t> Set(const RowValues& anew, const RowValues& keeping) override {
    for (const RowValues* const rows : {&anew, &keeping}) {
      for (const auto& [row, bytes] : *rows) {
        T* const values = values_.data() + row * spec_.row_values;
        for (uint64_t i = 0; i < spec_.row_values; ++i) values[i] = Load<T>(spec_.dtype, bytes.data(), i);
        if (rows == &anew) rule_.Forget(row);
      }
    }
    return Version();
  }

 private:
  std::vector<uint8_t> Version() const {
    std::vector<uint8_t> version(spec_.num_rows * spec_.row_bytes());
    for (uint64_t i = 0; i < values_.size(); ++i) Store<T>(spec_.dtype, version.data(), i, values_[i]);
    return version;
  }

  // False when nobody contributes to the row.
  bool Reduce(const std::vector<RowValues>& contributions, uint64_t row, uint64_t column, T* total) const {
    int num_groups = 0;
    int num_workers = 0;
    for (size_t begin = 0; begin < contributions.size(); begin += spec_.sum_group) {
      T group = 0;
      int in_group = 0;
      for (size_t rank = begin; rank < begin + spec_.sum_group && rank < contributions.size(); ++rank) {
        const auto found = contributions[rank].find(row);
        if (found == contributions[rank].end()) continue;
        const T value = Load<T>(spec_.dtype, found->second.data(), column);
        group = in_group == 0 ? value : static_cast<T>(group + value);
        ++in_group;
      }
      if (in_group == 0) continue;
      // The sum of a group may travel: it is rounded to the table's dtype.
      if (IsHalf(spec_.dtype))
        group = static_cast<T>(test::RoundToHalf(ShapeOf(spec_.dtype), static_cast<float>(group)));
      *total = num_groups == 0 ? group : static_cast<T>(*total + group);
      ++num_groups;
      num_workers += in_group;
    }
    if (spec_.mean && num_workers > 0) *total = *total / static_cast<T>(num_workers);
    return num_workers > 0;
  }

  const TableSpec spec_;
  std::vector<T> values_;
  test::ReferenceRule<T> rule_;
};

template <typename T>
void AddAs(const TableSpec& table, const uint8_t* values, uint8_t* sum) {
  for (uint64_t i = 0; i < table.row_values; ++i) {
    Store<T>(table.dtype, sum, i, Load<T>(table.dtype, sum, i) + Load<T>(table.dtype, values, i));
  }
}

}  // namespace

void StoreNumber(uint32_t dtype, double number, uint8_t* to) {
  if (dtype == GEEPS_F64) {
    Store<double>(dtype, to, 0, number);
  } else {
    Store<float>(dtype, to, 0, static_cast<float>(number));
  }
}

double LoadNumber(uint32_t dtype, const uint8_t* from) {
  return dtype == GEEPS_F64 ? Load<double>(dtype, from, 0) : static_cast<double>(Load<float>(dtype, from, 0));
}

Reference::Reference(const TableSpec& spec) : spec_(spec) {
  std::vector<uint8_t> first(spec.num_rows * spec.row_bytes());
  for (uint64_t i = 0; i < spec.num_rows * spec.row_values; ++i) {
    StoreNumber(spec.dtype, spec.initial, first.data() + i * spec.value_bytes());
  }
  versions_.push_back(std::move(first));
  if (spec.dtype == GEEPS_F64) {
    rows_ = std::make_shared<TypedRows<double>>(spec);
  } else {
    rows_ = std::make_shared<TypedRows<float>>(spec);
  }
}

void Reference::Advance(const std::vector<RowValues>& contributions, double lr) {
  std::vector<double> params;
  for (const auto& [name, value] : spec_.params) params.push_back(name == "lr" ? lr : value);
  versions_.push_back(rows_->Advance(contributions, params));
}

void AddUpdate(const TableSpec& table, uint64_t row, const uint8_t* values, RowValues* into) {
  const auto [it, is_first] = into->try_emplace(row, values, values + table.row_bytes());
  if (is_first) return;
  if (table.dtype == GEEPS_F64) {
    AddAs<double>(table, values, it->second.data());
  } else {
    AddAs<float>(table, values, it->second.data());
  }
}

}  // namespace geeps::system_test
