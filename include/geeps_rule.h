/* SPDX-License-Identifier: Apache-2.0 */
/* geeps_rule.h - interface "geeps.rule/1": an update rule, that is, what the keeper of a row does with the row's reduced
 * contribution g of one clock.
 *
 * A table gets it by the option rule = NAME: the name that the plugin gives itself, or the path of its file. It is loaded when it is
 * not loaded yet (geeps_rule_NAME.so). A plugin brings one rule; the names of the built-in ones (docs/rules.md) mean those. All
 * workers must have a plugin of the same name and version: whatever changes a bit of the results is a new version.
 *
 * Step    What the rule does with one row in one clock. A step has up to three parts. `factors` turns parameters and step count into
 *         scalars, once for all rows with the same count. `step` walks over the values of rows. `finish`, for rules that need to know
 *         something about a whole row first, walks over them a second time. A row without contribution takes no step.
 * Rows    A step may depend on what belongs to its row alone: values, state, step count, g. Rows lie on several workers, and a
 *         piece is no fixed cut: a row may come in several pieces, a piece may hold several rows or parts of them.
 * State   num_states arrays, each shaped like the values, zero at the beginning. They lie with the rows at their keepers.
 * Dtypes  Tables of f32 use the functions _f32, tables of f64 those named _f64. Tables of f16 and bf16 use _f32: their values, states
 *         and g are f32 here, and what is published is rounded.
 * Bits    The same arguments give the same bits on every machine. So: + - * / and square root, each rounded by itself; compiled
 *         without -ffast-math, and with -ffp-contract=off; no pow, exp or log of a C library, whose last bits differ.
 * Threads The functions are pure: [any-thread], several calls at once. They read their arguments and constants, write what they are
 *         given to write, allocate nothing, lock nothing, never sleep. They run on the threads that move rows.
 * Devices They are host code. A table whose rows lie where host code does not reach cannot have such a rule.
 */
#ifndef GEEPS_RULE_H
#define GEEPS_RULE_H

#include "geeps_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GEEPS_RULE_ID "geeps.rule/1"

#define GEEPS_RULE_PARAMS_MAX 8u
#define GEEPS_RULE_STATES_MAX 4u
#define GEEPS_RULE_FACTORS_MAX 8u
#define GEEPS_RULE_SUMS 2u
#define GEEPS_RULE_PIECE_MAX 1024u /* values of a piece */

/* Which finite numbers a parameter may be */
#define GEEPS_RULE_ANY_NUMBER 0u
#define GEEPS_RULE_NOT_NEGATIVE 1u
#define GEEPS_RULE_BELOW_ONE 2u   /* 0 <= x < 1 */

#define GEEPS_RULE_REQUIRED 0x1u  /* of a parameter: has no default, the table's options must give it */

typedef struct geeps_rule_param {
  const char *name;          /* "lr"; in options "param.lr". [a-z0-9_], 1 to 31 bytes, unlike the others */
  double initial;            /* its default, within the range; with REQUIRED: ignored */
  uint32_t range;            /* GEEPS_RULE_ANY_NUMBER .. */
  uint32_t flags;            /* GEEPS_RULE_REQUIRED */
} geeps_rule_param;

/* Values that lie side by side, of rows with the same step count. float in the functions _f32, double in those named _f64. No two
 * arrays overlap. */
typedef struct geeps_rule_piece {
  uint32_t struct_size;
  uint32_t num_values;       /* 1 .. GEEPS_RULE_PIECE_MAX */
  const double *params;      /* [num_params], in the order of the table below */
  const void *factors;       /* [num_factors]: each rounded once to the dtype */
  const void *grad;          /* [num_values]: g; NULL in `finish` */
  void *value;               /* [num_values]: changed in place */
  void *states[4];           /* [num_values] each: changed in place; NULL from num_states on */
  double *sums;              /* [GEEPS_RULE_SUMS] of a rule with `finish`: zero before `step` sees the first piece of a row, left
                                alone by the host until `finish` has seen the last one. Else NULL */
} geeps_rule_piece;

#define GEEPS_RULE_STEPS 0x1u     /* of a rule: each row counts its steps (8 bytes), and `factors` depends on the count */

/* The table that get_interface(GEEPS_RULE_ID) returns: static const in the plugin, append only. */
typedef struct geeps_rule {
  uint32_t struct_size;      /* sizeof(geeps_rule) as the plugin was compiled with */
  uint32_t flags;            /* GEEPS_RULE_STEPS */
  uint32_t num_params;       /* <= GEEPS_RULE_PARAMS_MAX */
  uint32_t num_states;       /* <= GEEPS_RULE_STATES_MAX */
  uint32_t num_factors;      /* <= GEEPS_RULE_FACTORS_MAX */
  uint32_t reserved0;
  const geeps_rule_param *params; /* [num_params]; NULL: none */
  uint64_t param_stride;     /* sizeof(geeps_rule_param) as the plugin was compiled with */

  /* [any-thread] Required. One step for the values of the piece, or its first part when there is a `finish`: then a piece holds one
   * row or a part of it, in order, 1,024 values each but for the last. */
  void (*step_f32)(const geeps_rule_piece *piece);
  void (*step_f64)(const geeps_rule_piece *piece);
  /* [any-thread] Both or none. The same pieces again, once `step` has seen the whole row: values, states and sums are as it left
   * them. */
  void (*finish_f32)(const geeps_rule_piece *piece);
  void (*finish_f64)(const geeps_rule_piece *piece);
  /* [any-thread] Required when num_factors > 0, else NULL. factors: [num_factors], out. steps: those of the row, this one included;
   * 0 without GEEPS_RULE_STEPS. */
  void (*factors)(const double *params, uint64_t steps, double *factors);
  /* [any-thread] May be NULL. Whether these parameters, each within its range, go together; if not, a status other than GEEPS_OK, and
   * the reason in err->message. Asked when a table is created and each time one of them is set: then the others are what they
   * were. */
  geeps_status (*check_params)(const double *params, geeps_error *err);
} geeps_rule;

#ifdef __cplusplus
}
#endif
#endif
