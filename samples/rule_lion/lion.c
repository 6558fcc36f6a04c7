/* SPDX-License-Identifier: Apache-2.0 */
/* lion.c - a plugin with one update rule: Lion (Chen et al., Symbolic Discovery of Optimization Algorithms, 2023,
 * arXiv:2302.06675, algorithm 2, with the weight decay decoupled). One state, m, where Adam has two:
 *
 *   c = beta1 * m + [1 - beta1] * g
 *   m = beta2 * m + [1 - beta2] * g
 *   value = [1 - lr * weight_decay] * value - lr * sign(c)
 *
 * Every + - * is rounded by itself; what stands in [ ] is calculated in f64 and rounded once. Where c is neither above nor
 * below 0, c itself is subtracted: nothing, or NaN, so that a NaN in a gradient shows in the values. */
#include <geeps_rule.h>

#include <string.h>

enum { LR, BETA1, BETA2, WEIGHT_DECAY, NUM_PARAMS };
enum { F_LR, F_BETA1, F_BETA1_REST, F_BETA2, F_BETA2_REST, F_KEPT, NUM_FACTORS };

/* The authors advise a learning rate 3 to 10 times below that of Adam, and a weight decay as many times above. */
static const geeps_rule_param params[NUM_PARAMS] = {
    [LR] = {"lr", 1e-4, GEEPS_RULE_ANY_NUMBER, 0},
    [BETA1] = {"beta1", 0.9, GEEPS_RULE_BELOW_ONE, 0},
    [BETA2] = {"beta2", 0.99, GEEPS_RULE_BELOW_ONE, 0},
    [WEIGHT_DECAY] = {"weight_decay", 0.0, GEEPS_RULE_NOT_NEGATIVE, 0},
};

static void factors(const double *p, uint64_t steps, double *f) {
  (void)steps;
  f[F_LR] = p[LR];
  f[F_BETA1] = p[BETA1];
  f[F_BETA1_REST] = 1.0 - p[BETA1];
  f[F_BETA2] = p[BETA2];
  f[F_BETA2_REST] = 1.0 - p[BETA2];
  f[F_KEPT] = 1.0 - p[LR] * p[WEIGHT_DECAY];
}

#define DEFINE_STEP(name, real)                                                          \
  static void name(const geeps_rule_piece *piece) {                                      \
    const real *const f = piece->factors;                                                \
    const real lr = f[F_LR], kept = f[F_KEPT];                                           \
    const real beta1 = f[F_BETA1], beta1_rest = f[F_BETA1_REST];                         \
    const real beta2 = f[F_BETA2], beta2_rest = f[F_BETA2_REST];                         \
    const real *restrict const g = piece->grad;                                          \
    real *restrict const value = piece->value;                                           \
    real *restrict const m = piece->states[0];                                           \
    for (uint32_t i = 0; i < piece->num_values; ++i) {                                   \
      const real c = beta1 * m[i] + beta1_rest * g[i];                                   \
      const real change = c > 0 ? lr : c < 0 ? -lr : c;                                  \
      m[i] = beta2 * m[i] + beta2_rest * g[i];                                           \
      value[i] = kept * value[i] - change;                                               \
    }                                                                                    \
  }

DEFINE_STEP(step_f32, float)
DEFINE_STEP(step_f64, double)

static const geeps_rule rule = {
    .struct_size = sizeof(geeps_rule),
    .num_params = NUM_PARAMS,
    .num_states = 1,
    .num_factors = NUM_FACTORS,
    .params = params,
    .param_stride = sizeof(geeps_rule_param),
    .step_f32 = step_f32,
    .step_f64 = step_f64,
    .factors = factors,
};

static const void *get_interface(const char *id) { return strcmp(id, GEEPS_RULE_ID) == 0 ? &rule : NULL; }

static const geeps_plugin plugin = {
    .struct_size = sizeof(geeps_plugin),
    .abi = GEEPS_PLUGIN_ABI,
    .name = "lion",
    .version = "1",
    .license = "Apache-2.0",
    .build_info = "",
    .get_interface = get_interface,
};

const geeps_plugin *GEEPS_PLUGIN_QUERY(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
