// SPDX-License-Identifier: Apache-2.0
// The functions behind the table of rules: for each rule its factors, its step and, for lamb, its finish. The order of
// operations is that of docs/rules.md: every + - * / and square root below is rounded by itself.
// Thread contract: pure functions.
#ifndef GEEPS_RUNTIME_TABLE_RULE_KERNELS_H_
#define GEEPS_RUNTIME_TABLE_RULE_KERNELS_H_

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "runtime/table/lanes.h"
#include "runtime/table/rule.h"

namespace geeps::table {

// base to the power of exponent by squaring, from the lowest bit up, so that its bits are defined: the C library's pow
// is not correctly rounded and differs between machines.
inline double Power(double base, uint64_t exponent) {
  double power = 1.0;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) power = power * base;
    base = base * base;
  }
  return power;
}

// A copy of the factors, so that the compiler knows that no store changes them.
template <typename T>
using LocalFactors = std::array<T, kMaxRuleFactors>;

template <typename T>
LocalFactors<T> CopyFactors(const RulePiece<T>& piece) {
  LocalFactors<T> factors;
  std::copy_n(piece.factors, kMaxRuleFactors, factors.begin());
  return factors;
}

// Calls fn.operator()<V>(i, g) as ForLanes does, with the reduced contribution at place i.
template <typename T, typename Fn>
void ForGrads(const RulePiece<T>& piece, Fn&& fn) {
  const T* const grad = piece.grad;
  const T* const addend = piece.addend;
  if (addend == nullptr) {
    ForLanes<T>(piece.num_values,
                [=]<typename V>(uint64_t i) { fn.template operator()<V>(i, LoadLanes<V>(grad + i)); });
  } else {
    ForLanes<T>(piece.num_values, [=]<typename V>(uint64_t i) {
      const V g = LoadLanes<V>(grad + i) + LoadLanes<V>(addend + i);
      fn.template operator()<V>(i, g);
    });
  }
}

inline void NoFactors(const double* /*params*/, uint64_t /*steps*/, double* /*factors*/) {}

// add: value = value + g.
template <typename T>
void StepAdd(const RulePiece<T>& piece) {
  const T* const in = piece.value_in;
  T* const out = piece.value_out;
  ForGrads(piece, [=]<typename V>(uint64_t i, const V& g) { StoreLanes(out + i, LoadLanes<V>(in + i) + g); });
}

// replace: value = g.
template <typename T>
void StepReplace(const RulePiece<T>& piece) {
  T* const out = piece.value_out;
  ForGrads(piece, [=]<typename V>(uint64_t i, const V& g) { StoreLanes(out + i, g); });
}

// sgd. params, factors: lr, momentum. States: m.
inline void SgdFactors(const double* params, uint64_t /*steps*/, double* factors) {
  factors[0] = params[0];
  factors[1] = params[1];
}

template <typename T>
void StepSgd(const RulePiece<T>& piece) {
  const T lr = piece.factors[0];
  const T momentum = piece.factors[1];
  const T* const in = piece.value_in;
  T* const out = piece.value_out;
  T* const m = piece.states[0];
  ForGrads(piece, [=]<typename V>(uint64_t i, const V& g) {
    const V decayed = momentum * LoadLanes<V>(m + i);
    const V next = decayed + g;
    const V change = lr * next;
    StoreLanes(m + i, next);
    StoreLanes(out + i, LoadLanes<V>(in + i) - change);
  });
}

// Moments: the running averages of adam, adamw and lamb. factors 0 .. 3: beta1, 1 - beta1, beta2, 1 - beta2.
// params: lr, beta1, beta2, eps, weight_decay. States: m, v.
inline void MomentFactors(const double* params, double* factors) {
  factors[0] = params[1];
  factors[1] = 1.0 - params[1];
  factors[2] = params[2];
  factors[3] = 1.0 - params[2];
}

// The next m, stored.
template <typename V, typename T>
V NextMean(const LocalFactors<T>& factors, const V& grad, T* m) {
  const V kept = factors[0] * LoadLanes<V>(m);
  const V added = factors[1] * grad;
  const V next = kept + added;
  StoreLanes(m, next);
  return next;
}

