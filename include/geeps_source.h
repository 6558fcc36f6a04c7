/* SPDX-License-Identifier: Apache-2.0 */
/* geeps_source.h - interface "geeps.source/1": a plugin that yields training batches.
 *
 * Order of life
 *   open, describe and get_field, configure, then { enqueue empty slots, dequeue filled ones } and, at any moment between
 *   those calls, seek, save_state, load_state, configure again; close at the end.
 *
 * Slots   The caller owns every buffer. A slot belongs to the source from enqueue until dequeue gives it back, or until
 *         configure or close returns. Slots come back in the order in which they were enqueued, filled with consecutive batches:
 *         the caller bounds memory and prefetch depth by the number of slots that it enqueues.
 * Order   The samples of an epoch have one global order, a pure function of (data set, shuffle, seed, epoch), the same for every
 *         rank, world, batch size and number of threads. A position counts samples of that order: it says how many of them
 *         all ranks together have consumed. Random augmentation is a function of (seed, epoch, place in that order).
 * Shares  A global batch is the next global_batch samples of the order. Its n samples are dealt out in the order of the ranks, as
 *         contiguous runs: rank r gets n / world of them and, when r < n % world, one more.
 * Bytes   What a slot holds depends on data set, options, configuration, epoch and position only.
 * Tags    as in geeps.h; "serial per source" covers all calls on one handle but cancel and get_stats.
 * Errors  as in geeps.h: on a status other than GEEPS_OK the out-parameters are untouched. A source never aborts, prints or exits.
 *         Whatever a file holds is answered by a status whose sentence names the file, what was expected and what was found.
 */
#ifndef GEEPS_SOURCE_H
#define GEEPS_SOURCE_H

#include "geeps_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GEEPS_SOURCE_ID "geeps.source/1"

#define GEEPS_SOURCE_UNKNOWN 0xffffffffffffffffull /* a count that is not known in advance; a dimension that varies */
#define GEEPS_SOURCE_MAX_DIMS 8u

typedef struct geeps_source_handle geeps_source_handle; /* one opened data set */

/* What an epoch does with the samples left when global_batch does not divide their number */
#define GEEPS_SOURCE_REMAINDER_DROP 1   /* they are left out: every batch is whole */
#define GEEPS_SOURCE_REMAINDER_PAD 2    /* the last batch is dealt out, then every share is filled up with samples from the
                                           beginning of the order, flagged: every batch is whole, nothing is left out */
#define GEEPS_SOURCE_REMAINDER_UNEVEN 3 /* the last batch is smaller; a rank whose share is empty has one batch less */

#define GEEPS_SOURCE_SHUFFLE_NONE 1     /* the order of the data set */
#define GEEPS_SOURCE_SHUFFLE_FULL 2     /* a permutation of all samples */
#define GEEPS_SOURCE_SHUFFLE_WINDOW 3   /* the next sample is drawn from a window of shuffle_window samples */

/* What happens to a sample that cannot be decoded; counted and logged in every case */
#define GEEPS_SOURCE_BAD_FAIL 1         /* dequeue returns GEEPS_E_DATA, again and again, until seek or load_state */
#define GEEPS_SOURCE_BAD_REPLACE 2      /* a good sample takes its place, flagged */
#define GEEPS_SOURCE_BAD_ZERO 3         /* its bytes are zero, flagged */

typedef struct geeps_source_description {
  uint32_t struct_size;
  uint32_t num_fields;
  uint64_t num_samples;      /* of an epoch, or GEEPS_SOURCE_UNKNOWN */
  uint32_t mem_kinds;        /* bit 1u << kind for every geeps_mem_kind that buffers may have */
  uint32_t reserved0;
  uint8_t fingerprint[32];   /* of the data set: other bytes, other fingerprint */
} geeps_source_description;

typedef struct geeps_source_field { /* one component of a sample: "image" u8 [28, 28], "label" i64 [] */
  uint32_t struct_size;
  uint32_t dtype;            /* GEEPS_U8 ... */
  uint32_t num_dims;         /* 0: a scalar */
  uint32_t reserved0;
  uint64_t shape[8];         /* the first num_dims count; GEEPS_SOURCE_UNKNOWN: varies per sample */
  uint64_t sample_bytes;     /* of one sample in a buffer: the distance between samples; the most one takes when it varies */
  uint64_t num_classes;      /* values lie in 0 .. num_classes - 1; 0: not a class */
  char name[64];
} geeps_source_field;

