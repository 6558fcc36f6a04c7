/* SPDX-License-Identifier: Apache-2.0 */
/* geeps.h - C ABI of geeps, a parameter server for GPUs that a training program embeds.
 *
 * Order of life
 *   geeps_runtime_create, geeps_runtime_start, geeps_table_create, geeps_local_create, geeps_plan_*, geeps_commit,
 *   then passes: geeps_pass_begin, { read .. post_read, pre_update .. update, access_local .. post_local }, geeps_clock;
 *   at the end geeps_runtime_shutdown and geeps_runtime_destroy.
 *
 * Conventions
 *   Status    0 is success, a negative value an error, a positive one "not an error, but not done either".
 *             Compare with GEEPS_OK before using an output. New values may be added.
 *   Errors    On a status other than GEEPS_OK the out-parameters are untouched. `err` may be NULL; it is filled when the
 *             status is negative. When err->flags holds GEEPS_ERROR_LATCHED the runtime is lost: every later call returns
 *             the first cause at once, but for geeps_runtime_get_info, get_stats, get_event_fd and abort, geeps_log_take
 *             and the destroy functions, which work as before. Destroy it. Memory that was handed out stays mapped
 *             until then. A refused argument or a call at the wrong moment changes nothing.
 *   Versions  Version a of a partition of a bounded table holds the updates of all workers of the clocks 0 .. a-1, on top of
 *             the initial value and of what geeps_table_set has put there, and no others. a is its age.
 *   Structs   The caller sets struct_size to sizeof and zeroes the rest. geeps_kv and geeps_rows are frozen: no size.
 *   Handles   Opaque values, checked on every call: NULL, stale and foreign ones are refused with GEEPS_E_INVALID.
 *             Destroying NULL or the child of a destroyed runtime does nothing.
 *   Text in   UTF-8, NUL-terminated, copied before the call returns. Rows, options and arrays of plans are copied too.
 *   Text out  (buf, cap, len): *len becomes the bytes needed, NUL included. When *len > cap nothing is written to buf and
 *             the status is still GEEPS_OK. buf may be NULL when cap is 0.
 *   Units     Sizes in bytes, limits in nanoseconds, clocks and ages in iterations.
 *   Tags      [any-thread]    any thread, concurrently
 *             [serial per X]  any thread, one at a time for one X; the caller orders the calls
 *             [blocks]        may sleep; a call without it never waits for another worker or for the device
 *   Forks     Do not use a runtime in a forked child.
 */
#ifndef GEEPS_H
#define GEEPS_H

#include <stddef.h>
#include <stdint.h>

#if defined(GEEPS_STATIC)
#define GEEPS_API
#elif defined(__GNUC__)
#define GEEPS_API __attribute__((visibility("default")))
#else
#define GEEPS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define GEEPS_ABI_VERSION 0x00000001u        /* major << 16 | minor; major 0 promises nothing yet */
#define GEEPS_NO_LIMIT 0xffffffffffffffffull /* a limit_ns: wait as long as it takes */
#define GEEPS_TO_END 0xffffffffffffffffull   /* geeps_rows.count: up to the last row */
#define GEEPS_SLACK_MAX 64u

/* ---- status and error ------------------------------------------------------------------------------------------- */

typedef int32_t geeps_status;
#define GEEPS_OK 0
#define GEEPS_AGAIN 1             /* limit 0 and not ready yet: nothing changed, repeat the call */
#define GEEPS_END 2               /* end of an epoch or stream (data sources) */
#define GEEPS_E_INVALID (-1)      /* an argument: NULL, out of range, unknown option, foreign or stale handle */
#define GEEPS_E_UNSUPPORTED (-2)  /* legal, but this build, device or plugin cannot do it */
#define GEEPS_E_NOMEM (-3)        /* an allocator said no */
#define GEEPS_E_IO (-4)           /* a file, socket or plugin failed; native_code has errno */
#define GEEPS_E_TIMEOUT (-5)      /* the caller's limit passed; nothing changed, the call may be repeated. With
                                     GEEPS_ERROR_LATCHED: start_limit_s passed, and the runtime is lost */
