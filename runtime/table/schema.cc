// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/schema.h"

#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/base/status.h"
#include "runtime/table/digest.h"

namespace geeps::table {
namespace {

absl::Status BadValue(absl::string_view key, absl::string_view value, absl::string_view wanted) {
  return Invalid("option ", key, " = ", value, ": wanted ", wanted);
}

// A finite number that stays finite in the dtype.
absl::StatusOr<double> ParseNumber(absl::string_view key, absl::string_view value, absl::string_view text,
                                   DType dtype) {
  double number = 0;
  if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) return BadValue(key, value, "finite numbers");
  if (std::fabs(number) > LargestNumber(dtype)) {
    return BadValue(key, value, absl::StrCat("numbers that ", DTypeName(dtype), " can hold"));
  }
  return number;
}

absl::StatusOr<uint64_t> ParseCount(absl::string_view key, absl::string_view value, uint64_t least, uint64_t most) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(value, &number) || number < least || number > most) {
    return BadValue(key, value, absl::StrCat("a whole number from ", least, " to ", most));
  }
  return number;
}

absl::StatusOr<InitSpec> ParseInit(absl::string_view value, DType dtype) {
  constexpr absl::string_view kWanted =
      "zero, constant:V, uniform:A:B with A <= B, or normal:MEAN:STDDEV with STDDEV >= 0";
  const std::vector<absl::string_view> parts = absl::StrSplit(value, ':');
  InitSpec init;
  size_t num_numbers = 0;
  if (parts[0] == "zero") {
    init.kind = InitKind::kZero;
  } else if (parts[0] == "constant") {
    init.kind = InitKind::kConstant;
    num_numbers = 1;
  } else if (parts[0] == "uniform") {
    init.kind = InitKind::kUniform;
    num_numbers = 2;
  } else if (parts[0] == "normal") {
    init.kind = InitKind::kNormal;
    num_numbers = 2;
  } else {
    return BadValue("init", value, kWanted);
  }
  if (parts.size() != 1 + num_numbers) return BadValue("init", value, kWanted);
  if (num_numbers >= 1) {
    GEEPS_ASSIGN_OR_RETURN(init.a, ParseNumber("init", value, parts[1], dtype));
  }
  if (num_numbers >= 2) {
    GEEPS_ASSIGN_OR_RETURN(init.b, ParseNumber("init", value, parts[2], dtype));
  }
  const bool is_empty_range = init.kind == InitKind::kUniform && !(init.a <= init.b && std::isfinite(init.b - init.a));
  if (is_empty_range || (init.kind == InitKind::kNormal && init.b < 0)) return BadValue("init", value, kWanted);
  return init;
}

absl::Status CheckName(absl::string_view name) {
  if (name.empty()) return Invalid("a table needs a name");
  if (name.size() > kTableNameMax) {
    return Invalid("a table's name has ", name.size(), " bytes; at most ", kTableNameMax, " are possible");
  }
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return Invalid("a table's name has control characters");
  }
  return absl::OkStatus();
}

absl::Status CheckShape(const TableSchema& schema) {
  if (schema.num_rows == 0 || schema.row_values == 0) {
    return Invalid(schema.num_rows, " rows of ", schema.row_values, " values: both must be at least 1");
  }
  const uint64_t value_bytes = ValueBytes(schema.dtype);
  if (schema.row_values > kRowBytesMax / value_bytes) {
    return Invalid("a row of ", schema.row_values, " values of ", DTypeName(schema.dtype), " is longer than ",
                   kRowBytesMax, " bytes, the longest row: use more rows of fewer values");
  }
  if (schema.num_rows > kTableBytesMax / schema.row_bytes()) {
    return Invalid(schema.num_rows, " rows of ", schema.row_bytes(), " bytes are more than ", kTableBytesMax,
                   " bytes, the largest table");
  }
  return absl::OkStatus();
}

absl::StatusOr<const UpdateRule*> ParseRule(absl::string_view value, const RuleFinder& find_plugin_rule) {
  if (const UpdateRule* const rule = FindRule(value); rule != nullptr) return rule;
  std::vector<absl::string_view> names;
  for (const UpdateRule& known : AllRules()) names.push_back(known.name);
  const std::string wanted = absl::StrCat("one of ", absl::StrJoin(names, ", "));
  if (value.empty() || find_plugin_rule == nullptr) return BadValue("rule", value, wanted);
  absl::StatusOr<const UpdateRule*> rule = find_plugin_rule(value);
  if (rule.ok()) return rule;
  if (DetailOf(rule.status()).code != Code::kNotFound) {
    return Prefixed(rule.status(), absl::StrCat("option rule = ", value));
  }
  return Prefixed(rule.status(), absl::StrCat("option rule = ", value, ": wanted ", wanted, ", or a plugin"));
}

