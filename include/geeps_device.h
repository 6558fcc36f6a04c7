/* SPDX-License-Identifier: Apache-2.0 */
/* geeps_device.h - interface "geeps.device/1": a back end for the memory, streams and kernels of one kind of device.
 *
 * Order of life
 *   list, create, then memory, streams, events, indexes and work in any order; all of those are given back before destroy.
 *
 * Work     copy, fill, move_rows and apply put work at the end of a stream and return. They copy the descriptors that they are
 *          given (structs, runs, segments, inputs); the memory those point to must stay as it is until the work is done. Work
 *          of one stream runs in order, work of two streams in any order or at once unless an event orders it.
 * Events   As in CUDA. A record captures the work in its stream so far and replaces what the event captured before. A wait is
 *          for what the event has captured when the call is made; an event that was never recorded is complete. A later record
 *          does not change waits already made.
 * Bits     Every back end gives the bits of this definition, in the arithmetic of the dtype, IEEE 754, to nearest even, subnormal
 *          numbers kept, nothing contracted or reassociated.
 * Loss     When work fails, the device is lost: every later call that can fail returns GEEPS_E_DEVICE with the first cause,
 *          event_notify still calls back, and the functions that end things still work. Other devices are not affected.
 * Tags     as in geeps.h. Objects of one device may be used by several threads at once, one stream, event or index by one
 *          thread at a time. The functions may be called on any thread and leave its current device as it was.
 * Errors   as in geeps.h: on a status other than GEEPS_OK the out-parameters are untouched, no work was added.
 */
#ifndef GEEPS_DEVICE_H
#define GEEPS_DEVICE_H

#include "geeps_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GEEPS_DEVICE_ID "geeps.device/1"

#define GEEPS_DEVICE_MAX_STATES 4u
#define GEEPS_DEVICE_MAX_PARAMS 8u

struct geeps_rule; /* geeps_rule.h */

typedef struct geeps_dev geeps_dev;               /* one opened device */
typedef struct geeps_dev_stream geeps_dev_stream; /* a queue of work */
typedef struct geeps_dev_event geeps_dev_event;   /* a moment in a stream */
typedef struct geeps_dev_index geeps_dev_index;   /* which rows a move_rows moves */

/* Kinds of memory to allocate */
#define GEEPS_DEV_MEMORY 1 /* of the device: what its kernels reach best */
#define GEEPS_DEV_PINNED 2 /* of the host, reached by host code and by fast asynchronous copies */

#define GEEPS_DEV_HOST_ACCESSIBLE 0x1u /* host code and transports may use addresses of device memory */
#define GEEPS_DEV_SYNCHRONOUS 0x2u     /* work is done when the call that adds it returns: no wait is ever needed */

typedef struct geeps_dev_info {
  uint32_t struct_size;
  uint32_t flags;            /* GEEPS_DEV_HOST_ACCESSIBLE .. */
  int32_t device_id;         /* number in list; -1: host */
  geeps_mem_kind mem_kind;   /* of device memory, as told in a geeps_view */
  uint64_t memory_bytes;     /* in all: of the device, or the limit that create was given when that is less */
  uint64_t memory_used;      /* allocated through this handle; 0 from list */
  uint64_t pinned_used;
  uint64_t device_bandwidth; /* bytes per second read + written by a copy within device memory; 0: unknown */
  uint64_t upload_bandwidth; /* host to device, pinned; 0: unknown */
  uint64_t download_bandwidth;
  char name[64];
  uint64_t link_latency_ns;  /* of a copy between host and device, before its bytes; 0: unknown */
} geeps_dev_info;

typedef struct geeps_dev_config {
  uint32_t struct_size;
  int32_t device_id;         /* number in list; -1: the first */
  uint64_t memory_limit;     /* most bytes of GEEPS_DEV_MEMORY; 0: what there is */
  const char *variant;       /* what stood behind the name of the back end: "lazy" in "deferred:lazy"; may be NULL */
} geeps_dev_config;

typedef struct geeps_row_run {  /* frozen: no size */
  uint64_t dst_row;
  uint64_t src_row;
  uint64_t num_rows;
} geeps_row_run;

