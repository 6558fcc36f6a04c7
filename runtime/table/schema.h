// SPDX-License-Identifier: Apache-2.0
// TableSchema: everything about a table that all workers must agree on: shape, dtype, mode, rule, reduction, initial
// values, partition size. Parsed from the options of geeps_table_create; two schemas are the same when their digests are.
// Thread contract: plain values, pure functions.
#ifndef GEEPS_RUNTIME_TABLE_SCHEMA_H_
#define GEEPS_RUNTIME_TABLE_SCHEMA_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/table/dtype.h"
#include "runtime/table/fold.h"
#include "runtime/table/rule.h"

namespace geeps::table {

inline constexpr uint64_t kPartitionBytesMin = 4096;
inline constexpr uint64_t kPartitionBytesMax = 1048576;
// A row is never cut. A longer one than the default partition is a partition of its own, up to this size.
inline constexpr uint64_t kRowBytesMax = 64ull << 20;
// Offsets into a table stay far below 2^63.
inline constexpr uint64_t kTableBytesMax = 1ull << 48;
inline constexpr uint64_t kTableNameMax = 255;

enum class InitKind : uint32_t { kZero = 0, kConstant = 1, kUniform = 2, kNormal = 3 };

// Initial values: a function of (seed, table name, row, column).
struct InitSpec {
  InitKind kind = InitKind::kZero;
  double a = 0;  // constant: the value; uniform: lower end; normal: mean
  double b = 0;  // uniform: upper end; normal: standard deviation
};

struct TableSchema {
  std::string name;
  uint64_t num_rows = 0;
  uint64_t row_values = 0;
  DType dtype = DType::kF32;
  const UpdateRule* rule = nullptr;    // static, or the runtime's
  double params[kMaxRuleParams] = {};  // start values; rule->num_params of them count
  bool async = false;           // mode = async
  bool read_my_writes = false;  // REQUIRES: rule add, reduce sum
  Reduce reduce = Reduce::kSum;
  bool rows_same = false;
  InitSpec init;
  uint64_t seed = 0;
  uint32_t sum_group = 1;
  uint64_t partition_bytes = kPartitionBytesMax;

  uint64_t row_bytes() const { return row_values * ValueBytes(dtype); }
  uint64_t bytes() const { return num_rows * row_bytes(); }
};

// Where a worker keeps its partitions of a table.
enum class ShardPlace : uint8_t { kAuto, kHost, kDevice };

// What one worker says of a table: the schema, and what is its own affair.
struct TableOptions {
  TableSchema schema;
  bool observer = false;  // this worker reads the table and takes no part in it
  ShardPlace shard = ShardPlace::kAuto;
};

using OptionSpan = absl::Span<const std::pair<absl::string_view, absl::string_view>>;

// What a plugin brings under a name that no built-in rule has.
using RuleFinder = std::function<absl::StatusOr<const UpdateRule*>(absl::string_view name_or_path)>;

// geeps_table_create's arguments; include/geeps.h lists the options. A later pair with the same key is an error. Errors:
// Invalid for bad arguments, unknown keys, bad values, and options that exclude each other; those of find_plugin_rule.
// Without one there are the built-in rules alone.
absl::StatusOr<TableOptions> ParseTableOptions(absl::string_view name, uint64_t num_rows, uint64_t row_values,
                                               DType dtype, OptionSpan options,
                                               const RuleFinder& find_plugin_rule = nullptr);

// One line with all that the digest covers, for sentences about workers that disagree.
std::string Describe(const TableSchema& schema);

// Equal schemas have equal digests, on every machine.
uint64_t Digest(const TableSchema& schema);

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_SCHEMA_H_
