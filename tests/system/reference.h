// SPDX-License-Identifier: Apache-2.0
// Reference: what a table must hold at every clock, calculated one value at a time from the contributions of all
// workers, in the order that the documents promise: groups of sum_group consecutive ranks, a left fold inside a group,
// then over the groups, workers without the row left out. Written without a look at the library's own folds and rules.
// Thread contract: plain values; Advance by one thread, the versions then by any.
#ifndef GEEPS_TESTS_SYSTEM_REFERENCE_H_
#define GEEPS_TESTS_SYSTEM_REFERENCE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "geeps.h"

namespace geeps::system_test {

struct TableSpec {
  std::string name;
  uint64_t num_rows = 1;
  uint64_t row_values = 1;
  uint32_t dtype = GEEPS_F32;
  std::string rule = "add";
  std::vector<std::pair<std::string, double>> params;  // all of the rule's, in the documented order; "lr" first
  bool mean = false;                                   // else sum
  uint32_t sum_group = 1;
  double initial = 0;  // constant
  uint64_t partition_bytes = 1048576;

  bool has_rate() const { return !params.empty(); }
  uint64_t value_bytes() const { return dtype == GEEPS_F64 ? 8 : dtype == GEEPS_F32 ? 4 : 2; }
  uint64_t row_bytes() const { return row_values * value_bytes(); }
};

// A number as a value of the dtype, [value_bytes], to the nearest.
void StoreNumber(uint32_t dtype, double number, uint8_t* to);
double LoadNumber(uint32_t dtype, const uint8_t* from);

// One worker's contribution of one clock: by row its values, [row_values] of the table's dtype.
using RowValues = std::map<uint64_t, std::vector<uint8_t>>;

// What is behind the versions: the values in the dtype of the arithmetic, and the rule's memory.
class ReferenceRows {
 public:
  virtual ~ReferenceRows() = default;
  // As Reference::Advance; the values in the table's dtype.
  virtual std::vector<uint8_t> Advance(const std::vector<RowValues>& contributions,
                                       const std::vector<double>& params) = 0;
  // As Reference::Set.
  virtual std::vector<uint8_t> Set(const RowValues& anew, const RowValues& keeping) = 0;
};

class Reference {
 public:
  explicit Reference(const TableSpec& spec);

  // Applies a clock. contributions: by rank; a rank without the row is left out. lr: of this clock, for a rule that has
  // one.
  void Advance(const std::vector<RowValues>& contributions, double lr);

  // Appends one more version of the same clock, with other values in some rows: in those of `anew` the rule begins
  // anew, in those of `keeping` its state stays.
  void Set(const RowValues& anew, const RowValues& keeping) { versions_.push_back(rows_->Set(anew, keeping)); }

  uint64_t num_versions() const { return versions_.size(); }
  // [row_values] of the dtype. Without Set the index is the age.
  const uint8_t* Row(uint64_t index, uint64_t row) const { return versions_[index].data() + row * spec_.row_bytes(); }
  const TableSpec& spec() const { return spec_; }

 private:
  TableSpec spec_;
  std::shared_ptr<ReferenceRows> rows_;
  std::vector<std::vector<uint8_t>> versions_;
};

// One update of a clock on top of the earlier ones of the same worker.
void AddUpdate(const TableSpec& table, uint64_t row, const uint8_t* values, RowValues* into);

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_REFERENCE_H_