typedef struct geeps_row_pair { /* frozen: no size */
  uint32_t dst_row;
  uint32_t src_row;
} geeps_row_pair;

#define GEEPS_MOVE_COPY 1u /* dst = src; any dtype */
#define GEEPS_MOVE_ADD 2u  /* dst = dst + src; not bytes; f16 and bf16 are added in f32 and rounded */

typedef struct geeps_row_move {
  uint32_t struct_size;
  uint32_t mode;             /* GEEPS_MOVE_* */
  uint32_t dtype;            /* GEEPS_F16, GEEPS_BF16, GEEPS_F32, GEEPS_F64, or GEEPS_U8: row_values counts bytes */
  uint32_t reserved0;
  uint64_t row_values;
  void *dst;                 /* [dst_rows of the index, row_values]; aligned to the dtype; must not overlap src */
  const void *src;           /* [src_rows of the index, row_values] */
  const geeps_dev_index *index; /* lives until the work is done */
} geeps_row_move;

/* Update rules. Every + - * / and square root is rounded by itself, in the dtype; what stands in [] depends on parameters and
 * steps alone: it is calculated in f64, from the params as given, and rounded to the dtype once, as each param is where it
 * stands alone. t: steps of the row, this one included. b^t: by squaring, in f64: p = 1; for the bits of t from the lowest:
 * p = p * b where the bit is set, then b = b * b. Products before sums, left to right otherwise. */
#define GEEPS_RULE_ADD 1u     /* value = value + g */
#define GEEPS_RULE_SGD 2u     /* params lr, momentum; state m: m = momentum * m + g; value = value - lr * m */
#define GEEPS_RULE_REPLACE 3u /* value = g */
/* params lr, beta1, beta2, eps, weight_decay; states m, v; steps:
 * h = g + weight_decay * value; m = beta1 * m + [1 - beta1] * h; v = beta2 * v + [1 - beta2] * (h * h);
 * r = ([lr / (1 - beta1^t)] * m) / (sqrt(v) * [1 / sqrt(1 - beta2^t)] + eps); value = value - r */
#define GEEPS_RULE_ADAM 4u
/* As ADAM with h = g and, at the end, value = [1 - lr * weight_decay] * value - r */
#define GEEPS_RULE_ADAMW 5u
/* params lr, eps, lr_decay, weight_decay; state s; steps: h = g + weight_decay * value; s = s + h * h;
 * value = value - ([lr / (1 + (t - 1) * lr_decay)] * h) / (sqrt(s) + eps) */
#define GEEPS_RULE_ADAGRAD 6u
/* params lr, alpha, eps, momentum, weight_decay; states v, b: h = g + weight_decay * value;
 * v = alpha * v + [1 - alpha] * (h * h); b = momentum * b + h / (sqrt(v) + eps); value = value - lr * b */
#define GEEPS_RULE_RMSPROP 7u
/* params and states as ADAM; steps. m and v as ADAM with h = g;
 * u = ([1 / (1 - beta1^t)] * m) / (sqrt(v) * [1 / sqrt(1 - beta2^t)] + eps) + weight_decay * value; value = value - [lr * trust] * u.
 * trust, of the row: sqrt(sum of value * value) / sqrt(sum of u * u), or 1 unless both are > 0; the values are those before the
 * step. Such a sum: of each 1,024 values from the row's first on, in the dtype: 32 lanes, lane k adds the squares of places
 * k, k + 32, .. in order, beginning with 0; then lanes 0 .. 15 add lanes 16 .. 31, 0 .. 7 add 8 .. 15, and so on. The sums of
 * these pieces are added in f64, in order, beginning with 0. */
#define GEEPS_RULE_LAMB 8u
/* The functions of geeps_apply.functions, host code: GEEPS_E_UNSUPPORTED from a back end that cannot run it on this memory */
#define GEEPS_RULE_PLUGIN 0xffffffffu

#define GEEPS_REDUCE_SUM 1u
#define GEEPS_REDUCE_MEAN 2u /* the sum divided by the number of inputs of the row, rounded */

