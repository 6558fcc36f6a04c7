// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/limits/hand_rules.h"

#include <cmath>
#include <vector>

#include "geeps_device.h"

namespace geeps_bench {
namespace {

void Add(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value) {
  for (uint64_t i = 0; i < n; ++i) value[i] += a[i] + b[i];
}

void Replace(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value) {
  for (uint64_t i = 0; i < n; ++i) value[i] = a[i] + b[i];
}

void Sgd(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value, float* __restrict m,
         float lr, float momentum) {
  for (uint64_t i = 0; i < n; ++i) {
    m[i] = momentum * m[i] + (a[i] + b[i]);
    value[i] -= lr * m[i];
  }
}

// What adam, adamw and lamb have in common.
struct Moments {
  float beta1, rest1, beta2, rest2, scale, root_scale, eps;
};

Moments MomentsOf(const double* params, uint64_t t, double scale) {
  const double power = static_cast<double>(t);
  return {static_cast<float>(params[1]),
          static_cast<float>(1 - params[1]),
          static_cast<float>(params[2]),
          static_cast<float>(1 - params[2]),
          static_cast<float>(scale / (1 - std::pow(params[1], power))),
          static_cast<float>(1 / std::sqrt(1 - std::pow(params[2], power))),
          static_cast<float>(params[3])};
}

void Adam(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value,
          float* __restrict m, float* __restrict v, Moments k, float weight_decay) {
  for (uint64_t i = 0; i < n; ++i) {
    const float g = a[i] + b[i] + weight_decay * value[i];
    m[i] = k.beta1 * m[i] + k.rest1 * g;
    v[i] = k.beta2 * v[i] + k.rest2 * (g * g);
    value[i] -= k.scale * m[i] / (std::sqrt(v[i]) * k.root_scale + k.eps);
  }
}

void AdamW(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value,
           float* __restrict m, float* __restrict v, Moments k, float keep) {
  for (uint64_t i = 0; i < n; ++i) {
    const float g = a[i] + b[i];
    m[i] = k.beta1 * m[i] + k.rest1 * g;
    v[i] = k.beta2 * v[i] + k.rest2 * (g * g);
    value[i] = keep * value[i] - k.scale * m[i] / (std::sqrt(v[i]) * k.root_scale + k.eps);
  }
}

void Adagrad(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value,
             float* __restrict s, float lr, float eps, float weight_decay) {
  for (uint64_t i = 0; i < n; ++i) {
    const float g = a[i] + b[i] + weight_decay * value[i];
    s[i] += g * g;
    value[i] -= lr * g / (std::sqrt(s[i]) + eps);
  }
}

void RmsProp(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value,
             float* __restrict v, float* __restrict moved, const double* params) {
  const float lr = static_cast<float>(params[0]), alpha = static_cast<float>(params[1]);
  const float rest = static_cast<float>(1 - params[1]), eps = static_cast<float>(params[2]);
  const float momentum = static_cast<float>(params[3]), weight_decay = static_cast<float>(params[4]);
  for (uint64_t i = 0; i < n; ++i) {
    const float g = a[i] + b[i] + weight_decay * value[i];
    v[i] = alpha * v[i] + rest * (g * g);
    moved[i] = momentum * moved[i] + g / (std::sqrt(v[i]) + eps);
    value[i] -= lr * moved[i];
  }
}

// One row; `change` is scratch of a row. Sixteen sums side by side, so that they are vectors.
void LambRow(uint64_t n, const float* __restrict a, const float* __restrict b, float* __restrict value,
             float* __restrict m, float* __restrict v, float* __restrict change, Moments k, float lr,
             float weight_decay) {
  float values[16] = {}, changes[16] = {};
  for (uint64_t first = 0; first < n; first += 16) {
    for (uint64_t lane = 0; lane < 16; ++lane) {
      const uint64_t i = first + lane;
      const float g = a[i] + b[i];
      m[i] = k.beta1 * m[i] + k.rest1 * g;
      v[i] = k.beta2 * v[i] + k.rest2 * (g * g);
      const float u = k.scale * m[i] / (std::sqrt(v[i]) * k.root_scale + k.eps) + weight_decay * value[i];
      change[i] = u;
      values[lane] += value[i] * value[i];
      changes[lane] += u * u;
    }
  }
  float value_norm = 0, change_norm = 0;
  for (int lane = 0; lane < 16; ++lane) value_norm += values[lane], change_norm += changes[lane];
  const float trust = value_norm > 0 && change_norm > 0 ? std::sqrt(value_norm) / std::sqrt(change_norm) : 1;
  const float rate = lr * trust;
  for (uint64_t i = 0; i < n; ++i) value[i] -= rate * change[i];
}

void Lamb(const HandArrays& x, const double* params, uint64_t t) {
  static std::vector<float> change;
  change.resize(x.row_values);
  const Moments k = MomentsOf(params, t, 1);
  for (uint64_t i = 0; i < x.num_values; i += x.row_values) {
    LambRow(x.row_values, x.a + i, x.b + i, x.value + i, x.first_state + i, x.second_state + i, change.data(), k,
            static_cast<float>(params[0]), static_cast<float>(params[4]));
  }
}

}  // namespace

bool HandStep(uint32_t rule, const double* params, uint64_t t, const HandArrays& x) {
  const auto f = [&](int i) { return static_cast<float>(params[i]); };
  switch (rule) {
    case GEEPS_RULE_ADD:
      Add(x.num_values, x.a, x.b, x.value);
      return true;
    case GEEPS_RULE_REPLACE:
      Replace(x.num_values, x.a, x.b, x.value);
      return true;
    case GEEPS_RULE_SGD:
      Sgd(x.num_values, x.a, x.b, x.value, x.first_state, f(0), f(1));
      return true;
    case GEEPS_RULE_ADAM:
      Adam(x.num_values, x.a, x.b, x.value, x.first_state, x.second_state, MomentsOf(params, t, params[0]), f(4));
      return true;
    case GEEPS_RULE_ADAMW:
      AdamW(x.num_values, x.a, x.b, x.value, x.first_state, x.second_state, MomentsOf(params, t, params[0]),
            static_cast<float>(1 - params[0] * params[4]));
      return true;
    case GEEPS_RULE_ADAGRAD: {
      const double rate = params[0] / (1 + static_cast<double>(t - 1) * params[2]);
      Adagrad(x.num_values, x.a, x.b, x.value, x.first_state, static_cast<float>(rate), f(1), f(3));
      return true;
    }
    case GEEPS_RULE_RMSPROP:
      RmsProp(x.num_values, x.a, x.b, x.value, x.first_state, x.second_state, params);
      return true;
    case GEEPS_RULE_LAMB:
      Lamb(x, params, t);
      return true;
    default:
      return false;
  }
}

}  // namespace geeps_bench