absl::string_view ReduceName(Reduce reduce) { return reduce == Reduce::kSum ? "sum" : "mean"; }

absl::StatusOr<bool> ParseSwitch(absl::string_view key, absl::string_view value) {
  if (value != "0" && value != "1") return BadValue(key, value, "0 or 1");
  return value == "1";
}

absl::StatusOr<ShardPlace> ParseShard(absl::string_view value) {
  if (value == "auto") return ShardPlace::kAuto;
  if (value == "host") return ShardPlace::kHost;
  if (value == "device") return ShardPlace::kDevice;
  return BadValue("shard", value, "auto, host or device");
}

// Everything but the parameters of the rule, which need the rule first.
absl::Status ParseOption(absl::string_view key, absl::string_view value, const RuleFinder& find_plugin_rule,
                         TableOptions* options) {
  TableSchema* const schema = &options->schema;
  if (key == "mode") {
    if (value != "bounded" && value != "async") return BadValue(key, value, "bounded or async");
    schema->async = value == "async";
  } else if (key == "read_my_writes") {
    GEEPS_ASSIGN_OR_RETURN(schema->read_my_writes, ParseSwitch(key, value));
  } else if (key == "observer") {
    GEEPS_ASSIGN_OR_RETURN(options->observer, ParseSwitch(key, value));
  } else if (key == "shard") {
    GEEPS_ASSIGN_OR_RETURN(options->shard, ParseShard(value));
  } else if (key == "rule") {
    GEEPS_ASSIGN_OR_RETURN(schema->rule, ParseRule(value, find_plugin_rule));
  } else if (key == "reduce") {
    if (value != "sum" && value != "mean") return BadValue(key, value, "sum or mean");
    schema->reduce = value == "sum" ? Reduce::kSum : Reduce::kMean;
  } else if (key == "rows") {
    if (value != "any" && value != "same") return BadValue(key, value, "any or same");
    schema->rows_same = value == "same";
  } else if (key == "init") {
    GEEPS_ASSIGN_OR_RETURN(schema->init, ParseInit(value, schema->dtype));
  } else if (key == "seed") {
    GEEPS_ASSIGN_OR_RETURN(schema->seed, ParseCount(key, value, 0, std::numeric_limits<uint64_t>::max()));
  } else if (key == "sum_group") {
    GEEPS_ASSIGN_OR_RETURN(const uint64_t count, ParseCount(key, value, 1, std::numeric_limits<uint32_t>::max()));
    schema->sum_group = static_cast<uint32_t>(count);
  } else if (key == "partition_bytes") {
    GEEPS_ASSIGN_OR_RETURN(schema->partition_bytes, ParseCount(key, value, kPartitionBytesMin, kPartitionBytesMax));
  } else {
    return Invalid("unknown option ", key, " = ", value,
                   "; tables have mode, read_my_writes, observer, shard, rule, param.NAME, reduce, rows, init, "
                   "seed, sum_group, partition_bytes");
  }
  return absl::OkStatus();
}

absl::Status ParseParam(absl::string_view key, absl::string_view value, TableSchema* schema) {
  const int index = FindRuleParam(*schema->rule, absl::StripPrefix(key, "param."));
  if (index < 0) return Invalid("option ", key, " = ", value, ": rule ", schema->rule->name, " has no such parameter");
  const ParamRange range = schema->rule->params[index].range;
  GEEPS_ASSIGN_OR_RETURN(const double number, ParseNumber(key, value, value, AccumulateDType(schema->dtype)));
  if (!IsInRange(range, number)) return BadValue(key, value, RangeText(range));
  schema->params[index] = number;
  return absl::OkStatus();
}

// The parameters of schema->rule: those given, else their defaults.
absl::Status ParseParams(OptionSpan options, TableSchema* schema) {
  const UpdateRule& rule = *schema->rule;
  bool is_given[kMaxRuleParams] = {};
  for (int i = 0; i < rule.num_params; ++i) schema->params[i] = rule.params[i].initial;
  for (const auto& [key, value] : options) {
    if (!absl::StartsWith(key, "param.")) continue;
    GEEPS_RETURN_IF_ERROR(ParseParam(key, value, schema));
    is_given[FindRuleParam(rule, absl::StripPrefix(key, "param."))] = true;
  }
  for (int i = 0; i < rule.num_params; ++i) {
    if (rule.params[i].is_required && !is_given[i]) {
      return Invalid("option param.", rule.params[i].name, " is missing: rule ", rule.name, " has no default for it");
    }
  }
  return CheckTogether(rule, schema->params);
}

