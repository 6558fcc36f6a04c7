// SPDX-License-Identifier: Apache-2.0
// ReferenceRule: the update rules once more, by plain loops over one row at a time, from docs/rules.md alone: what the
// library must agree with bit for bit. Includes nothing of the library on purpose.
// Thread contract: one thread.
#ifndef GEEPS_TESTS_TABLE_REFERENCE_RULE_H_
#define GEEPS_TESTS_TABLE_REFERENCE_RULE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace geeps::test {

// T: the dtype that the rule is calculated in.
template <typename T>
class ReferenceRule {
 public:
  ReferenceRule(const std::string& name, uint64_t num_rows, uint64_t row_values)
      : name_(name),
        row_values_(row_values),
        first_(num_rows * row_values, T{0}),
        second_(num_rows * row_values, T{0}),
        steps_(num_rows, 0) {}

  // The row is as at the beginning: no state, no step taken.
  void Forget(uint64_t row) {
    const auto begin = static_cast<std::ptrdiff_t>(row * row_values_);
    const auto end = begin + static_cast<std::ptrdiff_t>(row_values_);
    std::fill(first_.begin() + begin, first_.begin() + end, T{0});
    std::fill(second_.begin() + begin, second_.begin() + end, T{0});
    steps_[row] = 0;
  }

  // One step of `row`. params: of the rule, in the documented order. g, value: [row_values]; value is changed.
  void Step(uint64_t row, const std::vector<double>& params, const T* g, T* value) {
    T* const a = first_.data() + row * row_values_;
    T* const b = second_.data() + row * row_values_;
    const uint64_t t = ++steps_[row];
    if (name_ == "lamb") return StepLamb(params, t, g, value, a, b);
    for (uint64_t i = 0; i < row_values_; ++i) StepValue(name_, params, t, g[i], value + i, a + i, b + i);
  }

  // The same for one value, of any rule but lamb. t: the steps of the row, this one included. a, b: the first and the
  // second state, where the rule has them.
  static void StepValue(const std::string& name, const std::vector<double>& params, uint64_t t, T g, T* value, T* a,
                        T* b) {
    if (name == "add") {
      *value = R(*value + g);
    } else if (name == "replace") {
      *value = g;
    } else if (name == "sgd") {
      *a = R(R(T(params[1]) * *a) + g);
      *value = R(*value - R(T(params[0]) * *a));
    } else if (name == "adam") {
      const T h = R(g + R(T(params[4]) * *value));
      Moments(params, h, a, b);
      const double bias = 1.0 - ToThe(t, params[1]);
      *value = R(*value - Ratio(params, t, T(params[0] / bias), *a, *b));
    } else if (name == "adamw") {
      Moments(params, g, a, b);
      const double bias = 1.0 - ToThe(t, params[1]);
      const T kept = R(T(1.0 - R(params[0] * params[4])) * *value);
      *value = R(kept - Ratio(params, t, T(params[0] / bias), *a, *b));
    } else if (name == "adagrad") {
      const T h = R(g + R(T(params[3]) * *value));
      *a = R(*a + R(h * h));
      const T rate = T(params[0] / (1.0 + R(double(t - 1) * params[2])));
      *value = R(*value - R(R(rate * h) / R(R(std::sqrt(*a)) + T(params[1]))));
    } else if (name == "rmsprop") {
      const T h = R(g + R(T(params[4]) * *value));
      *a = R(R(T(params[1]) * *a) + R(T(1.0 - params[1]) * R(h * h)));
      *b = R(R(T(params[3]) * *b) + R(h / R(R(std::sqrt(*a)) + T(params[2]))));
      *value = R(*value - R(T(params[0]) * *b));
    } else if (name == "lion") {  // samples/rule_lion
      const T c = R(R(T(params[1]) * *a) + R(T(1.0 - params[1]) * g));
      const T lr = T(params[0]);
      *a = R(R(T(params[2]) * *a) + R(T(1.0 - params[2]) * g));
      const T kept = R(T(1.0 - R(params[0] * params[3])) * *value);
      *value = R(kept - (c > 0 ? lr : c < 0 ? -lr : c));
    }
  }

 private:
  // Makes every operation round by itself, whatever the flags.
  template <typename N>
  static N R(N number) {
    volatile N rounded = number;
    return rounded;
  }

  // The squares b, b^2, b^4, .. whose bit is set in t, multiplied from the lowest on.
  static double ToThe(uint64_t t, double b) {
    double product = 1.0;
    for (int bit = 0; bit < 64 && (t >> bit) != 0; ++bit) {
      double square = b;
      for (int k = 0; k < bit; ++k) square = R(square * square);
      if ((t >> bit) % 2 == 1) product = R(product * square);
    }
    return product;
  }

  static void Moments(const std::vector<double>& params, T h, T* m, T* v) {
    *m = R(R(T(params[1]) * *m) + R(T(1.0 - params[1]) * h));
    *v = R(R(T(params[2]) * *v) + R(T(1.0 - params[2]) * R(h * h)));
  }

  static T Ratio(const std::vector<double>& params, uint64_t t, T scale, T m, T v) {
    const T root_scale = T(1.0 / R(std::sqrt(1.0 - ToThe(t, params[2]))));
    return R(R(scale * m) / R(R(R(std::sqrt(v)) * root_scale) + T(params[3])));
  }

  // Pieces of 1,024; in a piece 32 lanes by the place modulo 32, then halved.
  double SumOfSquares(const T* x) const {
    double total = 0.0;
    for (uint64_t begin = 0; begin < row_values_; begin += 1024) {
      T lanes[32] = {};
      for (uint64_t i = begin; i < row_values_ && i < begin + 1024; ++i) {
        lanes[i % 32] = R(lanes[i % 32] + R(x[i] * x[i]));
      }
      for (int half : {16, 8, 4, 2, 1}) {
        for (int k = 0; k < half; ++k) lanes[k] = R(lanes[k] + lanes[half + k]);
      }
      total = R(total + double(lanes[0]));
    }
    return total;
  }

  void StepLamb(const std::vector<double>& params, uint64_t t, const T* g, T* value, T* m, T* v) const {
    std::vector<T> u(row_values_);
    const T scale = T(1.0 / (1.0 - ToThe(t, params[1])));
    for (uint64_t i = 0; i < row_values_; ++i) {
      Moments(params, g[i], &m[i], &v[i]);
      u[i] = R(Ratio(params, t, scale, m[i], v[i]) + R(T(params[4]) * value[i]));
    }
    const double value_norm = std::sqrt(SumOfSquares(value));
    const double change_norm = std::sqrt(SumOfSquares(u.data()));
    double trust = 1.0;
    if (value_norm > 0.0 && change_norm > 0.0) trust = R(value_norm / change_norm);
    const T rate = T(params[0] * trust);
    for (uint64_t i = 0; i < row_values_; ++i) value[i] = R(value[i] - R(rate * u[i]));
  }

  const std::string name_;
  const uint64_t row_values_;
  std::vector<T> first_;   // m, s or v
  std::vector<T> second_;  // v or b
  std::vector<uint64_t> steps_;
};

}  // namespace geeps::test

#endif  // GEEPS_TESTS_TABLE_REFERENCE_RULE_H_
