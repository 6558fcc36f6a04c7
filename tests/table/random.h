// SPDX-License-Identifier: Apache-2.0
// Random input of tests, from one seed, the same on every machine (the standard library's distributions are not).
// Thread contract: one thread per Random.
#ifndef GEEPS_TESTS_TABLE_RANDOM_H_
#define GEEPS_TESTS_TABLE_RANDOM_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "runtime/table/digest.h"
#include "runtime/table/row_set.h"
#include "runtime/table/rule.h"

namespace geeps::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Bits() { return table::MixBits(state_ += table::kGoldenStep); }
  // 0 .. end - 1. REQUIRES: end >= 1.
  uint64_t Below(uint64_t end) { return Bits() % end; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  // A number of either sign whose magnitude varies over many powers of two, so that sums in another order have other
  // bits.
  template <typename T>
  T Value() {
    const T mantissa = static_cast<T>(static_cast<int64_t>(Below(1 << 20)) - (1 << 19)) / static_cast<T>(1 << 19);
    const uint64_t power = Below(20);
    return mantissa * static_cast<T>(uint64_t{1} << power) / static_cast<T>(1024);
  }
  template <typename T>
  std::vector<T> Values(uint64_t n) {
    std::vector<T> values(n);
    for (T& value : values) value = Value<T>();
    return values;
  }
  // A rule and numbers for all of its parameters, as options of a table.
  std::vector<std::pair<std::string, std::string>> RuleOptions() {
    const absl::Span<const table::UpdateRule> rules = table::AllRules();
    const table::UpdateRule& rule = rules[Below(rules.size())];
    std::vector<std::pair<std::string, std::string>> options = {{"rule", rule.name}};
    for (int i = 0; i < rule.num_params; ++i) {
      // Without eps a gradient of zero would be divided by zero.
      const bool is_eps = std::string(rule.params[i].name) == "eps";
      const std::string number = !is_eps && OneIn(4) ? "0" : "0." + std::to_string(Below(1000)) + "1";
      options.push_back({std::string("param.") + rule.params[i].name, number});
    }
    return options;
  }
  // Each row of 0 .. num_rows - 1 with a chance that is the same in stretches: sets with long runs, single rows and
  // gaps.
  table::RowSet Rows(uint64_t num_rows) {
    std::vector<uint64_t> rows;
    uint64_t chance = Below(5);
    for (uint64_t row = 0; row < num_rows; ++row) {
      if (OneIn(16)) chance = Below(5);
      if (Below(4) < chance) rows.push_back(row);
    }
    return table::RowSet::FromSortedRows(rows);
  }

 private:
  uint64_t state_;
};

}  // namespace geeps::test

#endif  // GEEPS_TESTS_TABLE_RANDOM_H_
