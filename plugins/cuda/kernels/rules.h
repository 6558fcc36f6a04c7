// SPDX-License-Identifier: Apache-2.0
// Rules: the update rules of geeps_device.h for single values, operation by operation in the order of their definition.
// Thread contract: pure functions.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_RULES_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_RULES_H_

#include <cstdint>

#include "plugins/cuda/kernels/apply_table.h"
#include "plugins/cuda/kernels/arithmetic.h"
#include "plugins/cuda/kernels/move_range.h"

namespace geeps::cuda {

// What stands in [] and the params, rounded to T. By rule:
//   sgd       lr, momentum
//   adagrad   *lr / (1 + (t - 1) * lr_decay), eps, weight_decay
//   rmsprop   alpha, 1 - alpha, eps, momentum, lr, weight_decay
//   adam      beta1, 1 - beta1, beta2, 1 - beta2, *lr / (1 - beta1^t), *1 / sqrt(1 - beta2^t), eps, weight_decay
//   adamw     likewise, the last one 1 - lr * weight_decay
//   lamb      likewise, factor 4 *1 / (1 - beta1^t) and the last one weight_decay
// Those with a star depend on the steps of the row.
template <typename T>
struct Factors {
  T f[8];
};

// The factors that depend on steps: two of a rule with moments, one of adagrad. t: steps with this one.
GEEPS_HD void RowFactorsOf(Rule rule, const double* params, uint64_t t, double* first, double* second) {
  if (rule == Rule::kAdagrad) {
    const double growth = Multiply(static_cast<double>(t - 1), params[2]);
    *first = Divide(params[0], Add(1.0, growth));
    *second = 0.0;
    return;
  }
  const double numerator = rule == Rule::kLamb ? 1.0 : params[0];
  *first = Divide(numerator, Subtract(1.0, Power(params[1], t)));
  *second = Divide(1.0, SquareRoot(Subtract(1.0, Power(params[2], t))));
}

template <typename T>
GEEPS_HD T NextMean(const Factors<T>& k, T g, T m) {
  return Add(Multiply(k.f[0], m), Multiply(k.f[1], g));
}
template <typename T>
GEEPS_HD T NextSquare(const Factors<T>& k, T g, T v) {
  return Add(Multiply(k.f[2], v), Multiply(k.f[3], Multiply(g, g)));
}
// (f4 * m) / (sqrt(v) * f5 + eps)
template <typename T>
GEEPS_HD T MomentRatio(const Factors<T>& k, T m, T v) {
  const T divisor = Add(Multiply(SquareRoot(v), k.f[5]), k.f[6]);
  return Divide(Multiply(k.f[4], m), divisor);
}
// u of lamb.
template <typename T>
GEEPS_HD T LambChange(const Factors<T>& k, T m, T v, T value) {
  return Add(MomentRatio(k, m, v), Multiply(k.f[7], value));
}

template <typename T>
GEEPS_HD void StepSgd(const Factors<T>& k, T g, T* value, T* m) {
  *m = Add(Multiply(k.f[1], *m), g);
  *value = Subtract(*value, Multiply(k.f[0], *m));
}
template <typename T>
GEEPS_HD void StepAdam(const Factors<T>& k, T g, T* value, T* m, T* v) {
  const T h = Add(g, Multiply(k.f[7], *value));
  *m = NextMean(k, h, *m);
  *v = NextSquare(k, h, *v);
  *value = Subtract(*value, MomentRatio(k, *m, *v));
}
template <typename T>
GEEPS_HD void StepAdamW(const Factors<T>& k, T g, T* value, T* m, T* v) {
  *m = NextMean(k, g, *m);
  *v = NextSquare(k, g, *v);
  *value = Subtract(Multiply(k.f[7], *value), MomentRatio(k, *m, *v));
}
template <typename T>
GEEPS_HD void StepAdagrad(const Factors<T>& k, T g, T* value, T* s) {
  const T h = Add(g, Multiply(k.f[2], *value));
  *s = Add(*s, Multiply(h, h));
  *value = Subtract(*value, Divide(Multiply(k.f[0], h), Add(SquareRoot(*s), k.f[1])));
}
template <typename T>
GEEPS_HD void StepRmsProp(const Factors<T>& k, T g, T* value, T* v, T* b) {
  const T h = Add(g, Multiply(k.f[5], *value));
  *v = Add(Multiply(k.f[0], *v), Multiply(k.f[1], Multiply(h, h)));
  *b = Add(Multiply(k.f[3], *b), Divide(h, Add(SquareRoot(*v), k.f[2])));
  *value = Subtract(*value, Multiply(k.f[4], *b));
}
template <typename T>
GEEPS_HD void StepLambFinish(const Factors<T>& k, T rate, T* value, T m, T v) {
  *value = Subtract(*value, Multiply(rate, LambChange(k, m, v, *value)));
}

// One step of kWidth values; a and b are the rule's states. rate: of lamb's second half. The choice is made outside of
// the loop over the values.
template <typename T, int kWidth, bool kIsFinish>
GEEPS_HD void StepValues(Rule rule, const Factors<T>& k, const Pack<T, kWidth>& g, T rate, Pack<T, kWidth>* value,
                         Pack<T, kWidth>* a, Pack<T, kWidth>* b) {
  const auto for_each = [&](auto&& step) {
    GEEPS_UNROLL
    for (int i = 0; i < kWidth; ++i) step(g.values[i], &value->values[i], &a->values[i], &b->values[i]);
  };
  if constexpr (kIsFinish) {
    return for_each([&](T, T* w, T* m, T* v) { StepLambFinish(k, rate, w, *m, *v); });
  }
  switch (rule) {
    case Rule::kAdd:
      return for_each([](T h, T* w, T*, T*) { *w = Add(*w, h); });
    case Rule::kReplace:
      return for_each([](T h, T* w, T*, T*) { *w = h; });
    case Rule::kSgd:
      return for_each([&](T h, T* w, T* m, T*) { StepSgd(k, h, w, m); });
    case Rule::kAdam:
      return for_each([&](T h, T* w, T* m, T* v) { StepAdam(k, h, w, m, v); });
    case Rule::kAdamW:
      return for_each([&](T h, T* w, T* m, T* v) { StepAdamW(k, h, w, m, v); });
    case Rule::kAdagrad:
      return for_each([&](T h, T* w, T* s, T*) { StepAdagrad(k, h, w, s); });
    case Rule::kRmsProp:
      return for_each([&](T h, T* w, T* v, T* m) { StepRmsProp(k, h, w, v, m); });
    case Rule::kLamb:
    case Rule::kLambFinish:  // kernels of their own
      return;
  }
}

GEEPS_HD uint32_t NumStatesOf(Rule rule) {
  if (rule == Rule::kAdd || rule == Rule::kReplace) return 0;
  return rule == Rule::kSgd || rule == Rule::kAdagrad ? 1 : 2;
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_RULES_H_
