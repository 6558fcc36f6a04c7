/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as a foreign author brings them, in C: one that uses all there is, and others that are wrong in one way each, chosen by
 * RULE_*. The good one, with t the steps of the row:
 *
 *   m = g
 *   value = value - [lr / t] * m / sum of the squares of m over the row, in f64, or 1 when scaled is 0
 *
 * The one of an older plugin, whose table ends behind the steps: value = value - lr * g. */
#include <string.h>

#include "geeps_rule.h"

#define STRING2(x) #x
#define STRING(x) STRING2(x)

static const geeps_rule_param params[9] = {
#if defined(RULE_PARAM_WITHOUT_NAME)
    {NULL, 0.5, GEEPS_RULE_ANY_NUMBER, 0},
#elif defined(RULE_PARAM_WITH_BAD_NAME)
    {"Learning rate", 0.5, GEEPS_RULE_ANY_NUMBER, 0},
#else
    {"lr", 0.5, GEEPS_RULE_ANY_NUMBER, GEEPS_RULE_REQUIRED},
#endif
#if defined(RULE_PARAM_TWICE)
    {"lr", 0.5, GEEPS_RULE_ANY_NUMBER, 0},
#elif defined(RULE_PARAM_RANGE)
    {"scaled", 1, 3, 0},
#elif defined(RULE_PARAM_FLAGS)
    {"scaled", 1, GEEPS_RULE_NOT_NEGATIVE, 2},
#elif defined(RULE_PARAM_DEFAULT)
    {"scaled", -1, GEEPS_RULE_NOT_NEGATIVE, 0},
#else
    {"scaled", 1, GEEPS_RULE_NOT_NEGATIVE, 0},
#endif
};

#if !defined(RULE_OLD)
static void factors(const double *p, uint64_t steps, double *f) { f[0] = p[0] / (double)steps; }

static geeps_status check_params(const double *p, geeps_error *err) {
  if (p[1] == 0.0 || p[1] == 1.0) return GEEPS_OK;
  strncpy(err->message, "scaled is neither 0 nor 1", sizeof err->message - 1);
  return GEEPS_E_INVALID;
}
#endif

/* Whatever a piece must not be is marked by a value that no test expects. */
#define DEFINE(step, finish, real)                                                               \
  static void step(const geeps_rule_piece *piece) {                                              \
    const real *const g = piece->grad;                                                           \
    real *const m = piece->states[0];                                                            \
    real *const value = piece->value;                                                            \
    double sum = 0;                                                                              \
    for (uint32_t i = 0; i < piece->num_values; ++i) {                                           \
      m[i] = g[i];                                                                               \
      sum = sum + (double)g[i] * (double)g[i];                                                   \
    }                                                                                            \
    piece->sums[0] = piece->sums[0] + sum;                                                       \
    if (piece->num_values > GEEPS_RULE_PIECE_MAX || piece->states[1] != NULL) value[0] = 1e9f;   \
    if (piece->struct_size != sizeof(geeps_rule_piece)) value[0] = 2e9f;                         \
  }                                                                                              \
  static void finish(const geeps_rule_piece *piece) {                                            \
    const real rate = *(const real *)piece->factors;                                             \
    const real divisor = piece->params[1] == 1.0 ? (real)piece->sums[0] : 1;                     \
    const real *const m = piece->states[0];                                                      \
    real *const value = piece->value;                                                            \
    for (uint32_t i = 0; i < piece->num_values; ++i) value[i] = value[i] - rate * m[i] / divisor; \
    if (piece->grad != NULL) value[0] = 3e9f;                                                    \
  }

#define DEFINE_OLD(step, real)                                                         \
  static void step(const geeps_rule_piece *piece) {                                    \
    const real lr = (real)piece->params[0];                                            \
    const real *const g = piece->grad;                                                 \
    real *const value = piece->value;                                                  \
    for (uint32_t i = 0; i < piece->num_values; ++i) value[i] = value[i] - lr * g[i];  \
    if (piece->sums != NULL) value[0] = 4e9f;                                          \
  }

#if defined(RULE_OLD)
DEFINE_OLD(step_f32, float)
DEFINE_OLD(step_f64, double)
#else
DEFINE(step_f32, finish_f32, float)
DEFINE(step_f64, finish_f64, double)
#endif

static const geeps_rule rule = {
#if defined(RULE_SHORT_TABLE)
    .struct_size = 48, /* ends before step_f64 */
#elif defined(RULE_OLD)
    .struct_size = offsetof(geeps_rule, finish_f32), /* what comes later does not exist for it */
#elif defined(RULE_NEW)
    .struct_size = sizeof(geeps_rule) + 8, /* what comes later does not exist for this host */
#else
    .struct_size = sizeof(geeps_rule),
#endif
#if defined(RULE_FLAGS)
    .flags = 0x10 | GEEPS_RULE_STEPS,
#elif defined(RULE_OLD)
    .flags = 0,
#else
    .flags = GEEPS_RULE_STEPS,
#endif
#if defined(RULE_MANY_PARAMS)
    .num_params = 9,
#else
    .num_params = 2,
#endif
#if defined(RULE_MANY_STATES)
    .num_states = 5,
#else
    .num_states = 1,
#endif
#if defined(RULE_MANY_FACTORS)
    .num_factors = 9,
#elif defined(RULE_OLD)
    .num_factors = 0,
#else
    .num_factors = 1,
#endif
#if !defined(RULE_PARAMS_NULL)
    .params = params,
#endif
#if defined(RULE_PARAM_STRIDE)
    .param_stride = 8,
#else
    .param_stride = sizeof(geeps_rule_param),
#endif
    .step_f32 = step_f32,
#if !defined(RULE_NULL_STEP)
    .step_f64 = step_f64,
#endif
#if !defined(RULE_OLD)
    .finish_f32 = finish_f32,
#if !defined(RULE_HALF_FINISH)
    .finish_f64 = finish_f64,
#endif
#if !defined(RULE_NULL_FACTORS)
    .factors = factors,
#endif
    .check_params = check_params,
#endif
};

static const void *get_interface(const char *id) { return strcmp(id, GEEPS_RULE_ID) == 0 ? &rule : NULL; }

static const geeps_plugin plugin = {
    .struct_size = sizeof(geeps_plugin),
    .abi = GEEPS_PLUGIN_ABI,
    .name = "scaled",
#if defined(RULE_VERSION)
    .version = STRING(RULE_VERSION),
#else
    .version = "1.5",
#endif
    .license = "Apache-2.0",
    .build_info = "",
    .get_interface = get_interface,
};

const geeps_plugin *GEEPS_PLUGIN_QUERY(uint32_t host_abi) {
  (void)host_abi;
  return &plugin;
}
