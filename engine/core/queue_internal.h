/* queue_internal.h - what the parts of the queue share: queue.c (life, heartbeat, claims),
 * queue_claim.c (what was claimed), queue_write.c (accepting and finishing in batches),
 * queue_read.c. */
#pragma once

#include "base/map.h"
#include "core/command.h"
#include "core/queue.h"
#include "io/redis_trouble.h"

enum queue_script { SCRIPT_ACCEPT, SCRIPT_FINISH, SCRIPT_LEAVE, SCRIPT_LOG, SCRIPT_PAGE,
                    SCRIPT_RETRY, SCRIPT_TICK, SCRIPT_TRIM, SCRIPT_COUNT };

struct queue {
    struct queue_spec   spec;
    char               *keys;                   /* what its keys begin with: "mh:{q3}" */
    uv_loop_t          *loop;
    struct redis_script scripts[SCRIPT_COUNT];
    char                engine[MH_ID_BYTES];    /* this engine's present name */
    unsigned            era;                    /* counts the names: claims are of one era */
    bool                member;                 /* Redis knows this engine by its name */
    bool                joined;                 /* and said so since the connection came up */
    bool                leaving;
    bool                buried;                 /* what spec.predecessor held is due */
    bool                hungry;                 /* more is due than it had room for */
    struct timer        tick, flush, trim;
    bool                ticking;                /* a tick is under way */
    unsigned            tick_era;               /* when it was sent */
    int64_t             tick_ms, alive_ms;      /* when, and when the last that Redis took was */
    struct map          owned;                  /* by key: in memory and in own:<engine> */
    struct map          loading;                /* by key: in own:<engine> and being read */
    struct list         accepts, finishes;      /* waiting for the next batch */
    size_t              accept_count, finish_count;
    bool                accepting, finishing;   /* a batch of each is under way */
    size_t              batch_bytes;            /* most in one: what Redis takes in ROUND_MS */
    size_t              round_bytes;            /* in those under way */
    int64_t             round_began_ms;         /* monotonic */
    size_t              coming;                 /* places promised to batches under way (I6) */
    int64_t             due, dead, engines;     /* numbers of, as of the last tick */
    int64_t             stored;                 /* events, as of the last trim, like the next two */
    int64_t             memory_bytes, memory_max_bytes;     /* of Redis; no limit: 0 */
    char                trouble[REDIS_TROUBLE_BYTES];   /* why Redis refuses ticks, or events; "": not */
    void              (*left)(void *arg);
    void               *left_arg;
};

/* The script of this file name in core/redis/. */
struct redis_script queue_script(const char *name);

/* "mh:{q}:NAME" as the next argument, with the hash tag of this shard. */
void queue_key(struct queue *q, struct command *c, const char *name);
void queue_key2(struct queue *q, struct command *c, const char *name, const char *rest);

/* The event that a delivery's key names. */
void queue_key_event_of(struct queue *q, struct command *c, const char *delivery_key);

/* The log of an org's deliveries to a target. */
void queue_key_log(struct queue *q, struct command *c, const char *org, int org_bytes,
                   const char *target_id);

/* Another engine may have declared this one dead: only Redis knows (I3). */
bool queue_is_silent(const struct queue *q);

void queue_own(struct queue *q, struct delivery *d);        /* records it; tells the owner */
void queue_disown(struct queue *q, struct delivery *d);     /* forgets and frees it */

/* Redis said STALE to what was sent in `era` (I3); nothing if that is over. */
void queue_stale(struct queue *q, unsigned era);
void queue_flush(struct timer *flush);                      /* sends what waits, in batches */
void queue_trim(struct timer *trim);
void queue_claim_more(struct queue *q);                     /* there is room again, for all shards */
void queue_load(struct queue *q, const redisReply *keys);   /* claimed keys to deliveries */

/* ---- Stored events --------------------------------------------------------------- */

struct stored_event { json_t *head; const char *envelope; size_t envelope_bytes; };

/* Borrows the reply's text; the caller owns out->head. MH_NOT_FOUND: there is none. */
MH_MUST_USE enum mh_err queue_split_event(const redisReply *reply, struct stored_event *out);

/* A delivery's record, which the caller owns; NULL: there is none that can be read. */
json_t *queue_parse_record(const redisReply *reply);

/* What REST shows of a delivery: what its key tells, what is stored (nil: nothing), and what memory
 * knows better. The caller owns it. */
json_t *queue_record(struct queue *q, const char *key, const redisReply *stored);

/* ---- The index (queue_index.c) ------------------------------------------------------ */

/* The place of an event in its org's index (I8); id "" stands before the first. As text
 * it is "<ms>.<id>", and "" before the first. */
struct place { int64_t ms; char id[MH_ID_BYTES + 1]; };

enum { PLACE_BYTES = MH_ID_BYTES + 24 };
void place_text(const struct place *p, char out[PLACE_BYTES]);
MH_MUST_USE enum mh_err place_parse(const char *text, struct place *out);

struct page {                               /* of an index; borrowed */
    const char  *org;
    bool         up;                        /* oldest first */
    int64_t      since_ms, until_ms;        /* since is taken in, until left out */
    struct place after;
    size_t       most;
};

/* The reply, when MH_OK, goes through page_entry(). */
void queue_page(struct queue *q, const struct page *page, redis_done *done, void *arg);

struct page_entry { struct place place; const redisReply *stored; };

/* Entry `i` of a page; false behind the last. Stored may be nil: see queue_split_event(). */
bool page_entry(const redisReply *reply, size_t i, struct page_entry *out);
bool page_has_more(const redisReply *reply);        /* behind its last entry */