#define GEEPS_E_CANCELLED (-6)    /* the data source was cancelled */
#define GEEPS_E_PEER_LOST (-7)    /* err->rank and err->clock say who and when */
#define GEEPS_E_DATA (-8)         /* a file or message holds something else than it should */
#define GEEPS_E_ABI (-9)          /* versions or struct sizes that do not fit together */
#define GEEPS_E_INTERNAL (-10)    /* a fault of geeps */
#define GEEPS_E_DEVICE (-11)      /* the device back end failed */
#define GEEPS_E_STATE (-12)       /* legal call, wrong moment: out of the plan's order, pass open, not started */
#define GEEPS_E_MISMATCH (-13)    /* workers disagree: schema, plan, clock, rule parameters; the text names two ranks */
#define GEEPS_E_BUDGET (-14)      /* the plans do not fit the memory given; the text has needed and available bytes */
#define GEEPS_E_DENIED (-15)      /* authentication, or an address that needs it */
#define GEEPS_E_NOT_FOUND (-16)   /* plugin, file, device */
#define GEEPS_E_ABORTED (-17)     /* a worker's program called geeps_runtime_abort; its text is the message */

#define GEEPS_ERROR_RETRYABLE 0x1u /* the same call may succeed later */
#define GEEPS_ERROR_LATCHED 0x2u   /* the runtime is lost */

typedef struct geeps_error { /* the caller's memory */
  uint32_t struct_size;
  geeps_status code;
  int32_t native_code;       /* errno, CUresult, fi_errno; 0: none */
  uint32_t flags;            /* GEEPS_ERROR_* */
  int32_t rank;              /* the worker at fault; -1: unknown or nobody */
  uint32_t reserved0;
  uint64_t clock;            /* last clock heard from that worker; 0 when rank is -1 */
  char message[480];         /* one English sentence, NUL-terminated, cut when it must be */
} geeps_error;

/* ---- small shared types ----------------------------------------------------------------------------------------- */

typedef struct geeps_runtime geeps_runtime; /* one worker; several may live in one process */
typedef struct geeps_table geeps_table;     /* rows shared by all workers */
typedef struct geeps_local geeps_local;     /* rows of this worker alone: activations, scratch */
typedef struct geeps_plan geeps_plan;       /* one recorded pass */
typedef struct geeps_request geeps_request; /* a long call under way */
typedef uint64_t geeps_op;                  /* an operation of a plan; unique within its runtime; 0 is none */

typedef struct geeps_kv {
  const char *key;           /* an unknown key or a bad value is GEEPS_E_INVALID */
  const char *value;
} geeps_kv;

/* A set of rows is an array of runs, strictly ascending and disjoint; no runs: no rows; {0, GEEPS_TO_END}: all rows.
 * In memory the rows of a set lie dense, in this order. */
typedef struct geeps_rows {
  uint64_t first;
  uint64_t count;
} geeps_rows;

/* dtypes: DLPack type code << 16 | bits << 8 | lanes */
#define GEEPS_F16 0x021001u
#define GEEPS_BF16 0x041001u
#define GEEPS_F32 0x022001u
#define GEEPS_F64 0x024001u
#define GEEPS_U8 0x010801u /* views of local data, fields of data sources */
#define GEEPS_I64 0x004001u /* fields of data sources */

typedef int32_t geeps_mem_kind;
#define GEEPS_MEM_HOST 1
#define GEEPS_MEM_HOST_PINNED 2
#define GEEPS_MEM_CUDA 3

/* A stream argument tells in which order the program uses memory. NULL means kind HOST.
 * HOST    handed out: ready when the call returns. Handed back: every use is over when the call is made.
 * DEVICE  handed out: the call still waits for other workers, up to its limit; copies under way then are waited for by `handle`,
 *         not by the host thread. Handed back: after all work in `handle` so far. The stream lives until the runtime is
 *         destroyed. GEEPS_E_UNSUPPORTED from a device that has no streams (host). */
#define GEEPS_STREAM_HOST 0u
#define GEEPS_STREAM_DEVICE 1u
typedef struct geeps_stream {
  uint32_t struct_size;
  uint32_t kind;             /* GEEPS_STREAM_* */
  uint64_t handle;           /* CUstream or cudaStream_t as an integer; 0 is a stream like others */
} geeps_stream;

