// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/schema.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/status.h"

namespace geeps::table {
namespace {

using Options = std::vector<std::pair<absl::string_view, absl::string_view>>;

TableSchema Parse(const Options& options, DType dtype = DType::kF32) {
  return ParseTableOptions("weights", 10, 4, dtype, options).value().schema;
}

// The error's text; checks its code.
std::string ErrorOf(const Options& options, Code code = Code::kInvalid, DType dtype = DType::kF32) {
  const auto schema = ParseTableOptions("weights", 10, 4, dtype, options);
  REQUIRE(!schema.ok());
  CHECK(DetailOf(schema.status()).code == code);
  return std::string(schema.status().message());
}

TEST_CASE("TableSchema: without options a table adds, sums and begins with zeros") {
  const TableSchema schema = Parse({});
  CHECK(schema.rule->id == RuleId::kAdd);
  CHECK(schema.reduce == Reduce::kSum);
  CHECK(!schema.rows_same);
  CHECK(schema.init.kind == InitKind::kZero);
  CHECK(schema.seed == 0);
  CHECK(schema.sum_group == 1);
  CHECK(schema.partition_bytes == 1048576);
  CHECK(schema.row_bytes() == 16);
  CHECK(Parse({}, DType::kF64).bytes() == 320);
}

TEST_CASE("TableSchema: every option of the header is taken, in any order") {
  const TableSchema schema = Parse({{"param.momentum", "0.9"},
                                    {"mode", "bounded"},
                                    {"rule", "sgd"},
                                    {"param.lr", "1e-3"},
                                    {"reduce", "mean"},
                                    {"rows", "same"},
                                    {"init", "normal:-1:0.25"},
                                    {"seed", "18446744073709551615"},
                                    {"sum_group", "8"},
                                    {"partition_bytes", "4096"}});
  CHECK(schema.rule->id == RuleId::kSgd);
  CHECK(schema.params[0] == 1e-3);
  CHECK(schema.params[1] == 0.9);
  CHECK(schema.reduce == Reduce::kMean);
  CHECK(schema.rows_same);
  CHECK(schema.init.kind == InitKind::kNormal);
  CHECK(schema.init.a == -1);
  CHECK(schema.init.b == 0.25);
  CHECK(schema.seed == UINT64_MAX);
  CHECK(schema.sum_group == 8);
  CHECK(schema.partition_bytes == 4096);
}

TEST_CASE("TableSchema: dtypes are known by their codes; a row's bytes are those of its dtype") {
  const std::pair<uint32_t, uint64_t> codes[] = {{0x021001, 2}, {0x041001, 2}, {0x022001, 4}, {0x024001, 8}};
  for (const auto& [code, bytes] : codes) {
    const DType dtype = DTypeFromCode(code).value();
    CHECK(static_cast<uint32_t>(dtype) == code);
    CHECK(ParseTableOptions("t", 3, 5, dtype, {}).value().schema.row_bytes() == 5 * bytes);
  }
  // Initial values must fit the dtype, parameters that of the sums.
  CHECK(ParseTableOptions("t", 1, 1, DType::kF16, {{"init", "constant:65504"}}).ok());
  CHECK(!ParseTableOptions("t", 1, 1, DType::kF16, {{"init", "constant:65505"}}).ok());
  CHECK(ParseTableOptions("t", 1, 1, DType::kF16, {{"rule", "sgd"}, {"param.lr", "1e6"}}).ok());
}

TEST_CASE("TableSchema: rule parameters have the header's defaults") {
  const TableSchema schema = Parse({{"rule", "sgd"}});
  CHECK(schema.params[0] == 0.01);
  CHECK(schema.params[1] == 0.0);
}

TEST_CASE("TableSchema: a dtype that a later release may have is unsupported, not unknown") {
  CHECK(DetailOf(DTypeFromCode(0x020801).status()).code == Code::kUnsupported);
}

TEST_CASE("TableSchema: modes are agreed upon, being an observer is a worker's own affair") {
  const TableSchema schema = Parse({});
  CHECK(!schema.async);
  CHECK(!schema.read_my_writes);
  CHECK(Parse({{"mode", "async"}}).async);
  CHECK(Parse({{"read_my_writes", "1"}}).read_my_writes);
  CHECK(Digest(Parse({{"mode", "async"}})) != Digest(schema));
  CHECK(Digest(Parse({{"read_my_writes", "1"}})) != Digest(schema));
  CHECK(Describe(Parse({{"mode", "async"}})).find("mode=async") != std::string::npos);
  const TableOptions observed = ParseTableOptions("weights", 10, 4, DType::kF32, {{"observer", "1"}}).value();
  CHECK(observed.observer);
  CHECK(Digest(observed.schema) == Digest(schema));
}

TEST_CASE("TableSchema: where a shard lies is a worker's own affair") {
  const auto parse = [](absl::string_view place) {
    return ParseTableOptions("weights", 10, 4, DType::kF32, {{"shard", place}});
  };
  CHECK(parse("auto")->shard == ShardPlace::kAuto);
  CHECK(parse("host")->shard == ShardPlace::kHost);
  CHECK(parse("device")->shard == ShardPlace::kDevice);
  CHECK(Digest(parse("host")->schema) == Digest(parse("device")->schema));
  CHECK(!parse("disk").ok());
}

TEST_CASE("TableSchema: read-my-writes needs a rule that adds the sum; all workers of rows = same take part") {
  CHECK(ErrorOf({{"read_my_writes", "1"}, {"rule", "sgd"}}).find("rule sgd") != std::string::npos);
  CHECK(ErrorOf({{"read_my_writes", "1"}, {"reduce", "mean"}}).find("reduce = mean") != std::string::npos);
  CHECK(ErrorOf({{"observer", "1"}, {"rows", "same"}}).find("rows = same") != std::string::npos);
}

TEST_CASE("TableSchema: a bad option is refused with table, key, value and what was wanted") {
  CHECK(ErrorOf({{"rule", "sdg"}}) ==
        "table weights: option rule = sdg: wanted one of add, sgd, replace, adam, adamw, adagrad, rmsprop, lamb");
  CHECK(ErrorOf({{"colour", "red"}}).find("table weights: unknown option colour = red") == 0);
  CHECK(ErrorOf({{"seed", "1"}, {"seed", "2"}}) == "table weights: option seed is given twice");
  CHECK(ErrorOf({{"param.lr", "1"}}) == "table weights: option param.lr = 1: rule add has no such parameter");
  const Options bad[] = {{{"mode", "bsp"}},
                         {{"rule", "sgd"}, {"param.lr", "fast"}},
                         {{"rule", "sgd"}, {"param.lr", "nan"}},
                         {{"rule", "sgd"}, {"param.lr", "1e39"}},
                         {{"rule", "adam"}, {"param.beta1", "1"}},
                         {{"rule", "adam"}, {"param.beta2", "-0.1"}},
                         {{"rule", "adagrad"}, {"param.eps", "-1e-8"}},
                         {{"rule", "sgd"}, {"param.", "1"}},
                         {{"reduce", "max"}},
                         {{"rows", "all"}},
                         {{"seed", "-1"}},
                         {{"seed", "18446744073709551616"}},
                         {{"sum_group", "0"}},
                         {{"partition_bytes", "4095"}},
                         {{"partition_bytes", "1048577"}},
                         {{"init", "zero:1"}},
                         {{"init", "constant"}},
                         {{"init", "constant:inf"}},
                         {{"init", "constant:1e39"}},
                         {{"init", "uniform:1:0"}},
                         {{"init", "uniform:1"}},
                         {{"init", "normal:0:-1"}},
                         {{"init", "normal:0:1:2"}},
                         {{"init", ""}},
                         {{"", ""}}};
  for (const Options& options : bad) {
    const std::string text = ErrorOf(options);
    CAPTURE(text);
    CHECK(text.find("table weights: ") == 0);
    CHECK(text.find(std::string(options.back().first)) != std::string::npos);
  }
  // f64 holds what f32 does not.
  CHECK(Parse({{"init", "constant:1e39"}}, DType::kF64).init.a == 1e39);
}

TEST_CASE("TableSchema: names and shapes that cannot be are refused, sizes never wrap") {
  const auto code = [](absl::string_view name, uint64_t num_rows, uint64_t row_values) {
    const auto schema = ParseTableOptions(name, num_rows, row_values, DType::kF32, {});
    return schema.ok() ? Code::kOk : DetailOf(schema.status()).code;
  };
  CHECK(code("", 1, 1) == Code::kInvalid);
  CHECK(code("a\nb", 1, 1) == Code::kInvalid);
  CHECK(code(std::string(256, 'x'), 1, 1) == Code::kInvalid);
  CHECK(code(std::string(255, 'x'), 1, 1) == Code::kOk);
  CHECK(code("t", 0, 1) == Code::kInvalid);
  CHECK(code("t", 1, 0) == Code::kInvalid);
  CHECK(code("t", 1, kRowBytesMax / 4) == Code::kOk);
  CHECK(code("t", 1, kRowBytesMax / 4 + 1) == Code::kInvalid);
  CHECK(code("t", uint64_t{1} << 46, 1) == Code::kOk);
  CHECK(code("t", (uint64_t{1} << 46) + 1, 1) == Code::kInvalid);
  CHECK(code("t", UINT64_MAX, UINT64_MAX) == Code::kInvalid);
  CHECK(code("t", uint64_t{1} << 62, 4) == Code::kInvalid);
}

TEST_CASE("TableSchema: every option changes the digest and the description") {
  const Options base = {{"rule", "sgd"}};
  const TableSchema schema = Parse(base);
  CHECK(Digest(schema) == Digest(Parse(base)));
  CHECK(Describe(schema) ==
        "weights [10, 4] f32 mode=bounded read_my_writes=0 rule=sgd param.lr=0.01 param.momentum=0 reduce=sum rows=any init=zero seed=0 "
        "sum_group=1 partition_bytes=1048576");
  const std::pair<absl::string_view, absl::string_view> changes[] = {{"param.lr", "0.010000000000000002"},
                                                                     {"param.momentum", "0.5"},
                                                                     {"reduce", "mean"},
                                                                     {"rows", "same"},
                                                                     {"init", "constant:0"},
                                                                     {"seed", "1"},
                                                                     {"sum_group", "2"},
                                                                     {"partition_bytes", "65536"},
                                                                     {"init", "uniform:0:1"},
                                                                     {"init", "normal:0:1"},
                                                                     {"init", "uniform:0:0.5"}};
  for (const auto& change : changes) {
    CAPTURE(change.first);
    Options options = base;
    options.push_back(change);
    CHECK(Digest(Parse(options)) != Digest(schema));
    CHECK(Describe(Parse(options)) != Describe(schema));
  }
  CHECK(Digest(Parse(base, DType::kF64)) != Digest(schema));
  CHECK(Digest(Parse({})) != Digest(schema));
  CHECK(Digest(ParseTableOptions("weights", 4, 10, DType::kF32, base).value().schema) != Digest(schema));
  CHECK(Digest(ParseTableOptions("weight", 10, 4, DType::kF32, base).value().schema) != Digest(schema));
}

}  // namespace
}  // namespace geeps::table
