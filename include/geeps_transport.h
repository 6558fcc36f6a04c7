/* SPDX-License-Identifier: Apache-2.0 */
/* geeps_transport.h - "geeps.transport/1": how workers talk, and "geeps.transport.map/1": how they share memory.
 *
 * A parameter server knows sizes and destinations in advance. So a receiver names its memory once: a *slot* of a connection is a
 * number and a buffer. A message is a small header, which the receiver is shown, and a payload, which lands in the slot the sender
 * names, without a copy inside the transport. Slot 0 is the mailbox: header only, always open. The host's protocol sees to it that a slot is
 * armed before a message to it is sent; a message to a slot that is not armed, or longer than the slot, ends the connection.
 *
 * Rules
 *   Order       Per connection FIFO; each message arrives whole or the connection goes down. Corruption is detected (checksum) and
 *               ends the connection; damaged payload may already lie in the slot, but is never announced.
 *   Completion  Every send that was accepted completes exactly once, by GEEPS_TP_SENT, also after loss or close; success means that
 *               the payload may be reused. GEEPS_TP_DOWN is the last event that names a connection, and comes once for each that
 *               connect or a CONN_REQUEST produced. After it the connection's handle is dead.
 *   Pressure    GEEPS_AGAIN from send: nothing was queued; try again after the next GEEPS_TP_SENT of that connection, of
 *               which there is then at least one to come.
 *   Loss        A transport reports a peer's loss as GEEPS_TP_DOWN when it can see it; it need not be able to.
 *   Threads     One thread at a time per endpoint (the host's mover) for everything but `wake`, which is [any-thread].
 *   Blocking    Nothing blocks. Only create and destroy may take time, bounded. */
#ifndef GEEPS_TRANSPORT_H
#define GEEPS_TRANSPORT_H

#include "geeps_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GEEPS_TRANSPORT_ID "geeps.transport/1"
#define GEEPS_TRANSPORT_MAP_ID "geeps.transport.map/1"

#define GEEPS_TP_HEADER_MAX 192u   /* bytes of a message header */
#define GEEPS_TP_PRIVATE_MAX 256u  /* bytes of a connection request's private data */
#define GEEPS_TP_PIECES_MAX 8u     /* pieces of a payload */
#define GEEPS_TP_MAILBOX 0u        /* the slot of messages without payload */

#define GEEPS_TP_CAP_MAP 0x1ull    /* has GEEPS_TRANSPORT_MAP_ID */

typedef struct geeps_tp geeps_tp;           /* one worker's endpoint */
typedef struct geeps_tp_conn geeps_tp_conn; /* one peer, seen through it */

typedef struct geeps_tp_config {
  uint32_t struct_size;
  uint32_t rank;
  uint64_t required_caps;    /* create fails with GEEPS_E_UNSUPPORTED when one is missing */
  uint64_t payload_max;      /* longest payload ever sent or received, bytes */
  const char *bind_address;  /* where to listen: literal address, NULL: loopback */
  const char *job;           /* endpoints that were given different names never meet; jobs may share one (private data) */
  const geeps_kv *options;   /* for this transport; an unknown key is GEEPS_E_INVALID */
  uint64_t num_options;
  uint64_t silence_ns;       /* a connection whose other side takes in nothing for this long is down, as far as the transport can
                              * tell; 0: no limit */
} geeps_tp_config;

typedef struct geeps_tp_piece { /* frozen: no size */
  const void *data;
  uint64_t bytes;
} geeps_tp_piece;

#define GEEPS_TP_CONN_REQUEST 1 /* conn, data/bytes: the private data. Answer with accept or close */
#define GEEPS_TP_UP 2           /* conn: connect or accept is complete */
#define GEEPS_TP_DOWN 3         /* conn, status: why; GEEPS_OK when close was called or the peer closed in order */
#define GEEPS_TP_SENT 4         /* conn, cookie: of the send; status */
#define GEEPS_TP_RECEIVED 5     /* conn, slot, data/bytes: the header, valid until the next poll; payload_bytes in the slot */
#define GEEPS_TP_NOTIFIED 6     /* conn: the peer called notify (map interface); several may arrive as one */

typedef struct geeps_tp_event {
  uint32_t struct_size;
  int32_t type;              /* GEEPS_TP_* */
  geeps_tp_conn *conn;
  uint64_t cookie;           /* SENT: the send's; all others: the connection's, 0 for a CONN_REQUEST */
  const void *data;
  uint64_t bytes;
  uint64_t payload_bytes;
  uint32_t slot;
  geeps_status status;
  int32_t native_code;
  uint32_t reserved0;
} geeps_tp_event;

typedef struct geeps_tp_stats {
  uint32_t struct_size;
  uint32_t num_conns;
  uint64_t sent_messages;
  uint64_t sent_payload_bytes;
  uint64_t received_messages;
  uint64_t received_payload_bytes;
} geeps_tp_stats;