#define GEEPS_VIEW_IN_PLACE 0x1u /* a read: the cache itself; an update: the log itself */
#define GEEPS_VIEW_FIXED 0x2u    /* this operation gets the same address in every pass until the next commit */
typedef struct geeps_view {  /* filled by the runtime; valid until the operation is handed back */
  uint32_t struct_size;
  uint32_t dtype;
  void *data;                /* [num_rows, row_values], dense, device tier; NULL when num_rows is 0 */
  uint64_t bytes;            /* num_rows * row_bytes */
  uint64_t num_rows;
  uint64_t row_values;       /* local data: dtype is GEEPS_U8, row_values = row_bytes */
  uint64_t row_bytes;
  geeps_mem_kind mem_kind;
  int32_t device_id;         /* -1: host memory */
  uint32_t flags;            /* GEEPS_VIEW_* */
  uint32_t reserved0;
  uint64_t min_age;          /* reads: oldest and newest version among the partitions touched; with slack 0 both are the clock, */
  uint64_t max_age;          /* but for observers. Async: in each partition the own contributions of clocks below a number are
                              * contained; smallest and largest of these numbers (an observer's count contributions of all).
                              * 0 for updates and local data */
} geeps_view;

/* ---- runtime ---------------------------------------------------------------------------------------------------- */

#define GEEPS_LOG_ERROR 1
#define GEEPS_LOG_WARNING 2
#define GEEPS_LOG_INFO 3
#define GEEPS_LOG_DEBUG 4

/* Options, all strings; the full list with defaults is docs/options.md.
 *   device = host | cuda | cuda:N | auto | PATH of a plugin, :N behind it for its N-th device | deferred:lazy | deferred:eager |
 *                      deferred:seeded:SEED | deferred:link:BYTES_PER_S   auto: cuda where it can be used, else host; deferred:
 *                      host memory whose copies run late, or take the time of a modelled link, for tests
 *   transport = inproc | tcp | PATH of a plugin
 *   rank, world        this worker and the number of workers; default 0 and 1
 *   rendezvous         inproc://NAME (workers of one process) | tcp://HOST:PORT (where rank 0 listens) | file:///PATH (which rank 0
 *                      writes, and removes when all have come); not needed alone
 *   launcher = none | geeps | slurm | mpi | torchrun   rank, world and rendezvous (geeps: transport, log_level, trace) not given here come
 *                      from the environment of that launcher; nothing else ever reads the environment
 *   advertise, port    where the transport listens: a literal loopback address; PORT or LOW-HIGH
 *   rendezvous_port    where rank 0 listens with file:///PATH: PORT or LOW-HIGH
 *   first_clock        the number of the job's first clock, the same on all workers; default 0
 *   start_limit_s      limit of geeps_runtime_start; default 60
 *   heartbeat_ms       a worker that is silent for this long is lost; default 10000
 *   wait_warning_ms    a read or pre_update that has waited this long logs who is missing; default 10000, 0 never
 *   trace              a file that becomes a trace in the JSON of chrome://tracing and Perfetto; default none
 *   log_level = error | warning | info | debug; default warning
 *   plugin_path        directories to look for plugins in, separated by ':' */
typedef struct geeps_config {
  uint32_t struct_size;
  uint32_t abi_version;      /* GEEPS_ABI_VERSION as the caller was compiled with */
  const geeps_kv *options;
  uint64_t num_options;
  void (*log)(void *user, int32_t level, const char *component, const char *text, uint64_t len); /* any thread, until
                                destroy returns; must not call geeps. NULL: lines wait for geeps_log_take */
  void *log_user;
} geeps_config;

typedef struct geeps_info {
  uint32_t struct_size;
  uint32_t rank;
  uint32_t world;
  int32_t device_id;         /* -1: host */
  uint64_t clock;            /* geeps_clock calls finished */
  uint64_t log_lines_lost;   /* not taken in time */
  geeps_mem_kind mem_kind;   /* of every view */
  geeps_status failure;      /* the latched cause, or GEEPS_OK */
} geeps_info;

/* [any-thread] Version of the library: major << 16 | minor. */
GEEPS_API uint32_t geeps_abi_version(void);

