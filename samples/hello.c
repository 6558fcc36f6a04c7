/* SPDX-License-Identifier: Apache-2.0 */
/* hello.c - the smallest complete program: one table, ten clocks, any number of workers.
 *
 *   build/samples/hello                    one worker
 *   geeps run -n 4 build/samples/hello     four
 *   mpirun -n 4 build/samples/hello --launcher mpi --rendezvous file:///tmp/hello.job
 *
 * Arguments are options of the runtime (docs/options.md), each with its value; launcher=geeps unless they say otherwise.
 *
 * In every clock worker r adds (r + 1) * (i + 1) to value i of the table. After ten clocks of N workers value i must
 * therefore be 10 * N (N + 1) / 2 * (i + 1). Each worker reads the table, prints what it found and what it must be, and
 * fails when they differ. */
#include <geeps.h>

#include <stdio.h>
#include <string.h>

#define ROWS 4
#define ROW_VALUES 8
#define CLOCKS 10
#define OPTIONS_MAX 16

typedef struct worker {
  geeps_runtime *rt;
  geeps_table *table;
  geeps_plan *add_plan, *look_plan;
  geeps_op add_read, add_update, look_read;
  geeps_error err;
} worker;

#define TRY(call)                         \
  do {                                    \
    geeps_status status_ = (call);        \
    if (status_ != GEEPS_OK) return status_; \
  } while (0)

/* All numbers here are small integers, which f32 holds exactly. */
static float closed_form(uint64_t clocks, uint32_t world, int i) {
  return (float)clocks * (float)world * (float)(world + 1) / 2.0f * (float)(i + 1);
}

/* The dry run: what a pass will do, call by call. One plan adds and ends with a clock, the other only looks. */
static geeps_status record(worker *w) {
  const geeps_rows all = {0, GEEPS_TO_END};
  TRY(geeps_plan_create(w->rt, "add", &w->add_plan, &w->err));
  TRY(geeps_plan_read(w->add_plan, w->table, &all, 1, 0, 0, &w->add_read, &w->err));
  TRY(geeps_plan_post_read(w->add_plan, w->add_read, &w->err));
  TRY(geeps_plan_pre_update(w->add_plan, w->table, &all, 1, 0, &w->add_update, &w->err));
  TRY(geeps_plan_update(w->add_plan, w->add_update, &w->err));
  TRY(geeps_plan_end(w->add_plan, 0, &w->err));

  TRY(geeps_plan_create(w->rt, "look", &w->look_plan, &w->err));
  TRY(geeps_plan_read(w->look_plan, w->table, &all, 1, 0, 0, &w->look_read, &w->err));
  TRY(geeps_plan_post_read(w->look_plan, w->look_read, &w->err));
  TRY(geeps_plan_end(w->look_plan, GEEPS_PLAN_NO_CLOCK, &w->err));

  geeps_plan *plans[2] = {w->add_plan, w->look_plan};
  return geeps_commit(w->rt, plans, 2, NULL, &w->err);
}

/* Counts the values of a view that differ from the closed form. */
static int count_wrong(const geeps_view *view, uint64_t clocks, uint32_t world) {
  const float *values = view->data;
  int wrong = 0;
  for (int i = 0; i < ROWS * ROW_VALUES; ++i) wrong += values[i] != closed_form(clocks, world, i);
  return wrong;
}

