/* queue_layout.h - how many shards the queue has: a number that all engines on one Redis must
 * agree on, for an org's shard follows from it.
 *
 * It is in mh:{c}:shards from the first start on; before there was a number, there was one
 * shard. An engine looks before it joins and, since another may be changing the number just
 * then, once more when it has joined, before it serves. It may be changed while every shard
 * of the former number is empty: no event is stored, nothing is due, no replay is open, no
 * engine is in it. Whoever changes it looks once more behind that: either it sees an engine
 * that joined meanwhile and takes the change back, or that engine sees the new number. */
#pragma once

#include "base/err.h"

#include <stddef.h>

struct redis;

/* `done` comes once, not inside: MH_OK; MH_CONFLICT: Redis holds a queue of another number of
 * shards (the log says what to do); MH_UNAVAILABLE. Borrows `prefix` until then. */
typedef void queue_layout_done(void *arg, enum mh_err err);
void queue_layout_agree(struct redis *redis, const char *prefix, size_t shards,
                        queue_layout_done *done, void *arg);