/* [any-thread] Release of the library, "0.1.0". Static. */
GEEPS_API const char *geeps_version(void);

/* [any-thread] The name of a status, "GEEPS_E_STATE"; "GEEPS_E_?" for one this library does not know. Static. */
GEEPS_API const char *geeps_status_name(geeps_status status);

/* [any-thread] Checks the options, opens device and transport, talks to nobody. The caller owns *out. */
GEEPS_API geeps_status geeps_runtime_create(const geeps_config *config, geeps_runtime **out, geeps_error *err);

/* [serial per runtime] [blocks] A long call and the first fence: meets the other workers at the rendezvous. A failure
 * loses the runtime: to try again, destroy it and create another. */
GEEPS_API geeps_status geeps_runtime_start(geeps_runtime *rt, geeps_request **out, geeps_error *err);

/* [any-thread] Always answers, also when the runtime is lost. */
GEEPS_API geeps_status geeps_runtime_get_info(geeps_runtime *rt, geeps_info *out, geeps_error *err);

/* [any-thread] Ends the job for all workers: every call everywhere returns GEEPS_E_ABORTED with this rank and text.
 * Wakes this worker's own sleepers. Returns GEEPS_OK, also when the runtime was lost before. */
GEEPS_API geeps_status geeps_runtime_abort(geeps_runtime *rt, const char *text, geeps_error *err);

/* [serial per runtime] [blocks] A long call and the last fence, between passes. A worker that is destroyed without it
 * counts as lost for the others. Afterwards geeps_runtime_get_info, get_stats, geeps_log_take and destroy are left. */
GEEPS_API geeps_status geeps_runtime_shutdown(geeps_runtime *rt, geeps_request **out, geeps_error *err);

/* [serial per runtime] [blocks] Bounded in time, in every state; no other call on rt may be under way (abort wakes
 * them). Ends all children, views and descriptors. */
GEEPS_API void geeps_runtime_destroy(geeps_runtime *rt);

/* [any-thread] A descriptor for programs that must not block a thread: readable as told below ("Waiting"). The runtime's: poll it,
 * leave it alone otherwise. Valid until destroy. */
GEEPS_API geeps_status geeps_runtime_get_event_fd(geeps_runtime *rt, int32_t *fd, geeps_error *err);

/* [any-thread] The oldest line not taken yet (when config.log is NULL), or GEEPS_AGAIN. A line longer than cap stays:
 * GEEPS_OK with *len > cap means come again with *len bytes. */
GEEPS_API geeps_status geeps_log_take(geeps_runtime *rt, int32_t *level, char *buf, uint64_t cap, uint64_t *len,
                                      geeps_error *err);

/* [any-thread] Statistics as one JSON object (docs/statistics.md); two numbers may be a few events apart. */
GEEPS_API geeps_status geeps_runtime_get_stats(geeps_runtime *rt, char *buf, uint64_t cap, uint64_t *len,
                                               geeps_error *err);

/* ---- long calls ------------------------------------------------------------------------------------------------- */

/* Functions with a parameter `geeps_request **out` are long calls. out NULL: the call waits for the end, without limit (a lost
 * worker still ends it). Otherwise it returns at once, GEEPS_OK meaning that it has begun, and the caller owns *out. One at a
 * time per runtime: until the end of a start, commit, fence or shutdown, passes, other long calls and all that makes or changes
 * objects are GEEPS_E_STATE; until the end of a get, only commit, fence, shutdown and another get are. */

/* [serial per request] [blocks] GEEPS_AGAIN or GEEPS_E_TIMEOUT while it runs; then its result, again and again. The result of a
 * start may be GEEPS_E_TIMEOUT as well, with GEEPS_ERROR_LATCHED (start_limit_s has passed): pass err to tell them apart. */
GEEPS_API geeps_status geeps_request_wait(geeps_request *req, uint64_t limit_ns, geeps_error *err);

/* [any-thread] A descriptor that is readable from the end of the request on. The request's: poll it, leave it alone otherwise. */
GEEPS_API geeps_status geeps_request_get_event_fd(geeps_request *req, int32_t *fd, geeps_error *err);