typedef struct geeps_source_config {
  uint32_t struct_size;
  uint32_t rank;             /* < world */
  uint32_t world;
  uint32_t global_batch;     /* samples per batch over all ranks, >= world */
  uint64_t seed;
  uint64_t shuffle_window;   /* with SHUFFLE_WINDOW: >= 1; else 0 */
  int32_t shuffle;           /* GEEPS_SOURCE_SHUFFLE_* */
  int32_t remainder;         /* GEEPS_SOURCE_REMAINDER_* */
  int32_t on_bad;            /* GEEPS_SOURCE_BAD_* */
  uint32_t decode_threads;   /* 0: the source chooses; get_stats tells */
} geeps_source_config;

typedef struct geeps_source_layout { /* what a configuration means for this rank; of an epoch from its beginning */
  uint32_t struct_size;
  uint32_t slot_samples;     /* the most samples that a slot takes: every buffer holds slot_samples * sample_bytes */
  uint64_t rank_batches;     /* batches of this rank, or GEEPS_SOURCE_UNKNOWN */
  uint64_t max_batches;      /* the most that any rank has: differs from rank_batches with UNEVEN alone, by at most one */
  uint64_t rank_samples;     /* samples of this rank, padded ones included, or GEEPS_SOURCE_UNKNOWN */
} geeps_source_layout;

typedef struct geeps_source_buffer {
  void *data;                /* [slot_samples, sample_bytes], dense */
  uint64_t bytes;            /* >= slot_samples * sample_bytes */
  geeps_mem_kind mem_kind;
  int32_t device_id;         /* -1: host memory */
} geeps_source_buffer;

#define GEEPS_SOURCE_SAMPLE_PADDED 0x1u   /* there to make the batch whole; do not count it */
#define GEEPS_SOURCE_SAMPLE_REPLACED 0x2u /* a bad sample, named by sample_ids; the contents of a good one */
#define GEEPS_SOURCE_SAMPLE_ZEROED 0x4u   /* a bad sample, named by sample_ids; zeros */

typedef struct geeps_source_slot { /* the caller's memory, with all it points to; unmoved while the source has it */
  uint32_t struct_size;
  uint32_t num_buffers;      /* the number of fields */
  const geeps_source_buffer *buffers; /* in the order of the fields */
  uint64_t buffer_stride;    /* sizeof(geeps_source_buffer) of the caller */
  uint64_t *sample_ids;      /* out, [slot_samples]: place in the data set; or NULL */
  uint64_t *sample_lengths;  /* out, [num_buffers, slot_samples]: bytes used of sample_bytes; or NULL */
  uint8_t *sample_flags;     /* out, [slot_samples]: GEEPS_SOURCE_SAMPLE_*; or NULL */
  const geeps_stream *stream; /* device buffers are filled in the order of this stream; NULL: filled when the slot comes back */
  uint64_t user;             /* the source leaves it alone */
  uint64_t epoch;            /* out */
  uint64_t position;         /* out: after this batch; seek(epoch, position) goes on behind it */
  uint32_t num_samples;      /* out: samples in this slot, at its beginning, padded ones included */
  uint32_t num_valid;        /* out: without padded ones */
  uint32_t num_global_valid; /* out: of this batch over all ranks, without padded ones: scale gradients by its inverse */
  uint32_t reserved0;
} geeps_source_slot;

typedef struct geeps_source_stats { /* since open */
  uint32_t struct_size;
  uint32_t decode_threads;
  uint64_t samples;          /* filled into slots, padded ones included */
  uint64_t bad_samples;
  uint64_t read_bytes;       /* from files */
  uint64_t read_ns;          /* time of all threads in I/O, */
  uint64_t decode_ns;        /* in decoding, */
  uint64_t wait_ns;          /* and of the caller in dequeue: large means that the input is the bottleneck */
  uint64_t slots_ready;      /* filled, not yet given back */
  uint64_t slots_empty;
} geeps_source_stats;

/* The table that get_interface(GEEPS_SOURCE_ID) returns: static const in the plugin, append only. Every slot is required unless
 * its comment says "may be NULL". */
