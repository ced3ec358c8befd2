/* queue.h - the durable queue: events, claims and records in Redis. A `struct queue` is one
 * shard of it, with the events of some orgs (queues.h says which); where there is but one,
 * it has all.
 *
 * Invariants (tests cite them):
 *  I1  An event and its whole fan-out are written by one script call (Q1): there is
 *      no event without its deliveries and no delivery without its event.
 *  I2  Every delivery that has not ended is in exactly one place: the due set
 *      (nobody works on it) or the own set of exactly one engine (it does).
 *  I3  An engine writes only while it is in the set of engines. One that was
 *      silent for QUEUE_DEAD_MS is taken over by any other and answered STALE
 *      from then on; it drops what it holds and joins under a new name (Q2). Until it
 *      knows, it begins nothing: not before a heartbeat that is younger than that. Where
 *      Redis heard of none at all for half that time, it was away, and nobody is dead yet.
 *      Who has seen an engine end need not wait (queue_spec.predecessor). None of this has
 *      to be right for I2 to hold: one that is taken over too early becomes STALE.
 *  I4  A claim is given up only together with the record of how it went, in one
 *      script call. A crash between attempt and record repeats that attempt and
 *      no other, under the same id.
 *  I5  What Redis did not confirm was not accepted: the producer is told 503 (Q5). With
 *      --redis-wait, confirming takes the replicas as well; what they do not confirm is
 *      told 503 and delivered all the same.
 *      What was confirmed stays owned in memory until its record is confirmed;
 *      records are resent after a loss of the connection.
 *  I6  An engine holds at most max_owned deliveries, of all shards together, and of them and
 *      their events at most so many bytes (held.h); accepted ones beyond that go to the due set
 *      and are claimed when there is room (Q6). A shard may have all free places, but for those
 *      that others, who have due ones waiting, lack of an equal part.
 *  I7  Commands per batch are constant but for one SET per event, one ZADD per org and one
 *      SET per record (Q4).
 *  I8  An event is in its org's index from its acceptance until it is forgotten, under the
 *      time that Redis accepted it at and its id. Time and id are its place: pages go on
 *      behind a place and so neither repeat nor skip, whatever comes and goes meanwhile.
 *  I9  A step of a replay makes what it chose due and moves the replay's place, both or
 *      nothing, and only as the engine that owns it and from the place that it knows: a kill
 *      at any moment neither skips an event nor takes one twice. It leaves alone what is due
 *      or owned, so I2 holds.
 *  I10 An event is forgotten, with its deliveries' records, only when each of them has
 *      ended, however old it is: nothing that is due or owned loses what it is about. None
 *      has an end of its own in Redis; its producer's id stays known for 24 h (Q3).
 *
 * Keys of a shard, all with the hash tag {q} and so in one slot (Q8). That is the only shard's;
 * of several, {q0}, {q1} and so on stand in its place:
 *   mh:{q}:event:<org>/<event>       first line {"accepted_ms","targets":[..],"made"?,
 *                                    "hops"?,"caused_by"?}, second line the envelope; "made": its
 *                                    id is moonhook's own. Empty, until it is 24 h old, where it
 *                                    was forgotten and the id is its producer's
 *   mh:{q}:events:<org>              the index: sorted set of event ids by acceptance in ms
 *   mh:{q}:orgs, :stored, :trim      sorted set of the orgs that have an index, by when they
 *                                    were trimmed; number of events; hash of org to how many
 *                                    at the head of its index had to stay
 *   mh:{q}:delivery:<delivery key>   the record, once an attempt was made
 *   mh:{q}:replay..                  see core/replay.h
 *   mh:{q}:due:later                only while the clock's step is taken from what is due
 *   mh:{q}:due, :dead                sorted sets of delivery keys by time in ms
 *   mh:{q}:repeats                   calls of accept that met an event they knew
 *   mh:{q}:probe                     written to see whether there is memory again
 *   mh:{q}:engines                   sorted set of engines by last heartbeat; a name begins
 *                                    with "eng_", and of 4 shards with "eng4_" (queue_layout.h)
 *   mh:{q}:own:<engine>              set of delivery keys
 *   mh:{q}:log:<org>/<target>        sorted set of delivery keys by time in ms: an org
 *                                    sees nothing of another's, not even in a cursor
 *
 * All times in Redis are Redis's own clock. Where that is set back while an engine lives, the
 * next heartbeat takes the step from all that is planned: an attempt keeps its distance. Set
 * on, it makes due what is due by the new time. Scripts live in core/redis/. */
#pragma once

#include "core/held.h"
#include "io/redis.h"

enum {
    QUEUE_DEAD_MS    = 5000,                /* silence after which an engine is dead */
    QUEUE_TICK_MS    = 500,
    QUEUE_BATCH      = 256,                 /* events or records in one script call */
    QUEUE_BATCH_BYTES = 4 * 1024 * 1024,
    QUEUE_MAX_SHARDS = 64,
    QUEUE_LOAD       = 16,                  /* events in one answer of Redis: any may be large */
};

struct queue;