typedef struct geeps_apply_input {   /* frozen: no size. What one contributor adds to the rows of a segment */
  const void *values;        /* [num_rows of the segment, row_values]; aligned to the dtype */
  uint32_t group;            /* inputs of one group are summed first; ascending within a segment */
  uint32_t reserved0;
} geeps_apply_input;

typedef struct geeps_apply_segment { /* frozen: no size. Rows with the same contributors */
  uint64_t first_row;        /* segments are ascending and disjoint */
  uint64_t num_rows;
  uint64_t first_input;      /* into inputs; their order is the order of the sum */
  uint64_t num_inputs;       /* >= 1 */
} geeps_apply_segment;

/* One step of an update rule for the rows of the segments; the other rows are carried over from values_in to values_out, their
 * state and steps are untouched. g, a row's reduced contribution: inputs of one group are added from left to right, beginning with the
 * first one's values, then the groups' sums likewise; then GEEPS_REDUCE_*. Sums and rule are calculated in the dtype.
 * Inputs of GEEPS_F16 or GEEPS_BF16 go with the dtype GEEPS_F32: they are widened, the sum of a group of several inputs is
 * rounded to input_dtype before it is used, and of each row's new values a copy in input_dtype goes to rounded_out; of the other
 * rows rounded_in is carried over. Rounding is to nearest even; beyond the largest number lies infinity; NaN stays NaN. */
typedef struct geeps_apply {
  uint32_t struct_size;
  uint32_t rule;             /* GEEPS_RULE_* */
  uint32_t dtype;            /* of values, state and sums: GEEPS_F32, GEEPS_F64 */
  uint32_t input_dtype;      /* of the inputs: the same; or GEEPS_F16, GEEPS_BF16 with GEEPS_F32 */
  uint32_t reduce;           /* GEEPS_REDUCE_* */
  uint32_t reserved0;
  uint64_t num_rows;
  uint64_t row_values;
  const void *values_in;     /* [num_rows, row_values] */
  void *values_out;          /* the same memory as values_in, or memory that does not overlap it */
  void *states[4];           /* of the rule, in its order; [num_rows, row_values] each; NULL beyond */
  double params[8];          /* of the rule, in its order; 0 beyond */
  const geeps_apply_segment *segments;
  uint64_t num_segments;
  const geeps_apply_input *inputs;
  uint64_t num_inputs;
  uint64_t *steps;           /* [num_rows] of a rule with steps: one more for each row of a segment; NULL: a rule without */
  const void *rounded_in;    /* [num_rows, row_values] of input_dtype where that is not the dtype, else NULL */
  void *rounded_out;         /* the same memory as rounded_in, or memory that does not overlap it */
  const struct geeps_rule *functions; /* geeps_rule.h; lives until destroy, larger ones of newer plugins are cut to the size that the
                                         host knows. NULL unless the rule is GEEPS_RULE_PLUGIN */
} geeps_apply;

