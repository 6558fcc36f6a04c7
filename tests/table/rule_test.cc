// SPDX-License-Identifier: Apache-2.0
#include "runtime/table/rule.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "runtime/table/digest.h"
#include "runtime/table/fold.h"
#include "tests/table/random.h"

namespace geeps::table {
namespace {

using test::Random;

// Rows under one rule with one contributor, which steps some of them.
template <typename T>
class Rows {
 public:
  Rows(absl::string_view rule, uint64_t num_rows, uint64_t row_values, T first = T{0})
      : rule_(*FindRule(rule)), row_values_(row_values), values(num_rows * row_values, first), steps(num_rows, 0) {
    for (std::vector<T>& state : states) state.assign(values.size(), T{0});
    for (int i = 0; i < rule_.num_params; ++i) params.push_back(rule_.params[i].initial);
  }

  // grads: those of the rows first_row on.
  void Step(uint64_t first_row, const std::vector<T>& grads) {
    const uint64_t first = first_row * row_values_;
    const FoldInput input = {grads.data(), 0};
    FoldTarget target;
    target.rule = &rule_;
    target.row_values = row_values_;
    target.value_in = values.data() + first;
    target.value_out = values.data() + first;
    for (int i = 0; i < rule_.num_states; ++i) target.states[i] = states[i].data() + first;
    if (rule_.counts_steps) target.steps = steps.data() + first_row;
    target.params = params;
    FoldAndStep(sizeof(T) == 4 ? DType::kF32 : DType::kF64, grads.size(), absl::MakeConstSpan(&input, 1), target);
  }
  void SetParam(absl::string_view name, double value) {
    params[static_cast<size_t>(FindRuleParam(rule_, name))] = value;
  }

 private:
  const UpdateRule& rule_;
  const uint64_t row_values_;

