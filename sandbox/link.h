/* link.h - the one way in and out: frames on the blocking socket, fd 3.
 *
 * Any error on the socket, EOF and any broken frame end the process at once, so
 * no function here can fail: there is nobody left to tell. */
#pragma once

#include "proto/frame.h"
#include "proto/message.h"

enum { LINK_FD = 3 };

struct link { struct buf in, out; size_t taken; };

void link_init(struct link *l);

/* Waits for the next frame. It stays valid until the next call. */
void link_next(struct link *l, struct frame *out);

/* Writes a frame out, whole, before it returns. */
void link_send(struct link *l, enum msg_type type, uint32_t id, const struct buf *head,
               const struct buf *body);

/* Ends the process: the engine spoke what is not in the protocol. */
_Noreturn void link_broken(void);