// The next v, stored.
template <typename V, typename T>
V NextSquare(const LocalFactors<T>& factors, const V& grad, T* v) {
  const V kept = factors[2] * LoadLanes<V>(v);
  const V square = grad * grad;
  const V added = factors[3] * square;
  const V next = kept + added;
  StoreLanes(v, next);
  return next;
}

// (scale * m) / (sqrt(v) * root_scale + eps).
template <typename V, typename T>
V MomentRatio(const V& m, const V& v, T scale, T root_scale, T eps) {
  const V root = SqrtLanes(v) * root_scale;
  const V divisor = root + eps;
  const V scaled = scale * m;
  return scaled / divisor;
}

// adam. factors 4 .. 7: lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t), eps, weight_decay.
inline void AdamFactors(const double* params, uint64_t steps, double* factors) {
  MomentFactors(params, factors);
  factors[4] = params[0] / (1.0 - Power(params[1], steps));
  factors[5] = 1.0 / std::sqrt(1.0 - Power(params[2], steps));
  factors[6] = params[3];
  factors[7] = params[4];
}

template <typename T>
void StepAdam(const RulePiece<T>& piece) {
  const LocalFactors<T> f = CopyFactors(piece);
  const T* const in = piece.value_in;
  T* const out = piece.value_out;
  T* const m = piece.states[0];
  T* const v = piece.states[1];
  ForGrads(piece, [=]<typename V>(uint64_t i, const V& grad) {
    const V value = LoadLanes<V>(in + i);
    const V decay = f[7] * value;
    const V g = grad + decay;
    const V mean = NextMean<V>(f, g, m + i);
    const V square = NextSquare<V>(f, g, v + i);
    StoreLanes(out + i, value - MomentRatio<V>(mean, square, f[4], f[5], f[6]));
  });
}

// adamw. As adam, but factor 7 is 1 - lr * weight_decay.
inline void AdamWFactors(const double* params, uint64_t steps, double* factors) {
  AdamFactors(params, steps, factors);
  factors[7] = 1.0 - params[0] * params[4];
}

template <typename T>
void StepAdamW(const RulePiece<T>& piece) {
  const LocalFactors<T> f = CopyFactors(piece);
  const T* const in = piece.value_in;
  T* const out = piece.value_out;
  T* const m = piece.states[0];
  T* const v = piece.states[1];
  ForGrads(piece, [=]<typename V>(uint64_t i, const V& g) {
    const V mean = NextMean<V>(f, g, m + i);
    const V square = NextSquare<V>(f, g, v + i);
    const V decayed = f[7] * LoadLanes<V>(in + i);
    StoreLanes(out + i, decayed - MomentRatio<V>(mean, square, f[4], f[5], f[6]));
  });
}

// adagrad. params: lr, eps, lr_decay, weight_decay. factors: lr / (1 + (t - 1) * lr_decay), eps, weight_decay. States:
// s.
inline void AdagradFactors(const double* params, uint64_t steps, double* factors) {
  const double growth = static_cast<double>(steps - 1) * params[2];
  factors[0] = params[0] / (1.0 + growth);
  factors[1] = params[1];
  factors[2] = params[3];
}

template <typename T>
void StepAdagrad(const RulePiece<T>& piece) {
  const T lr = piece.factors[0];
  const T eps = piece.factors[1];
  const T weight_decay = piece.factors[2];
  const T* const in = piece.value_in;
  T* const out = piece.value_out;
  T* const s = piece.states[0];
  ForGrads(piece, [=]<typename V>(uint64_t i, const V& grad) {
    const V value = LoadLanes<V>(in + i);
    const V decay = weight_decay * value;
    const V g = grad + decay;
    const V square = g * g;
    const V sum = LoadLanes<V>(s + i) + square;
    StoreLanes(s + i, sum);
    const V divisor = SqrtLanes(sum) + eps;
    const V scaled = lr * g;
    StoreLanes(out + i, value - scaled / divisor);
  });
}

// rmsprop. params: lr, alpha, eps, momentum, weight_decay. factors: alpha, 1 - alpha, eps, momentum, lr, weight_decay.
// States: v, b.
inline void RmsPropFactors(const double* params, uint64_t /*steps*/, double* factors) {
  factors[0] = params[1];
  factors[1] = 1.0 - params[1];
  factors[2] = params[2];
  factors[3] = params[3];
  factors[4] = params[0];
  factors[5] = params[4];
}