/* [serial per request] Ends the handle and its descriptor. An unfinished call goes on regardless, and a failure that loses
 * the runtime shows in every later call. An unfinished get is given up: its memory is not touched afterwards. */
GEEPS_API void geeps_request_destroy(geeps_request *req);

/* ---- tables ----------------------------------------------------------------------------------------------------- */

/* [serial per runtime] A table of num_rows rows of row_values values. Every worker creates the same tables, in any order;
 * checked at the next commit, from which on the table exists; plans may be recorded before. A name has 1 to 255 bytes and
 * is no other table's; a table has at least one row, a row at least one value and at most 64 MiB. The caller owns *out.
 * dtype: GEEPS_F32, GEEPS_F64, GEEPS_F16, GEEPS_BF16. With the last two what is read and contributed is rounded to the dtype (to
 * nearest even; NaN and infinity stay); keepers sum in f32 and keep values and rule state in f32.
 * Options:
 *   mode = bounded | async              bounded, the default: versions, each a pure function of whole clocks (BSP and SSP). async:
 *                                       a keeper applies each worker's contribution by itself when it comes, with a step of the
 *                                       rule; reads show what has arrived and wait for nobody
 *   read_my_writes = 0 | 1              1: a read contains all own updates that come before it in the program, on top of what it
 *                                       contains anyway; reads are copied. Only with rule add and reduce = sum
 *   observer = 0 | 1                    1: this worker only looks: its reads take any version, each operation never an older one
 *                                       than before, they wait for nobody, and nobody's wait for it. It updates nothing. Each
 *                                       worker's own choice; not with rows = same. Fences still need all workers at one clock
 *   shard = auto | host | device        where this worker keeps its partitions; the bits are the same. auto, the default: on the
 *                                       device where it can. Each worker's own choice
 *   rule = add | replace | sgd | adam | adamw | adagrad | rmsprop | lamb   what a keeper does with the reduced contribution g of
 *                                       a clock; default add. add: value += g. replace: value = g. The others: docs/rules.md.
 *                                       Or the name or path of a plugin (geeps_rule.h), loaded if need be
 *   param.NAME                          start value of a parameter of the rule: lr, momentum, beta1, ..
 *   reduce = sum | mean                 over the workers that updated the row; default sum
 *   rows = any | same                   same: in each plan all workers read the same rows and update the same rows
 *   init = zero | constant:V | uniform:A:B | normal:MEAN:STDDEV   a function of (seed, table name, row); default zero
 *   seed                                default 0
 *   sum_group                           ranks summed among themselves first; default 1
 *   partition_bytes                     largest partition, 4096 .. 1048576; default 1048576 */
GEEPS_API geeps_status geeps_table_create(geeps_runtime *rt, const char *name, uint64_t num_rows, uint64_t row_values,
                                          uint32_t dtype, const geeps_kv *options, uint64_t num_options,
                                          geeps_table **out, geeps_error *err);

/* [serial per runtime] Ends the handle. The table itself goes at the next commit, where all workers must have destroyed it. */
GEEPS_API void geeps_table_destroy(geeps_table *t);

/* [serial per runtime] Sets a rule parameter for the caller's current clock and later ones. key is the parameter's own
 * name, such as "lr", without the "param." of the option. Every worker that updates the table must give the same
 * bits at the same clock (else GEEPS_E_MISMATCH): derive the value from the clock, not from time. GEEPS_E_STATE after the first
 * geeps_update of the table in this clock; before it, between passes or inside one, it may be called whenever the value changes. */
GEEPS_API geeps_status geeps_table_set_param(geeps_table *t, const char *key, double value, geeps_error *err);

#define GEEPS_SET_KEEP_STATE 0x1u /* rule state and step count of the rows stay; without it they are as at the beginning */

/* [serial per runtime] Values for any rows, outside plans, before the first commit too: src holds the rows, dense, in host
 * memory, table dtype, and is copied. They take effect for all workers at the next commit, or fence after the first commit, that
 * succeeds; one worker's call suffices, an observer's too (this is how a checkpoint or a pretrained model comes in);
 * overlapping sets: in the order of rank, then call. Until then they lie in this worker's memory; what a shutdown finds is
 * dropped, as are those of a table that goes. src_bytes must be those of the rows (GEEPS_E_INVALID); a single row of more than
 * 32 MiB is GEEPS_E_UNSUPPORTED. A fence that takes sets in costs about what a commit costs. */
