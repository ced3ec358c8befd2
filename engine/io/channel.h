/* channel.h - frames over one end of a socket pair, on the loop.
 *
 * What is sent in one turn of the loop leaves in one write. What the other side
 * does not read is kept up to CHANNEL_MAX_QUEUED_BYTES; past it, sending fails. */
#pragma once

#include "io/loop.h"
#include "proto/frame.h"

enum { CHANNEL_MAX_QUEUED_BYTES = 64 * 1024 * 1024 };

struct channel;

struct channel_ops {
    /* `frame` is borrowed during the call. The channel may be closed inside. */
    void (*received)(void *arg, const struct frame *frame);
    /* The other side closed (MH_IO) or sent what is no frame (MH_PROTOCOL). Once. */
    void (*ended)(void *arg, enum mh_err why);
};

/* Makes the pair: *child_fd is the other end, for the caller to hand on and close. */
MH_MUST_USE enum mh_err channel_open(uv_loop_t *loop, const struct channel_ops *ops, void *arg,
                                     struct channel **out, int *child_fd);
/* MH_TOO_LARGE, MH_BUSY (the queue is full), MH_NOMEM, MH_IO (the other side is gone;
 * `ended` came or comes). */
MH_MUST_USE enum mh_err channel_send(struct channel *c, const struct frame *frame);
/* Bytes that the other side has not been able to take. */
size_t channel_queued(const struct channel *c);
/* No callback comes after this. Frees on a later turn of the loop. */
void channel_close(struct channel *c);
