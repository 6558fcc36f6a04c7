// SPDX-License-Identifier: Apache-2.0
// Rules that plugins bring, with those of rules.c: loading, what is refused, steps.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/device/apply.h"
#include "runtime/device/device.h"
#include "runtime/session/plugin_rules.h"
#include "runtime/table/schema.h"

namespace geeps::session {
namespace {

using table::DType;
using table::TableSchema;
using table::UpdateRule;

std::string PathOf(const std::string& name) { return absl::StrCat(GEEPS_RULE_PLUGIN_DIR, "/", name, ".so"); }

struct Fixture {
  Log log{LogLevel::kDebug, nullptr, nullptr};
  net::PluginRegistry registry{&log, GEEPS_RULE_PLUGIN_DIR ":" GEEPS_TEST_PLUGIN_DIR};
  PluginRules rules{&registry};

  using Pairs = std::vector<std::pair<absl::string_view, absl::string_view>>;
  absl::StatusOr<TableSchema> Parse(const Pairs& options, DType dtype = DType::kF32, uint64_t row_values = 4) {
    absl::StatusOr<table::TableOptions> parsed = table::ParseTableOptions(
        "t", 3, row_values, dtype, options, [this](absl::string_view rule) { return rules.Find(rule); });
    if (!parsed.ok()) return parsed.status();
    return parsed->schema;
  }
  std::string Refusal(const Pairs& options, Code code) {
    const absl::Status status = Parse(options).status();
    CHECK(DetailOf(status).code == code);
    return std::string(status.message());
  }
};

// One clock of all three rows of a table through the host's apply; two contributors, each with the gradients `half`.
template <typename T>
void Apply(const TableSchema& schema, const std::vector<T>& half, const std::vector<T>& in, std::vector<T>* state,
           std::vector<uint64_t>* steps, std::vector<T>* out) {
  const geeps_apply_segment segment = {0, schema.num_rows, 0, 2};
  const geeps_apply_input inputs[2] = {{half.data(), 0, 0}, {half.data(), 1, 0}};
  geeps_apply apply = device::MakeApply();
  apply.rule = static_cast<uint32_t>(schema.rule->id);
  apply.functions = schema.rule->functions;
  apply.dtype = apply.input_dtype = static_cast<uint32_t>(schema.dtype);
  apply.reduce = GEEPS_REDUCE_SUM;
  apply.num_rows = schema.num_rows;
  apply.row_values = schema.row_values;
  apply.values_in = in.data();
  apply.values_out = out->data();
  apply.states[0] = state->data();
  if (schema.rule->counts_steps) apply.steps = steps->data();
  std::copy_n(schema.params, schema.rule->num_params, apply.params);
  apply.segments = &segment;
  apply.num_segments = 1;
  apply.inputs = inputs;
  apply.num_inputs = 2;
  const absl::Status good = device::CheckApply(apply);
  REQUIRE_MESSAGE(good.ok(), std::string(good.message()));
  device::ApplyNow(apply);
}

// Rows of 1,500 values, that is, of two pieces, for two clocks: once beside the values, once in place. The gradients
// are integers: sums of squares are exact.
template <typename T>
void StepsAreThoseOfTheFormula(const TableSchema& schema, double lr, bool is_scaled) {
  const uint64_t n = schema.num_rows * schema.row_values;
  std::vector<T> half(n), values(n, T{1}), state(n, T{-7}), beside(n);
  for (uint64_t i = 0; i < n; ++i) half[i] = static_cast<T>(i % 5);
  std::vector<uint64_t> steps = {0, 4, 0};
  Apply(schema, half, values, &state, &steps, &beside);
  CHECK(values == std::vector<T>(n, T{1}));
  values = beside;
  Apply(schema, half, values, &state, &steps, &values);
  CHECK(steps == std::vector<uint64_t>{2, 6, 2});
  for (uint64_t row = 0; row < schema.num_rows; ++row) {
    double sum = 0;
    for (uint64_t i = 0; i < schema.row_values; ++i) {
      const double g = 2.0 * static_cast<double>((row * schema.row_values + i) % 5);
      sum += g * g;
    }
    const T divisor = is_scaled ? static_cast<T>(sum) : T{1};
    for (uint64_t i = 0; i < schema.row_values; ++i) {
      const uint64_t place = row * schema.row_values + i;
      const T g = T{2} * half[place];
      T expected = 1;
      for (uint64_t t = row == 1 ? 5 : 1; t <= (row == 1 ? 6 : 2); ++t) {
        expected = expected - static_cast<T>(lr / static_cast<double>(t)) * g / divisor;
      }
      REQUIRE(values[place] == expected);
      REQUIRE(state[place] == g);
    }
  }
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a plugin's rule is found by name, by path, and under the name the plugin gives itself") {
  const absl::StatusOr<const UpdateRule*> rule = rules.Find("scaled");
  REQUIRE(rule.ok());
  CHECK((*rule)->id == table::RuleId::kPlugin);
  CHECK(std::string((*rule)->name) == "scaled");
  CHECK(std::string((*rule)->version) == "1.5");
  CHECK((*rule)->num_states == 1);
  CHECK((*rule)->counts_steps);
  CHECK(table::FindRuleParam(**rule, "scaled") == 1);
  CHECK(*rules.Find(PathOf("geeps_rule_scaled")) == *rule);
  CHECK(*rules.Find("scaled") == *rule);
}

TEST_CASE_FIXTURE(Fixture, "a name that is no rule's is NOT_FOUND with the built-in rules and every directory tried") {
  const std::string nowhere = Refusal({{"rule", "scald"}}, Code::kNotFound);
  CHECK(absl::StrContains(nowhere, "table t: option rule = scald: wanted one of add, "));
  CHECK(absl::StrContains(nowhere, "lamb, or a plugin: plugin scald not found; tried "));
  for (const std::string& directory : registry.SearchPath()) CHECK(absl::StrContains(nowhere, directory));
  CHECK(absl::StrContains(nowhere, "geeps_rule_scaled.so"));
  CHECK(absl::StrContains(Refusal({{"rule", "tcp"}}, Code::kNotFound), "plugin tcp has no interface geeps.rule/1"));
  CHECK(absl::StrContains(Refusal({{"rule", ""}}, Code::kInvalid), "wanted one of add"));
}

TEST_CASE("a broken rule is refused with plugin, version and what is wrong") {
  const struct {
    const char* how;
    const char* text;
  } kCases[] = {{"short_table", "has 48 bytes and ends before the required slot step_f64"},
                {"null_step", "has NULL in the required slot step_f64"},
                {"half_finish", "has one of finish_f32 and finish_f64, not both"},
                {"null_factors", "has 1 factors, but NULL in the slot factors"},
                {"flags", "has flags 17; this release knows 1 alone"},
                {"many_params", "has 9 parameters; at most 8 are possible"},
                {"many_states", "has 5 states; at most 4 are possible"},
                {"many_factors", "has 9 factors; at most 8 are possible"},
                {"params_null", "has 2 parameters, but NULL in their place"},
                {"param_stride", "has parameters 8 bytes apart, where each takes 24"},
                {"param_without_name", "parameter 0 whose name is not 1 to 31 of the letters"},
                {"param_with_bad_name", "parameter 0 whose name is not 1 to 31 of the letters"},
                {"param_twice", "parameter 1 whose name lr is another one's"},
                {"param_range", "parameter 1 whose range 3 this release does not know"},
                {"param_flags", "parameter 1 whose flags 2 this release does not know"},
                {"param_default", "parameter 1 whose default -1 is none of the numbers from 0 on"}};
  for (const auto& broken : kCases) {
    Fixture fixture;
    const std::string text = fixture.Refusal({{"rule", PathOf(absl::StrCat("rule_", broken.how))}}, Code::kAbi);
    CAPTURE(text);
    CHECK(absl::StrContains(text, "table t: option rule = "));
    CHECK(absl::StrContains(text, "plugin scaled 1.5"));
    CHECK(absl::StrContains(text, broken.text));
  }
}

TEST_CASE_FIXTURE(Fixture, "parameters of a plugin's rule: required, in their range, together") {
  CHECK(absl::StrContains(Refusal({{"rule", "scaled"}}, Code::kInvalid),
                          "option param.lr is missing: rule scaled has no default for it"));
  CHECK(absl::StrContains(Refusal({{"rule", "scaled"}, {"param.lr", "1"}, {"param.scaled", "-1"}}, Code::kInvalid),
                          "wanted numbers from 0 on"));
  CHECK(absl::StrContains(Refusal({{"rule", "scaled"}, {"param.lr", "1"}, {"param.rate", "1"}}, Code::kInvalid),
                          "rule scaled has no such parameter"));
  CHECK(absl::StrContains(Refusal({{"rule", "scaled"}, {"param.lr", "1"}, {"param.scaled", "0.5"}}, Code::kInvalid),
                          "rule scaled refuses its parameters: scaled is neither 0 nor 1"));
  const absl::StatusOr<TableSchema> schema = Parse({{"param.lr", "2"}, {"rule", "scaled"}});
  REQUIRE(schema.ok());
  CHECK(schema->params[0] == 2);
  CHECK(schema->params[1] == 1);
}

TEST_CASE("name and version of a plugin's rule are among what workers compare") {
  Fixture first, same, second;
  const Fixture::Pairs options = {{"param.lr", "2"}, {"rule", "scaled"}};
  const std::string other = PathOf("rule_version_2");
  const TableSchema schema = first.Parse(options).value();
  CHECK(table::Describe(schema) == table::Describe(same.Parse(options).value()));
  CHECK(table::Digest(schema) == table::Digest(same.Parse(options).value()));
  const TableSchema newer = second.Parse({{"param.lr", "2"}, {"rule", other}}).value();
  CHECK(table::Describe(newer) != table::Describe(schema));
  CHECK(table::Digest(newer) != table::Digest(schema));
  CHECK(absl::StrContains(table::Describe(schema), " rule=scaled version=1.5 param.lr=2 param.scaled=1 "));
}

TEST_CASE_FIXTURE(Fixture, "a plugin's steps: long rows twice, step counts, beside the old values and in place") {
  for (const bool is_scaled : {true, false}) {
    const Fixture::Pairs options = {{"rule", "scaled"}, {"param.lr", "0.75"}, {"param.scaled", is_scaled ? "1" : "0"}};
    StepsAreThoseOfTheFormula<float>(Parse(options, DType::kF32, 1500).value(), 0.75, is_scaled);
    StepsAreThoseOfTheFormula<double>(Parse(options, DType::kF64, 1500).value(), 0.75, is_scaled);
  }
}

TEST_CASE("a rule of an older plugin lacks what came later; what a newer one has beyond is not looked at") {
  Fixture older, newer;
  const TableSchema old =
      older.Parse({{"rule", PathOf("rule_old")}, {"param.lr", "0.5"}, {"param.scaled", "7"}}).value();
  CHECK(!old.rule->counts_steps);
  const bool has_finish = old.rule->finish_f32 != nullptr;
  CHECK(!has_finish);
  const uint64_t n = old.num_rows * old.row_values;
  std::vector<float> half(n, 3), values(n, 1), state(n, 0);
  Apply<float>(old, half, values, &state, nullptr, &values);
  CHECK(values == std::vector<float>(n, 1 - 0.5f * 6));
  const std::string path = PathOf("rule_new");
  const TableSchema now = newer.Parse({{"rule", path}, {"param.lr", "0.75"}}, DType::kF32, 1500).value();
  CHECK(now.rule->functions->struct_size == sizeof(geeps_rule));
  StepsAreThoseOfTheFormula<float>(now, 0.75, true);
}

TEST_CASE("an apply without functions, or with some that cannot be called, is refused") {
  geeps_apply apply = device::MakeApply();
  apply.rule = GEEPS_RULE_PLUGIN;
  apply.dtype = apply.input_dtype = GEEPS_F32;
  apply.reduce = GEEPS_REDUCE_SUM;
  apply.row_values = 1;
  CHECK(device::CheckApply(apply).message() == "apply: functions is NULL");
  const geeps_rule empty = {};
  apply.functions = &empty;
  CHECK(DetailOf(device::CheckApply(apply)).code == Code::kAbi);
}

}  // namespace geeps::session