typedef struct geeps_device { /* static const; all slots are required */
  uint32_t struct_size;
  uint32_t reserved0;

  /* [any-thread] The number of devices goes to *num; the first cap of them to out, `stride` bytes apart. No device:
   * GEEPS_OK and 0, or GEEPS_E_NOT_FOUND with a sentence that says what is missing (driver, library). */
  geeps_status (*list)(const geeps_host *host, geeps_dev_info *out, uint64_t stride, uint64_t cap, uint64_t *num,
                       geeps_error *err);
  /* [any-thread] The caller owns *out. */
  geeps_status (*create)(const geeps_host *host, const geeps_dev_config *config, geeps_dev **out, geeps_error *err);
  /* [serial per device] [blocks] Streams, events, indexes and memory were given back. Work that still waits is dropped;
   * notices not yet given are given. */
  void (*destroy)(geeps_dev *dev);
  /* [any-thread] Always answers. */
  geeps_status (*get_info)(geeps_dev *dev, geeps_dev_info *out, geeps_error *err);

  /* [any-thread] [blocks] kind: GEEPS_DEV_MEMORY, GEEPS_DEV_PINNED. Aligned to 256 bytes, contents unspecified;
   * bytes >= 1. The text of GEEPS_E_NOMEM has the bytes wanted and free. */
  geeps_status (*alloc)(geeps_dev *dev, int32_t kind, uint64_t bytes, void **out, geeps_error *err);
  /* [any-thread] [blocks] NULL does nothing. All work that uses the memory is done. */
  void (*free)(geeps_dev *dev, int32_t kind, void *memory, uint64_t bytes);

  /* [any-thread] native NULL: a new stream. Otherwise the embedder's, by its handle (CUstream; 0 is one like others), which must
   * outlive *out: work joins its other work. */
  geeps_status (*stream_create)(geeps_dev *dev, const uint64_t *native, geeps_dev_stream **out, geeps_error *err);
  /* [any-thread] Work in it still runs. NULL does nothing. */
  void (*stream_destroy)(geeps_dev_stream *stream);
  /* [any-thread] The handle under which an embedder of this process knows the stream. */
  geeps_status (*stream_get_native)(geeps_dev_stream *stream, uint64_t *out, geeps_error *err);
  /* [serial per stream] Later work in `stream` waits for what the event has captured. The host does not. */
  geeps_status (*stream_wait)(geeps_dev_stream *stream, geeps_dev_event *event, geeps_error *err);

  /* [any-thread] */
  geeps_status (*event_create)(geeps_dev *dev, geeps_dev_event **out, geeps_error *err);
  /* [any-thread] Waits and notices already made are kept. NULL does nothing. */
  void (*event_destroy)(geeps_dev_event *event);
  /* [serial per event and stream] */
  geeps_status (*event_record)(geeps_dev_event *event, geeps_dev_stream *stream, geeps_error *err);
  /* [serial per event] GEEPS_OK: complete; GEEPS_AGAIN: not yet. */
  geeps_status (*event_query)(geeps_dev_event *event, geeps_error *err);
  /* [serial per event] [blocks] Sleeps until it is complete. */
  geeps_status (*event_wait)(geeps_dev_event *event, geeps_error *err);
  /* [serial per event] Calls fn once when what the event has captured now is complete: with GEEPS_OK, with
   * GEEPS_E_DEVICE when the device is lost, with GEEPS_E_CANCELLED from destroy. When it is complete already: on this
   * thread, before the call returns; else on a thread of the back end, or of whoever loses or destroys the device. fn
   * must not sleep and must not call the back end. On an error fn is not called. */
  geeps_status (*event_notify)(geeps_dev_event *event, void (*fn)(void *ctx, geeps_status status), void *ctx,
                               geeps_error *err);

  /* [serial per stream] Host memory of any kind and device memory, in any direction; must not overlap. */
  geeps_status (*copy)(geeps_dev_stream *stream, void *dst, const void *src, uint64_t bytes, geeps_error *err);
  /* [serial per stream] Every byte becomes `value`. */
  geeps_status (*fill)(geeps_dev_stream *stream, void *dst, uint8_t value, uint64_t bytes, geeps_error *err);
  /* [any-thread] [blocks] Prebuilds what moves rows: the runs and pairs, which may be freed afterwards. Each row of dst
   * occurs at most once in all, a row of src any number of times; rows lie below dst_rows and src_rows. The caller owns
   * *out. */
  geeps_status (*index_create)(geeps_dev *dev, const geeps_row_run *runs, uint64_t num_runs, const geeps_row_pair *pairs,
                               uint64_t num_pairs, uint64_t dst_rows, uint64_t src_rows, geeps_dev_index **out,
                               geeps_error *err);
  /* [any-thread] All work that uses it is done. NULL does nothing. */
  void (*index_destroy)(geeps_dev_index *index);
  /* [serial per stream] Moves may run in any order or at once: none writes what another one reads or writes. The structs
   * lie moves[0].struct_size bytes apart. */
  geeps_status (*move_rows)(geeps_dev_stream *stream, const geeps_row_move *moves, uint64_t num_moves, geeps_error *err);
  /* [serial per stream] As move_rows. */
  geeps_status (*apply)(geeps_dev_stream *stream, const geeps_apply *applies, uint64_t num_applies, geeps_error *err);
} geeps_device;

#ifdef __cplusplus
}
#endif
#endif
