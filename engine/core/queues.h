/* queues.h - the queue as a whole: its shards, by org (Q8).
 *
 * All that the queue keeps of an org is in one shard: its events and their index, their
 * deliveries, due and owned ones, dead letters, logs, replays. So every script, page and
 * cursor is of one shard, and nothing is ever merged. A shard is a `struct queue` with a hash
 * tag, a heartbeat and claims of its own; on a Redis Cluster the shards are on several
 * masters, and while one of these is away, the others' orgs notice nothing.
 *
 * An org's shard is the slot that Redis Cluster would give its name (CRC16, see
 * io/redis_slots.h), modulo the number of shards: that must never change. What shards have in
 * common is the room in this engine's memory (queue_free_places) and its limits. */
#pragma once

#include "core/queue.h"

struct queues;

/* `each` is what all shards are made by. Its `joined` comes at the start when all shards have
 * joined, or some have and the rest took too long, and the engines agree on their number
 * (queue_layout.h); then whenever one joins again. `differ`: engines of another number are at
 * this Redis; this one must end. `shards`: 1 to QUEUE_MAX_SHARDS. */
void queues_new(uv_loop_t *loop, const struct queue_spec *each, size_t shards, struct queues **out);
void queues_free(struct queues *qs);

/* From now on they join whenever Redis is there. */
void queues_join(struct queues *qs);
/* Which masters are reached has changed (redis_spec.state). */
void queues_redis_state(struct queues *qs);
/* See queue_leave(). */
void queues_leave(struct queues *qs, void (*left)(void *arg), void *arg);

/* Which of so many shards an org has. Pure. */
size_t queues_shard_of(const char *org, size_t shards);

/* What every key of a shard begins with: "mh:{q3}", or "mh:{q}" where it is the only one. The
 * caller frees it. */
char *queues_keys(const char *prefix, size_t shard, size_t shards);

/* What an engine's name begins with: "eng", or "eng4" of 4 shards; queue_layout.c looks at that. */
enum { QUEUES_KIND_BYTES = 16 };
void queues_engine_kind(size_t shards, char out[QUEUES_KIND_BYTES]);
/* A new one. */
void queues_engine_name(size_t shards, char out[MH_ID_BYTES]);

struct queue *queues_of(const struct queues *qs, const char *org);
struct queue *queues_of_delivery(const struct queues *qs, const char *delivery_key);
size_t        queues_count(const struct queues *qs);
struct queue *queues_at(const struct queues *qs, size_t shard);

/* Of all shards. Sums; but `engines` are those of the shard that has most, and memory is that
 * of the master that uses most. */
struct queue_stats queues_stats(const struct queues *qs);
/* Too much is waiting: events are to be refused with MH_BUSY (Q6). */
bool               queues_are_full(const struct queues *qs);
bool               queues_are_behind(const struct queues *qs);      /* each; see queue_is_behind() */
size_t             queues_unwritten(const struct queues *qs);
/* Of the first shard that has one; see queue_trouble(). */
const char        *queues_trouble(const struct queues *qs);