// Options that are good each by itself.
absl::Status CheckModes(const TableOptions& options) {
  const TableSchema& schema = options.schema;
  if (schema.read_my_writes && (schema.rule->id != RuleId::kAdd || schema.reduce != Reduce::kSum)) {
    return Invalid("option read_my_writes = 1 with rule ", schema.rule->name,
                   " and reduce = ", ReduceName(schema.reduce),
                   ": what a worker adds to its own copy must be what a keeper will add, as "
                   "rule add and reduce = sum do");
  }
  if (options.observer && schema.rows_same) {
    return Invalid("option observer = 1 with rows = same: all workers of such a table read and update the same rows");
  }
  return absl::OkStatus();
}

absl::Status ParseInto(OptionSpan options, const RuleFinder& find_plugin_rule, TableOptions* parsed) {
  GEEPS_RETURN_IF_ERROR(CheckShape(parsed->schema));
  for (size_t i = 0; i < options.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (options[i].first == options[j].first) return Invalid("option ", options[i].first, " is given twice");
    }
    if (!absl::StartsWith(options[i].first, "param.")) {
      GEEPS_RETURN_IF_ERROR(ParseOption(options[i].first, options[i].second, find_plugin_rule, parsed));
    }
  }
  GEEPS_RETURN_IF_ERROR(ParseParams(options, &parsed->schema));
  return CheckModes(*parsed);
}

// The shortest of two notations that gives the number back.
std::string NumberText(double number) {
  const std::string text = absl::StrCat(number);
  double read = 0;
  return absl::SimpleAtod(text, &read) && read == number ? text : absl::StrFormat("%.17g", number);
}

std::string DescribeInit(const InitSpec& init) {
  switch (init.kind) {
    case InitKind::kZero:
      return "zero";
    case InitKind::kConstant:
      return absl::StrCat("constant:", NumberText(init.a));
    case InitKind::kUniform:
      return absl::StrCat("uniform:", NumberText(init.a), ":", NumberText(init.b));
    case InitKind::kNormal:
      return absl::StrCat("normal:", NumberText(init.a), ":", NumberText(init.b));
  }
  return "?";
}

}  // namespace

absl::StatusOr<TableOptions> ParseTableOptions(absl::string_view name, uint64_t num_rows, uint64_t row_values,
                                               DType dtype, OptionSpan options, const RuleFinder& find_plugin_rule) {
  GEEPS_RETURN_IF_ERROR(CheckName(name));
  TableOptions parsed;
  TableSchema& schema = parsed.schema;
  schema.name = std::string(name);
  schema.num_rows = num_rows;
  schema.row_values = row_values;
  schema.dtype = dtype;
  schema.rule = FindRule(RuleId::kAdd);
  const absl::Status status = ParseInto(options, find_plugin_rule, &parsed);
  if (!status.ok()) return Prefixed(status, absl::StrCat("table ", name));
  return parsed;
}

std::string Describe(const TableSchema& schema) {
  std::string text = absl::StrCat(schema.name, " [", schema.num_rows, ", ", schema.row_values, "] ",
                                  DTypeName(schema.dtype), " mode=", schema.async ? "async" : "bounded",
                                  " read_my_writes=", schema.read_my_writes ? 1 : 0, " rule=", schema.rule->name);
  if (schema.rule->id == RuleId::kPlugin) absl::StrAppend(&text, " version=", schema.rule->version);
  for (int i = 0; i < schema.rule->num_params; ++i) {
    absl::StrAppend(&text, " param.", schema.rule->params[i].name, "=", NumberText(schema.params[i]));
  }
  absl::StrAppend(&text, " reduce=", ReduceName(schema.reduce), " rows=", schema.rows_same ? "same" : "any",
                  " init=", DescribeInit(schema.init), " seed=", schema.seed, " sum_group=", schema.sum_group,
                  " partition_bytes=", schema.partition_bytes);
  return text;
}

uint64_t Digest(const TableSchema& schema) {
  Digester digester;
  digester.Add(absl::string_view(schema.name));
  digester.Add(schema.num_rows);
  digester.Add(schema.row_values);
  digester.Add(static_cast<uint64_t>(schema.dtype));
  digester.Add(static_cast<uint64_t>(schema.async));
  digester.Add(static_cast<uint64_t>(schema.read_my_writes));
  digester.Add(static_cast<uint64_t>(schema.rule->id));
  digester.Add(absl::string_view(schema.rule->name));
  digester.Add(absl::string_view(schema.rule->version));
  for (int i = 0; i < schema.rule->num_params; ++i) digester.Add(schema.params[i]);
  digester.Add(static_cast<uint64_t>(schema.reduce));
  digester.Add(static_cast<uint64_t>(schema.rows_same));
  digester.Add(static_cast<uint64_t>(schema.init.kind));
  digester.Add(schema.init.a);
  digester.Add(schema.init.b);
  digester.Add(schema.seed);
  digester.Add(static_cast<uint64_t>(schema.sum_group));
  digester.Add(schema.partition_bytes);
  return digester.value();
}

}  // namespace geeps::table
