// SPDX-License-Identifier: Apache-2.0
// Rules: the update rules of geeps_device.h for single values, operation by operation in the order of their definition.
// Thread contract: pure functions.
#ifndef GEEPS_PLUGINS_CUDA_KERNELS_RULES_H_
#define GEEPS_PLUGINS_CUDA_KERNELS_RULES_H_

#include <cstdint>

#include "plugins/cuda/kernels/apply_table.h"
#include "plugins/cuda/kernels/arithmetic.h"

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

// One step of one value; a and b are the rule's states. rate: of lamb's second half.
template <typename T>
GEEPS_HD void Step(Rule rule, const Factors<T>& k, T g, T rate, T* value, T* a, T* b) {
  switch (rule) {
    case Rule::kAdd:
      *value = Add(*value, g);
      return;
    case Rule::kReplace:
      *value = g;
      return;
    case Rule::kSgd:
      *a = Add(Multiply(k.f[1], *a), g);
      *value = Subtract(*value, Multiply(k.f[0], *a));
      return;
    case Rule::kAdam: {
      const T h = Add(g, Multiply(k.f[7], *value));
      *a = NextMean(k, h, *a);
      *b = NextSquare(k, h, *b);
      *value = Subtract(*value, MomentRatio(k, *a, *b));
      return;
    }
    case Rule::kAdamW:
      *a = NextMean(k, g, *a);
      *b = NextSquare(k, g, *b);
      *value = Subtract(Multiply(k.f[7], *value), MomentRatio(k, *a, *b));
      return;
    case Rule::kAdagrad: {
      const T h = Add(g, Multiply(k.f[2], *value));
      *a = Add(*a, Multiply(h, h));
      *value = Subtract(*value, Divide(Multiply(k.f[0], h), Add(SquareRoot(*a), k.f[1])));
      return;
    }
    case Rule::kRmsProp: {
      const T h = Add(g, Multiply(k.f[5], *value));
      *a = Add(Multiply(k.f[0], *a), Multiply(k.f[1], Multiply(h, h)));
      *b = Add(Multiply(k.f[3], *b), Divide(h, Add(SquareRoot(*a), k.f[2])));
      *value = Subtract(*value, Multiply(k.f[4], *b));
      return;
    }
    case Rule::kLambFinish:
      *value = Subtract(*value, Multiply(rate, LambChange(k, *a, *b, *value)));
      return;
    case Rule::kLamb:  // kernels of its own
      return;
  }
}

GEEPS_HD uint32_t NumStatesOf(Rule rule) {
  if (rule == Rule::kAdd || rule == Rule::kReplace) return 0;
  return rule == Rule::kSgd || rule == Rule::kAdagrad ? 1 : 2;
}

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_KERNELS_RULES_H_