GEEPS_API geeps_status geeps_table_set(geeps_table *t, const geeps_rows *rows, uint64_t num_runs, uint32_t flags,
                                       const void *src, uint64_t src_bytes, geeps_error *err);

#define GEEPS_AGE_NOW 0xffffffffffffffffull /* the caller's clock */

/* [serial per runtime] [blocks] Any rows of a committed table (GEEPS_E_STATE before), outside plans, in a pass or between passes,
 * into host memory: dst receives the rows, dense, table dtype; dst_bytes are those of the rows (GEEPS_E_INVALID). A long call
 * during which passes may go on. min_age: the oldest version that serves; at most the caller's clock (a later one would wait
 * for the caller itself: GEEPS_E_INVALID), or GEEPS_AGE_NOW for that clock. Waits for it at each partition, and gets the
 * newest version there is. *age (NULL: not wanted): the smallest of them. Async tables: what has arrived; min_age and *age say
 * nothing. dst is written from the call on, in any order; it and *age are valid when the result, of this call or of the request,
 * is GEEPS_OK. Values travel through rank 0: for evaluation, checkpoints and looking, not for training. One get at a time
 * (GEEPS_E_STATE); a single row of more than 32 MiB is GEEPS_E_UNSUPPORTED. */
GEEPS_API geeps_status geeps_table_get(geeps_table *t, const geeps_rows *rows, uint64_t num_runs, uint64_t min_age,
                                       void *dst, uint64_t dst_bytes, uint64_t *age, geeps_request **out,
                                       geeps_error *err);

/* ---- local data ------------------------------------------------------------------------------------------------- */

/* [serial per runtime] num_rows rows of row_bytes bytes that never travel. Make a row one sample and num_rows the
 * largest batch; a smaller batch uses the first rows. Memory is there from the next commit on. The caller owns *out. */
GEEPS_API geeps_status geeps_local_create(geeps_runtime *rt, const char *name, uint64_t num_rows, uint64_t row_bytes,
                                          geeps_local **out, geeps_error *err);

/* [serial per runtime] Ends the handle; the memory goes at the next commit. */
GEEPS_API void geeps_local_destroy(geeps_local *l);

/* ---- plans: the dry run ----------------------------------------------------------------------------------------- */

/* Record the calls of one pass in their real order, posts included; that order is the one a pass must keep. Nothing moves.
 * Operations may overlap in any way, also on the same rows. The rows of an operation are the same in every pass: where they
 * depend on the batch, record all that may occur. Other workers' operations may differ, and they may walk other plans in the same
 * clock, except on tables with rows = same. Rows that no committed plan of any worker updates cost nothing. */

/* Above every slack: arguments of geeps_plan_read that were exchanged are refused. */
#define GEEPS_OP_OPTIONAL 0x100u   /* geeps_skip is allowed. Of the updates of a table in a plan all are optional or none */
#define GEEPS_READ_COPY 0x200u     /* never in place: the program may write into it and may hold it long */
#define GEEPS_UPDATE_ZEROED 0x400u /* handed out zeroed. Without it every row must be written */
#define GEEPS_LOCAL_FETCH 0x800u   /* what was kept last is wanted; GEEPS_E_STATE at the access when nothing was kept, and
                                    unless the access is OPTIONAL and skipped, the pass cannot go on */
#define GEEPS_LOCAL_KEEP 0x1000u   /* the contents after the post are kept, over passes and plans, until the post of an access
                                    without KEEP */
#define GEEPS_PLAN_NO_CLOCK 0x1u   /* the pass ends without a clock: it updates nothing, others do not notice it, and any worker
                                    may walk it any number of times */

/* [serial per runtime] The caller owns *out. */
GEEPS_API geeps_status geeps_plan_create(geeps_runtime *rt, const char *name, geeps_plan **out, geeps_error *err);

/* [serial per runtime] Ends the handle. A pass of the plan that is under way can be finished; no other one can begin. */
GEEPS_API void geeps_plan_destroy(geeps_plan *p);