 public:
  std::vector<T> values;
  std::vector<T> states[kMaxRuleStates];
  std::vector<uint64_t> steps;
  std::vector<double> params;
};

double Norm(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

TEST_CASE("UpdateRule: rules are found by name and id, with their parameters") {
  CHECK(FindRule("add")->id == RuleId::kAdd);
  CHECK(FindRule(RuleId::kSgd)->num_states == 1);
  CHECK(FindRule("adamax") == nullptr);
  CHECK(FindRule(static_cast<RuleId>(99)) == nullptr);
  CHECK(FindRuleParam(*FindRule("sgd"), "momentum") == 1);
  CHECK(FindRuleParam(*FindRule("sgd"), "beta") == -1);
  uint32_t last_id = 0;
  for (const UpdateRule& rule : AllRules()) {
    CHECK(FindRule(rule.name) == &rule);
    CHECK(FindRule(rule.id) == &rule);
    CHECK(static_cast<uint32_t>(rule.id) > last_id);
    last_id = static_cast<uint32_t>(rule.id);
    CHECK((rule.finish_f32 == nullptr) == (rule.finish_f64 == nullptr));
    for (int i = 0; i < rule.num_params; ++i) CHECK(IsInRange(rule.params[i].range, rule.params[i].initial));
  }
}

TEST_CASE("UpdateRule: ranges of parameters") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const ParamRange range : {ParamRange::kAny, ParamRange::kNotNegative, ParamRange::kBelowOne}) {
    CHECK(IsInRange(range, 0.0));
    CHECK(IsInRange(range, 0.999));
    CHECK(IsInRange(range, -1.0) == (range == ParamRange::kAny));
    CHECK(IsInRange(range, 1.0) == (range != ParamRange::kBelowOne));
    CHECK(!IsInRange(range, infinity));
    CHECK(!IsInRange(range, std::nan("")));
  }
}

TEST_CASE("sgd with momentum has the closed form of a constant gradient") {
  // m_k = 1 + 1/2 + .. = 2 - 2^-(k-1); powers of two are exact. v_k = -lr * sum of m.
  Rows<float> rows("sgd", 1, 1);
  rows.SetParam("lr", 0.25);
  rows.SetParam("momentum", 0.5);
  float expected = 0;
  for (int k = 1; k <= 10; ++k) {
    rows.Step(0, {1.0f});
    const float m_expected = 2.0f - std::ldexp(1.0f, 1 - k);
    expected -= 0.25f * m_expected;
    CHECK(rows.states[0][0] == m_expected);
    CHECK(rows.values[0] == expected);
  }
}

TEST_CASE("replace keeps the bits of the contribution, minus zero and NaN included") {
  Rows<float> rows("replace", 1, 3, 7.0f);
  rows.Step(0, {-0.0f, std::nanf(""), 1e-45f});
  CHECK((rows.values[0] == 0 && std::signbit(rows.values[0])));
  CHECK(std::isnan(rows.values[1]));
  CHECK(rows.values[2] == 1e-45f);
}

TEST_CASE("adam moves by lr at each step of a constant gradient, whatever its size") {
  // m / (1 - beta1^t) = g and v / (1 - beta2^t) = g * g, so each step is lr * g / (|g| + eps).
  for (const char* const rule : {"adam", "adamw"}) {
    for (const double g : {1000.0, 1.0, -1.0, 1e-3}) {
      Rows<double> rows(rule, 1, 1);
      rows.SetParam("weight_decay", 0.0);
      for (int t = 1; t <= 50; ++t) {
        rows.Step(0, {g});
        const double expected = -0.001 * t * g / (std::fabs(g) + 1e-8);
        CHECK(rows.values[0] == doctest::Approx(expected).epsilon(1e-9));
        CHECK(rows.states[0][0] == doctest::Approx(g * (1 - std::pow(0.9, t))));
        CHECK(rows.states[1][0] == doctest::Approx(g * g * (1 - std::pow(0.999, t))));
        CHECK(rows.steps[0] == static_cast<uint64_t>(t));
      }
    }
  }
}

TEST_CASE("weight decay: adam adds it to the gradient, adamw shrinks the value by lr * weight_decay") {
  Rows<double> adam("adam", 1, 1, 2.0);
  adam.SetParam("weight_decay", 0.5);
  adam.Step(0, {0.0});
  CHECK(adam.values[0] == doctest::Approx(2.0 - 0.001));  // the gradient is 1
  CHECK(adam.states[0][0] == doctest::Approx(0.1));
  Rows<double> adamw("adamw", 1, 1, 2.0);
  adamw.SetParam("weight_decay", 0.5);
  for (int t = 1; t <= 10; ++t) {
    adamw.Step(0, {0.0});
    CHECK(adamw.values[0] == doctest::Approx(2.0 * std::pow(1 - 0.001 * 0.5, t)).epsilon(1e-12));
    CHECK(adamw.states[0][0] == 0.0);
  }
}

TEST_CASE("adagrad divides by the root of the sum of squares") {
  Rows<double> rows("adagrad", 1, 1);
  double expected = 0;
  for (int t = 1; t <= 20; ++t) {
    rows.Step(0, {3.0});
    expected -= 0.01 / std::sqrt(t);  // s = 9 t
    CHECK(rows.values[0] == doctest::Approx(expected));
    CHECK(rows.states[0][0] == 9.0 * t);
  }
  Rows<double> decayed("adagrad", 1, 1);
  decayed.SetParam("lr_decay", 1.0);
  expected = 0;
  for (int t = 1; t <= 20; ++t) {
    decayed.Step(0, {-3.0});
    expected += 0.01 / t / std::sqrt(t);
    CHECK(decayed.values[0] == doctest::Approx(expected));
  }
}

TEST_CASE("rmsprop divides by the root of the running average, then takes momentum") {
  Rows<double> rows("rmsprop", 1, 1);
  rows.SetParam("momentum", 0.5);
  double b = 0, expected = 0;
  for (int t = 1; t <= 20; ++t) {
    rows.Step(0, {-4.0});
    const double v = 16.0 * (1 - std::pow(0.99, t));
    b = 0.5 * b - 4.0 / (std::sqrt(v) + 1e-8);
    expected -= 0.01 * b;
    CHECK(rows.states[0][0] == doctest::Approx(v));
    CHECK(rows.values[0] == doctest::Approx(expected));
  }
}

TEST_CASE("lamb changes each row by lr times the row's norm, whatever the gradients") {
  Random random(3);
  for (const uint64_t row_values : {1, 7, 1024, 2500}) {
    Rows<double> rows("lamb", 3, row_values);
    // The rows' norms differ by large factors.
    for (uint64_t i = 0; i < rows.values.size(); ++i) {
      rows.values[i] = std::pow(1000.0, static_cast<double>(i / row_values)) * (1.5 + random.Value<double>() / 1024);
    }
    for (int t = 1; t <= 3; ++t) {
      const std::vector<double> before = rows.values;
      rows.Step(0, random.Values<double>(rows.values.size()));
      for (uint64_t row = 0; row < 3; ++row) {
        std::vector<double> old_row, change;
        for (uint64_t i = row * row_values; i < (row + 1) * row_values; ++i) {
          old_row.push_back(before[i]);
          change.push_back(rows.values[i] - before[i]);
        }
        CHECK(Norm(change) == doctest::Approx(0.001 * Norm(old_row)).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("lamb takes adam's step where a row is zero: the trust ratio is one") {
  Rows<double> rows("lamb", 2, 4);
  rows.Step(0, std::vector<double>(8, -5.0));
  for (const double value : rows.values) CHECK(value == doctest::Approx(0.001 * 5.0 / (5.0 + 1e-6)));
}

// beta2 and what follows from it alone decide how the first step of adam differs from a later one.
TEST_CASE("a row counts its own steps: one that joins later takes the first step then") {
  for (const UpdateRule& rule : AllRules()) {
    CAPTURE(std::string(rule.name));
    Random random(7);
    const std::vector<float> first = random.Values<float>(6), second = random.Values<float>(6);
    // Row 1 takes no part in the first clock.
    Rows<float> rows(rule.name, 3, 6, 0.5f);
    rows.Step(0, first);
    rows.Step(2, first);
    const std::vector<float> untouched(rows.values.begin() + 6, rows.values.begin() + 12);
    CHECK(untouched == std::vector<float>(6, 0.5f));
    for (const std::vector<float>& state : rows.states) {
      CHECK(std::vector<float>(state.begin() + 6, state.begin() + 12) == std::vector<float>(6, 0.0f));
    }
    CHECK(rows.steps[1] == 0);
    std::vector<float> all;
    for (int row = 0; row < 3; ++row) all.insert(all.end(), second.begin(), second.end());
    rows.Step(0, all);
    // Rows 0 and 2 are where two steps lead, row 1 where the second one alone leads.
    Rows<float> both(rule.name, 1, 6, 0.5f), late(rule.name, 1, 6, 0.5f);
    both.Step(0, first);
    both.Step(0, second);
    late.Step(0, second);
    for (uint64_t i = 0; i < 6; ++i) {
      CHECK(rows.values[i] == both.values[i]);
      CHECK(rows.values[6 + i] == late.values[i]);
      CHECK(rows.values[12 + i] == both.values[i]);
    }
    CHECK(rows.steps == (rule.counts_steps ? std::vector<uint64_t>{2, 1, 2} : std::vector<uint64_t>{0, 0, 0}));
  }
}

TEST_CASE("a parameter that changes at a clock counts from that step on") {
  Rows<double> rows("adam", 1, 1);
  rows.Step(0, {2.0});
  rows.SetParam("lr", 0.5);
  rows.Step(0, {2.0});
  CHECK(rows.values[0] == doctest::Approx(-0.001 - 0.5));
}

// The numbers were calculated once; they are the same on every machine and compiler.
TEST_CASE("twenty steps of each rule have the bits that they have everywhere") {
  const std::map<std::string, uint64_t> expected = {
      {"add", 8591613914001814447ull},      {"sgd", 16895836320338108282ull},   {"replace", 11366607261908221345ull},
      {"adam", 11199269510047380939ull},    {"adamw", 15967401837625043716ull}, {"adagrad", 7735047099924158652ull},
      {"rmsprop", 11001147622257228756ull}, {"lamb", 9688839395113467769ull},
  };
  for (const UpdateRule& rule : AllRules()) {
    Random random(11);
    Rows<float> single(rule.name, 5, 300, 0.75f);
    Rows<double> twice(rule.name, 5, 300, 0.75);
    for (int t = 0; t < 20; ++t) {
      const uint64_t first = random.Below(4);
      single.Step(first, random.Values<float>(600));
      twice.Step(first, random.Values<double>(600));
    }
    Digester digester;
    for (const float value : single.values) digester.Add(static_cast<double>(value));
    for (const double value : twice.values) digester.Add(value);
    CAPTURE(std::string(rule.name));
    CHECK(digester.value() == expected.at(rule.name));
  }
}

}  // namespace
}  // namespace geeps::table