typedef struct geeps_transport { /* static const in the plugin; all slots are required */
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t caps;             /* GEEPS_TP_CAP_* */

  /* Opens an endpoint. The caller owns *out. `host` is valid until destroy returns. */
  geeps_status (*create)(const geeps_host *host, const geeps_tp_config *config, geeps_tp **out, geeps_error *err);
  /* Closes all connections without further events. Afterwards nothing reads or writes memory of slots or pieces any more, and
   * segments may still be released. */
  void (*destroy)(geeps_tp *tp);
  /* The address for peers' connect: an opaque blob, at most 512 bytes; text-out convention without the NUL. */
  geeps_status (*address)(geeps_tp *tp, void *buf, uint64_t cap, uint64_t *len, geeps_error *err);

  /* Begins a connection; GEEPS_TP_UP or GEEPS_TP_DOWN follows. private_data: at most GEEPS_TP_PRIVATE_MAX bytes, shown to the peer. */
  geeps_status (*connect)(geeps_tp *tp, const void *address, uint64_t address_bytes, const void *private_data,
                          uint64_t private_bytes, uint64_t cookie, geeps_tp_conn **out, geeps_error *err);
  /* Answers a CONN_REQUEST; GEEPS_TP_UP follows. No message is read before. */
  geeps_status (*accept)(geeps_tp_conn *conn, uint64_t cookie, geeps_error *err);
  /* Ends a connection (or refuses a request): accepted sends complete, those not yet on the wire with GEEPS_E_CANCELLED, then
   * GEEPS_TP_DOWN. linger != 0: queued sends are written first, within 1 s. */
  void (*close)(geeps_tp_conn *conn, uint32_t linger);

  /* Names the memory of a slot (1 .. 2^32 - 1) of this connection; bytes 0 removes it. Not armed afterwards. */
  geeps_status (*slot_set)(geeps_tp_conn *conn, uint32_t slot, void *memory, uint64_t bytes, geeps_error *err);
  /* Opens a slot for exactly one message. */
  geeps_status (*slot_arm)(geeps_tp_conn *conn, uint32_t slot);

  /* Sends a message. The header (1 .. GEEPS_TP_HEADER_MAX bytes) is copied; the pieces (the array is copied, the data is not) stay
   * unchanged until GEEPS_TP_SENT. Slot GEEPS_TP_MAILBOX: no pieces. Every other slot: payload of 1 .. payload_max bytes. */
  geeps_status (*send)(geeps_tp_conn *conn, uint32_t slot, const void *header, uint64_t header_bytes,
                       const geeps_tp_piece *pieces, uint64_t num_pieces, uint64_t cookie);

  /* Moves data and reports up to `cap` events into an array of structs `stride` bytes apart. *num 0: nothing is ready. */
  geeps_status (*poll)(geeps_tp *tp, geeps_tp_event *events, uint64_t stride, uint64_t cap, uint64_t *num);
  /* A descriptor that becomes readable when poll may have something to do, or after wake. The transport's: only sleep on it. */
  geeps_status (*event_fd)(geeps_tp *tp, int32_t *fd, geeps_error *err);
  /* Before sleeping: GEEPS_OK when event_fd will become readable for whatever comes, GEEPS_AGAIN when poll has work now. */
  geeps_status (*arm)(geeps_tp *tp);
  /* [any-thread] Makes event_fd readable; the next poll takes it in. */
  void (*wake)(geeps_tp *tp);
  geeps_status (*stats)(geeps_tp *tp, geeps_tp_stats *out, geeps_error *err);
} geeps_transport;

/* ---- memory that both ends can reach --------------------------------------------------------------------------- */

typedef struct geeps_tp_segment geeps_tp_segment;

typedef struct geeps_transport_map { /* static const; all slots are required */
  uint32_t struct_size;
  uint32_t reserved0;
  /* Zeroed, page-aligned memory that peers of the same host may map. Owned by all who hold it: it lives until the last release. */
  geeps_status (*segment_create)(geeps_tp *tp, uint64_t bytes, geeps_tp_segment **out, void **memory, geeps_error *err);
  /* Names the segment for a peer: an opaque blob, at most 256 bytes, good until the creator's release. */
  geeps_status (*segment_export)(geeps_tp_segment *segment, void *buf, uint64_t cap, uint64_t *len, geeps_error *err);
  geeps_status (*segment_import)(geeps_tp *tp, const void *blob, uint64_t blob_bytes, geeps_tp_segment **out, void **memory,
                                 uint64_t *bytes, geeps_error *err);
  /* [any-thread] */
  void (*segment_release)(geeps_tp_segment *segment);
  /* Wakes the peer's event_fd; its poll reports GEEPS_TP_NOTIFIED. What was written before the call is visible to it then. */
  void (*notify)(geeps_tp_conn *conn);
} geeps_transport_map;

#ifdef __cplusplus
}
#endif
#endif