struct queue_spec {
    struct redis *redis;
    const char   *prefix;                   /* "mh" */
    size_t        shard, shards;            /* this is shard 0, 1, .. of so many, */
    struct queue *const *all;               /* which are these; NULL before they are made */
    const char   *name;                     /* of this engine, the same in all; borrowed by queue_new() */
    int64_t       keep_ms;                  /* events and records; at least 24 h (Q3) */
    int64_t       log_entries;
    int64_t       keep_events, keep_dead;   /* events per org; dead letters */
    size_t        max_owned;
    struct held  *held;                     /* borrowed; shared by all parts of the queue */
    int64_t       max_backlog;
    bool          alone;                    /* no other engine can live: the rest is dead */
    bool          first;                    /* none does yet: the rest is dead until it has joined */
    const char   *predecessor;              /* an engine that is dead for sure; or NULL. Borrowed */
    /* Redis knows this engine: events can be accepted. At the start and after a loss. */
    void        (*joined)(void *engine);
    void        (*differ)(void *engine);    /* see queues.h */
    void         *engine;
    /* This engine now owns `d` (taken). Called for accepted and for claimed ones. */
    void        (*owned)(void *arg, struct delivery *d);
    /* The target of a claimed delivery; NULL if there is none of that id. */
    struct target *(*find_target)(void *arg, const char *id);
    /* Is there no room for one more delivery of `q` to `t` now, besides those that are being
     * read? Then it is not read, and comes up again after *again_ms. */
    bool        (*crowded)(void *arg, struct queue *q, struct target *t, int64_t *again_ms);
    /* Records were written, or a heartbeat was: see queue_is_behind(). */
    void        (*written)(void *arg);
    /* The claims are lost (I3): whatever is waiting or under way is not ours. */
    void        (*dropped)(void *arg, struct delivery *d);
    void         *arg;
};

void queue_new(uv_loop_t *loop, const struct queue_spec *spec, struct queue **out);
void queue_free(struct queue *q);

/* Tells it that Redis came or went (from redis_spec.state). */
void queue_redis_state(struct queue *q, bool up);

/* The name by which Redis knows this engine; another one after claims were lost (I3). */
const char *queue_engine(const struct queue *q);

/* Gives back what is held and unregisters; `left` comes when Redis confirmed it
 * or cannot be reached. No ticks after this. */
void queue_leave(struct queue *q, void (*left)(void *arg), void *arg);

/* `targets`: borrowed during the call. `done` comes once, not inside: MH_OK, MH_CONFLICT (an event
 * of this id was accepted before), MH_UNAVAILABLE, MH_BUSY (backlog full). On
 * MH_OK, `owned` is called for each delivery before `done` is. */
typedef void queue_accepted(void *arg, enum mh_err err);
void queue_accept(struct queue *q, struct event *event, struct target *const *targets,
                  size_t count, queue_accepted *done, void *arg);

/* The attempt ended: d->verdict, d->attempts and d->next_ms are set. Takes `d`. */
void queue_finish(struct queue *q, struct delivery *d);

/* Gives `d` (taken) back without a record, due when delivery_plan() said: nobody tried it. */
void queue_release(struct queue *q, struct delivery *d);

/* Reading, for REST. The JSON values are borrowed during the callback. */
typedef void queue_read_done(void *arg, enum mh_err err, json_t *value);
/* {"id","event",...,"data", "deliveries":[records]}; MH_NOT_FOUND. */
void queue_read_event(struct queue *q, const char *org, const char *event_id,
                      queue_read_done *done, void *arg);
/* {"items":[{"id","event","timestamp","org_id","deliveries": how many}, newest first],
 * "next":cursor|null}. MH_INVALID: a cursor that is none. A page is full unless nothing more is
 * there, or so many others were passed over that the rest is for the next one. */
struct queue_events_query {
    const char *org;
    const char *type;                       /* only these; NULL: all */
    int64_t     since_ms, until_ms;         /* since is taken in, until left out */
    const char *after;                      /* a cursor, or NULL */
    size_t      limit;
};
void queue_read_events(struct queue *q, const struct queue_events_query *query,
                       queue_read_done *done, void *arg);
/* {"items":[records, those of the newest event first],"next":cursor|null}, of all targets of an
 * org; the rest as above. since and until are about the event. */
struct queue_deliveries_query {
    const char *org;
    const char *type, *status;              /* only these; NULL: all */
    int64_t     since_ms, until_ms;
    const char *after;
    size_t      limit;
};
void queue_read_deliveries(struct queue *q, const struct queue_deliveries_query *query,
                           queue_read_done *done, void *arg);
/* The record; MH_NOT_FOUND. */
void queue_read_delivery(struct queue *q, const char *key, queue_read_done *done, void *arg);
/* {"items":[records, newest first],"next":cursor|null}; `after`: a cursor or NULL. */
void queue_read_log(struct queue *q, const char *org, const char *target_id, const char *after,
                    size_t limit, queue_read_done *done, void *arg);
/* Makes it due now; MH_NOT_FOUND, MH_CONFLICT (it is under way here). */
void queue_retry(struct queue *q, const char *key, queue_accepted *done, void *arg);

/* Deliveries of this shard that this engine has room for, besides those that it holds (I6). */
size_t queue_free_places(const struct queue *q);

/* Bytes of deliveries that this engine has room for, likewise. */
size_t queue_free_bytes(const struct queue *q);

/* No more attempts should begin. So many ended without a record yet that a crash would
 * repeat them all (Q2); or Redis has not heard of this engine for QUEUE_DEAD_MS, and another
 * one may be at what it holds (I3). `written` comes when that may have changed. */
bool queue_is_behind(const struct queue *q);

/* Events and records that Redis has not confirmed yet, for a clean stop. */
size_t queue_unwritten(const struct queue *q);

/* "webhook" or "plugin", by the form of the id. */
const char *queue_target_kind(const char *target_id);

/* due, dead, engines (this one among them): as of the last heartbeat. stored: events;
 * memory of Redis, its limit 0 where it has none: as of a few seconds ago. */
struct queue_stats {
    size_t  owned;
    int64_t due, dead, engines, stored, memory_bytes, memory_max_bytes;
    size_t  shards, taking;                 /* how many these numbers are of; how many take events */
};
struct queue_stats queue_stats(const struct queue *q);

/* Why Redis, which answers, takes no events; "" where it does. Borrowed. */
const char *queue_trouble(const struct queue *q);