static geeps_status work(worker *w, int *wrong) {
  const geeps_kv options[] = {{"rule", "add"}, {"init", "zero"}};
  geeps_info info = {0};
  geeps_view view = {0};
  info.struct_size = sizeof info;
  view.struct_size = sizeof view;

  TRY(geeps_runtime_start(w->rt, NULL, &w->err));
  TRY(geeps_runtime_get_info(w->rt, &info, &w->err));
  TRY(geeps_table_create(w->rt, "values", ROWS, ROW_VALUES, GEEPS_F32, options, 2, &w->table, &w->err));
  TRY(record(w));

  for (uint64_t clock = 0; clock < CLOCKS; ++clock) {
    TRY(geeps_pass_begin(w->rt, w->add_plan, &w->err));
    /* With slack 0 the read waits until everybody's additions of the clocks before are in it. */
    TRY(geeps_read(w->rt, w->add_read, NULL, GEEPS_NO_LIMIT, &view, &w->err));
    *wrong += count_wrong(&view, clock, info.world);
    TRY(geeps_post_read(w->rt, w->add_read, NULL, &w->err));
    TRY(geeps_pre_update(w->rt, w->add_update, NULL, GEEPS_NO_LIMIT, &view, &w->err));
    float *add = view.data;
    for (int i = 0; i < ROWS * ROW_VALUES; ++i) add[i] = (float)(info.rank + 1) * (float)(i + 1);
    TRY(geeps_update(w->rt, w->add_update, NULL, &w->err));
    TRY(geeps_clock(w->rt, NULL, &w->err));
  }

  TRY(geeps_fence(w->rt, NULL, &w->err)); /* everybody's last clock is in every cache */
  TRY(geeps_pass_begin(w->rt, w->look_plan, &w->err));
  TRY(geeps_read(w->rt, w->look_read, NULL, GEEPS_NO_LIMIT, &view, &w->err));
  *wrong += count_wrong(&view, CLOCKS, info.world);
  printf("rank %u of %u: after %d clocks the last value is %g and must be %g\n", (unsigned)info.rank,
         (unsigned)info.world, CLOCKS, (double)((const float *)view.data)[ROWS * ROW_VALUES - 1],
         (double)closed_form(CLOCKS, info.world, ROWS * ROW_VALUES - 1));
  TRY(geeps_post_read(w->rt, w->look_read, NULL, &w->err));
  TRY(geeps_pass_end(w->rt, NULL, &w->err));
  return geeps_runtime_shutdown(w->rt, NULL, &w->err);
}

/* Lines of the library: warnings, and more with `geeps run --log-level debug`. Errors come back as statuses, too. */
static void print_line(void *user, int32_t level, const char *component, const char *text, uint64_t len) {
  (void)user;
  if (level != GEEPS_LOG_ERROR) fprintf(stderr, "hello: %s: %.*s\n", component, (int)len, text);
}

/* "--key value ...". Without --launcher rank, world and rendezvous come from `geeps run`; alone without it. Returns how
 * many options there are, 0 when the arguments are no such pairs. */
static uint64_t read_options(int argc, char **argv, geeps_kv *options) {
  uint64_t num = 1;
  options[0].key = "launcher";
  options[0].value = "geeps";
  for (int i = 1; i < argc; i += 2) {
    if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc || num == OPTIONS_MAX) return 0;
    geeps_kv *option = strcmp(argv[i], "--launcher") == 0 ? options : &options[num++];
    option->key = argv[i] + 2;
    option->value = argv[i + 1];
  }
  return num;
}

int main(int argc, char **argv) {
  geeps_kv options[OPTIONS_MAX];
  geeps_config config = {0};
  worker w = {0};
  int wrong = 0;
  w.err.struct_size = sizeof w.err;
  config.struct_size = sizeof config;
  config.abi_version = GEEPS_ABI_VERSION;
  config.options = options;
  config.num_options = read_options(argc, argv, options);
  config.log = print_line;

  if (config.num_options == 0) {
    fprintf(stderr, "usage: hello [--OPTION VALUE]...\n");
    return 2;
  }
  geeps_status status = geeps_runtime_create(&config, &w.rt, &w.err);
  if (status == GEEPS_OK) status = work(&w, &wrong);
  geeps_runtime_destroy(w.rt);
  if (status != GEEPS_OK) fprintf(stderr, "hello: %s: %s\n", geeps_status_name(status), w.err.message);
  if (wrong != 0) fprintf(stderr, "hello: %d values differ from the closed form\n", wrong);
  return status == GEEPS_OK && wrong == 0 ? 0 : 1;
}