/* [serial per plan] slack <= GEEPS_SLACK_MAX: at clock c any version a with c - slack <= a <= c will do, per partition. Own
 * updates are seen when all others' of their clock are (with read_my_writes: at once). Async tables: slack must be 0, else
 * GEEPS_E_INVALID. An observer gives 0. flags: OPTIONAL, COPY. */
GEEPS_API geeps_status geeps_plan_read(geeps_plan *p, geeps_table *t, const geeps_rows *rows, uint64_t num_runs,
                                       uint32_t slack, uint32_t flags, geeps_op *out, geeps_error *err);
/* [serial per plan] */
GEEPS_API geeps_status geeps_plan_post_read(geeps_plan *p, geeps_op op, geeps_error *err);
/* [serial per plan] Several updates of a row in one pass are added up. flags: OPTIONAL, ZEROED. */
GEEPS_API geeps_status geeps_plan_pre_update(geeps_plan *p, geeps_table *t, const geeps_rows *rows, uint64_t num_runs,
                                             uint32_t flags, geeps_op *out, geeps_error *err);
/* [serial per plan] */
GEEPS_API geeps_status geeps_plan_update(geeps_plan *p, geeps_op op, geeps_error *err);
/* [serial per plan] The rows are at most one run (else GEEPS_E_UNSUPPORTED): local data is accessed where it lies. flags:
 * OPTIONAL, FETCH, KEEP. */
GEEPS_API geeps_status geeps_plan_access_local(geeps_plan *p, geeps_local *l, const geeps_rows *rows, uint64_t num_runs,
                                               uint32_t flags, geeps_op *out, geeps_error *err);
/* [serial per plan] */
GEEPS_API geeps_status geeps_plan_post_local(geeps_plan *p, geeps_op op, geeps_error *err);
/* [serial per plan] The plan is complete; nothing may be open. flags: GEEPS_PLAN_NO_CLOCK. A plan without operations that ends
 * with a clock serves a worker that is out of batches. */
GEEPS_API geeps_status geeps_plan_end(geeps_plan *p, uint32_t flags, geeps_error *err);

/* [serial per plan] After plan_end: operations, bytes, in-place accesses, late fire points. format = text | json. Of the plan
 * committed alone: together with others it may need copies where it would not alone. */
GEEPS_API geeps_status geeps_plan_explain(geeps_plan *p, const char *format, char *buf, uint64_t cap, uint64_t *len,
                                          geeps_error *err);

/* [serial per runtime] [blocks] A long call and a fence, between passes, all workers at one clock. Replaces all committed plans,
 * of which some may be given again; the same plan names, each once, with the same clock flags on all workers.
 * Values, rule state, clock and kept local data survive. On failure the old plans stay. */
GEEPS_API geeps_status geeps_commit(geeps_runtime *rt, geeps_plan *const *plans, uint64_t num_plans,
                                    geeps_request **out, geeps_error *err);

/* [serial per runtime] [blocks] A long call and a fence, between passes, all workers at one clock: waits for workers that are
 * behind, and returns when every worker is there and every cache holds the version of that clock (async tables: when every
 * keeper has taken in all contributions; their copies become equal at a commit). Takes in what geeps_table_set has set. A
 * worker that is beyond the clock ends the job with GEEPS_E_MISMATCH. */
GEEPS_API geeps_status geeps_fence(geeps_runtime *rt, geeps_request **out, geeps_error *err);

/* ---- a pass: one walk through a committed plan, in its order ---------------------------------------------------- */

/* A call out of that order is GEEPS_E_STATE, changes nothing and says which call is due. A pass that ends with a clock
 * cannot be broken off: it is walked to its end, or the runtime is destroyed. */

/* [serial per runtime] Between passes. */
GEEPS_API geeps_status geeps_pass_begin(geeps_runtime *rt, geeps_plan *plan, geeps_error *err);

/* [serial per runtime] Ends a pass of a plan with NO_CLOCK; operations not reached count as skipped, none may be open. next as
 * in geeps_clock. */
GEEPS_API geeps_status geeps_pass_end(geeps_runtime *rt, geeps_plan *next, geeps_error *err);