typedef struct geeps_source_api {
  uint32_t struct_size;      /* sizeof(geeps_source_api) as the plugin was compiled with */
  uint32_t reserved0;

  /* [any-thread] [blocks] Opens and checks the data set. uri: SCHEME://PATH, the scheme being the plugin's. An unknown option or
   * a bad value is GEEPS_E_INVALID, a missing file GEEPS_E_NOT_FOUND, one that holds something else GEEPS_E_DATA. host stays valid
   * until close returns. The caller owns *out. */
  geeps_status (*open)(const geeps_host *host, const char *uri, const geeps_kv *options, uint64_t num_options,
                       geeps_source_handle **out, geeps_error *err);

  /* [serial per source] [blocks] Joins the threads of the source; all slots are the caller's again. NULL: does nothing. */
  void (*close)(geeps_source_handle *s);

  /* [serial per source] */
  geeps_status (*describe)(geeps_source_handle *s, geeps_source_description *out, geeps_error *err);

  /* [serial per source] index < num_fields. */
  geeps_status (*get_field)(geeps_source_handle *s, uint32_t index, geeps_source_field *out, geeps_error *err);

  /* [serial per source] May be NULL. What a person calls a sample, its file's name for one. Text out as in geeps.h. */
  geeps_status (*get_sample_name)(geeps_source_handle *s, uint64_t sample_id, char *buf, uint64_t cap, uint64_t *len,
                                  geeps_error *err);

  /* [serial per source] [blocks] Starts at epoch 0, position 0. All slots are the caller's again. On failure nothing changes. */
  geeps_status (*configure)(geeps_source_handle *s, const geeps_source_config *config, geeps_source_layout *out,
                            geeps_error *err);

  /* [serial per source] [blocks] The next batch begins at this position (<= num_samples) of this epoch; global batches are counted
   * from there. Enqueued slots stay enqueued, filled ones become empty. Ends a failure and a cancellation. */
  geeps_status (*seek)(geeps_source_handle *s, uint64_t epoch, uint64_t position, geeps_error *err);

  /* [serial per source] Gives the source an empty slot. GEEPS_E_STATE before configure, or when the source has it already;
   * GEEPS_E_INVALID for buffers that are missing, too small or of a kind that the source cannot fill. */
  geeps_status (*enqueue)(geeps_source_handle *s, geeps_source_slot *slot, geeps_error *err);

  /* [serial per source] [blocks] The oldest slot, filled. GEEPS_END once after the last batch of an epoch; the call after that
   * begins the next epoch. GEEPS_AGAIN or GEEPS_E_TIMEOUT when none is filled in time; GEEPS_E_STATE when a slot is wanted and none
   * is enqueued; GEEPS_E_CANCELLED; or the failure that ended the source. */
  geeps_status (*dequeue)(geeps_source_handle *s, uint64_t limit_ns, geeps_source_slot **out, geeps_error *err);

  /* [serial per source] A descriptor that is readable while dequeue would return at once with a slot, GEEPS_END or a failure. The
   * source's: poll it, leave it alone otherwise. */
  geeps_status (*get_event_fd)(geeps_source_handle *s, int32_t *fd, geeps_error *err);

  /* [any-thread] dequeue returns GEEPS_E_CANCELLED, also the one under way, until seek, load_state or configure. Slots stay
   * enqueued. */
  void (*cancel)(geeps_source_handle *s);

  /* [serial per source] A blob that says: this data set, this order, this place. epoch and position: those of the last slot that
   * the caller has used up. Blob out like text in geeps.h. GEEPS_E_STATE before configure. */
  geeps_status (*save_state)(geeps_source_handle *s, uint64_t epoch, uint64_t position, void *buf, uint64_t cap,
                             uint64_t *len, geeps_error *err);

  /* [serial per source] [blocks] seek to the place of a blob. After configure. Rank, world and batch size may differ from those at
   * the time of saving; GEEPS_E_DATA when data set, seed or shuffle do, or when the blob is damaged. */
  geeps_status (*load_state)(geeps_source_handle *s, const void *buf, uint64_t len, geeps_error *err);

  /* [any-thread] */
  geeps_status (*get_stats)(geeps_source_handle *s, geeps_source_stats *out, geeps_error *err);
} geeps_source_api;

#ifdef __cplusplus
}
#endif
#endif
