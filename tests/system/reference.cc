// SPDX-License-Identifier: Apache-2.0
#include "tests/system/reference.h"

#include <cstring>

namespace geeps::system_test {
namespace {

template <typename T>
T Load(const uint8_t* from, uint64_t index) {
  T value;
  std::memcpy(&value, from + index * sizeof(T), sizeof value);
  return value;
}

template <typename T>
void Store(uint8_t* to, uint64_t index, T value) {
  std::memcpy(to + index * sizeof(T), &value, sizeof value);
}

template <typename T>
void AddAs(const uint8_t* values, uint64_t n, uint8_t* sum) {
  for (uint64_t i = 0; i < n; ++i) Store<T>(sum, i, Load<T>(sum, i) + Load<T>(values, i));
}

}  // namespace

Reference::Reference(const TableSpec& spec) : spec_(spec) {
  std::vector<uint8_t> first(spec.num_rows * spec.row_bytes());
  for (uint64_t i = 0; i < spec.num_rows * spec.row_values; ++i) {
    if (spec.f64) {
      Store<double>(first.data(), i, spec.initial);
    } else {
      Store<float>(first.data(), i, static_cast<float>(spec.initial));
    }
  }
  versions_.push_back(first);
  momentum_.resize(first.size());  // zeros
}

void Reference::Advance(const std::vector<RowValues>& contributions, double lr) {
  if (spec_.f64) {
    AdvanceAs<double>(contributions, lr);
  } else {
    AdvanceAs<float>(contributions, lr);
  }
}

template <typename T>
void Reference::AdvanceAs(const std::vector<RowValues>& contributions, double lr) {
  std::vector<uint8_t> next = versions_.back();
  for (uint64_t row = 0; row < spec_.num_rows; ++row) {
    for (uint64_t column = 0; column < spec_.row_values; ++column) {
      T total = 0;
      int num_groups = 0;
      int num_workers = 0;
      for (size_t begin = 0; begin < contributions.size(); begin += spec_.sum_group) {
        T group = 0;
        int in_group = 0;
        for (size_t rank = begin; rank < begin + spec_.sum_group && rank < contributions.size(); ++rank) {
          const auto found = contributions[rank].find(row);
          if (found == contributions[rank].end()) continue;
          const T value = Load<T>(found->second.data(), column);
          group = in_group == 0 ? value : static_cast<T>(group + value);
          ++in_group;
        }
        if (in_group == 0) continue;
        total = num_groups == 0 ? group : static_cast<T>(total + group);
        ++num_groups;
        num_workers += in_group;
      }
      if (num_workers == 0) continue;  // untouched: no step of the rule
      if (spec_.mean) total = total / static_cast<T>(num_workers);
      const uint64_t at = row * spec_.row_values + column;
      const T value = Load<T>(next.data(), at);
      if (spec_.sgd) {
        const T decayed = static_cast<T>(spec_.momentum) * Load<T>(momentum_.data(), at);
        const T m = decayed + total;
        const T change = static_cast<T>(lr) * m;
        Store<T>(momentum_.data(), at, m);
        Store<T>(next.data(), at, value - change);
      } else {
        Store<T>(next.data(), at, value + total);
      }
    }
  }
  versions_.push_back(std::move(next));
}

void AddUpdate(bool f64, uint64_t row, const uint8_t* values, uint64_t row_values, RowValues* into) {
  const auto [it, is_first] = into->try_emplace(row, values, values + row_values * (f64 ? 8 : 4));
  if (is_first) return;
  if (f64) {
    AddAs<double>(values, row_values, it->second.data());
  } else {
    AddAs<float>(values, row_values, it->second.data());
  }
}

}  // namespace geeps::system_test