/* [serial per runtime] Ends a pass and the iteration. Never waits. GEEPS_E_STATE when an operation is open or missing. next: the
 * pass that begins at once; NULL: none, as before a fence. Until told otherwise the runtime prefetches for the same plan again. */
GEEPS_API geeps_status geeps_clock(geeps_runtime *rt, geeps_plan *next, geeps_error *err);

/* [serial per runtime] For OPTIONAL operations, at the place of the first call: stands for both. At the place of the second
 * call of an open one: hands the buffer back unused. All updates of a table in a pass are made or all skipped; a skipped
 * table contributes nothing to the clock: not zeros, no step of the rule for this worker's sake. */
GEEPS_API geeps_status geeps_skip(geeps_runtime *rt, geeps_op op, const geeps_stream *stream, geeps_error *err);

/* Waiting. Calls with limit_ns that return GEEPS_AGAIN (limit 0) or GEEPS_E_TIMEOUT changed nothing; repeat them. GEEPS_AGAIN also
 * arms the runtime's event descriptor: from then on it is not readable until that very call has something else to return. So: call
 * with limit 0; on GEEPS_AGAIN sleep until the descriptor is readable (POLLIN; read nothing from it); call again. When the
 * runtime is lost the descriptor is readable and stays so; otherwise its state means nothing unless it is armed. */

/* [serial per runtime] [blocks] Do not write into the view unless the operation has GEEPS_READ_COPY. */
GEEPS_API geeps_status geeps_read(geeps_runtime *rt, geeps_op op, const geeps_stream *stream, uint64_t limit_ns,
                                  geeps_view *out, geeps_error *err);
/* [serial per runtime] As soon as the rows are no longer used: until then the clock of a table that is read in place is held
 * back, and with it the other workers. */
GEEPS_API geeps_status geeps_post_read(geeps_runtime *rt, geeps_op op, const geeps_stream *stream, geeps_error *err);
/* [serial per runtime] [blocks] The view holds garbage, or zeros with GEEPS_UPDATE_ZEROED. */
GEEPS_API geeps_status geeps_pre_update(geeps_runtime *rt, geeps_op op, const geeps_stream *stream, uint64_t limit_ns,
                                        geeps_view *out, geeps_error *err);
/* [serial per runtime] The buffer is the contribution; scaling (1 / global batch) is the program's. */
GEEPS_API geeps_status geeps_update(geeps_runtime *rt, geeps_op op, const geeps_stream *stream, geeps_error *err);
/* [serial per runtime] [blocks] Waits for staged data (option device_memory), and for nothing else. */
GEEPS_API geeps_status geeps_access_local(geeps_runtime *rt, geeps_op op, const geeps_stream *stream, uint64_t limit_ns,
                                          geeps_view *out, geeps_error *err);
/* [serial per runtime] */
GEEPS_API geeps_status geeps_post_local(geeps_runtime *rt, geeps_op op, const geeps_stream *stream, geeps_error *err);

/* ---- plugins ---------------------------------------------------------------------------------------------------- */

struct geeps_plugin; /* geeps_plugin.h */
struct geeps_host;

/* [serial per runtime] Loads a plugin by name ("idx") or by path (contains a '/'). Built in are the transport "inproc" and the
 * devices "host" and "deferred". Never unloaded. Loading twice is no error. */
GEEPS_API geeps_status geeps_plugin_load(geeps_runtime *rt, const char *name_or_path, geeps_error *err);

/* [serial per runtime] Adds a plugin that is linked into the program, under the name it gives itself. */
GEEPS_API geeps_status geeps_plugin_add(geeps_runtime *rt, const struct geeps_plugin *(*query)(uint32_t host_abi),
                                        geeps_error *err);

/* [serial per runtime] Borrowed until destroy: the table of functions of a loaded plugin, by interface id ("geeps.source/1"), and the
 * host to pass to it. */
GEEPS_API geeps_status geeps_plugin_get_interface(geeps_runtime *rt, const char *name, const char *id,
                                                  const void **interface_out, const struct geeps_host **host_out,
                                                  geeps_error *err);

#ifdef __cplusplus
}
#endif
#endif