template <typename T>
void StepRmsProp(const RulePiece<T>& piece) {
  const LocalFactors<T> f = CopyFactors(piece);
  const T* const in = piece.value_in;
  T* const out = piece.value_out;
  T* const v = piece.states[0];
  T* const b = piece.states[1];
  ForGrads(piece, [=]<typename V>(uint64_t i, const V& grad) {
    const V value = LoadLanes<V>(in + i);
    const V decay = f[5] * value;
    const V g = grad + decay;
    const V kept = f[0] * LoadLanes<V>(v + i);
    const V square = g * g;
    const V added = f[1] * square;
    const V average = kept + added;
    StoreLanes(v + i, average);
    const V divisor = SqrtLanes(average) + f[2];
    const V ratio = g / divisor;
    const V carried = f[3] * LoadLanes<V>(b + i);
    const V next = carried + ratio;
    StoreLanes(b + i, next);
    const V change = f[4] * next;
    StoreLanes(out + i, value - change);
  });
}

// lamb. As adam, but factor 4 is 1 / (1 - beta1^t). Row sums: the squares of the values and of the changes u.
inline void LambFactors(const double* params, uint64_t steps, double* factors) {
  AdamFactors(params, steps, factors);
  factors[4] = 1.0 / (1.0 - Power(params[1], steps));
}

// u = ratio of the moments + weight_decay * value.
template <typename V, typename T>
V LambChange(const V& mean, const V& square, const V& value, const LocalFactors<T>& f) {
  const V ratio = MomentRatio<V>(mean, square, f[4], f[5], f[6]);
  const V decay = f[7] * value;
  return ratio + decay;
}

template <typename T>
void StepLamb(const RulePiece<T>& piece) {
  const LocalFactors<T> f = CopyFactors(piece);
  const T* const in = piece.value_in;
  T* const m = piece.states[0];
  T* const v = piece.states[1];
  alignas(16) T change[kRulePieceValues];
  T* const u = piece.kept != nullptr ? piece.kept : change;
  ForGrads(piece, [=]<typename V>(uint64_t i, const V& g) {
    const V mean = NextMean<V>(f, g, m + i);
    const V square = NextSquare<V>(f, g, v + i);
    StoreLanes(u + i, LambChange<V>(mean, square, LoadLanes<V>(in + i), f));
  });
  piece.sums[0] = piece.sums[0] + static_cast<double>(SumOfSquares(piece.num_values, in));
  piece.sums[1] = piece.sums[1] + static_cast<double>(SumOfSquares(piece.num_values, static_cast<const T*>(u)));
}

// value = value - rate * u, rate = lr * |value| / |u| over the row; a norm that is zero counts as equal to the other.
template <typename T>
void FinishLamb(const RulePiece<T>& piece) {
  const double value_norm = std::sqrt(piece.sums[0]);
  const double change_norm = std::sqrt(piece.sums[1]);
  const double trust = value_norm > 0.0 && change_norm > 0.0 ? value_norm / change_norm : 1.0;
  const T rate = static_cast<T>(piece.params[0] * trust);
  const T* const in = piece.value_in;
  T* const out = piece.value_out;
  if (const T* const u = piece.kept; u != nullptr) {
    ForLanes<T>(piece.num_values, [=]<typename V>(uint64_t i) {
      const V change = rate * LoadLanes<V>(u + i);
      StoreLanes(out + i, LoadLanes<V>(in + i) - change);
    });
    return;
  }
  const LocalFactors<T> f = CopyFactors(piece);
  const T* const m = piece.states[0];
  const T* const v = piece.states[1];
  ForLanes<T>(piece.num_values, [=]<typename V>(uint64_t i) {
    const V value = LoadLanes<V>(in + i);
    const V change = rate * LambChange<V>(LoadLanes<V>(m + i), LoadLanes<V>(v + i), value, f);
    StoreLanes(out + i, value - change);
  });
}

}  // namespace geeps::table

#endif  // GEEPS_RUNTIME_TABLE_RULE_KERNELS_H_
