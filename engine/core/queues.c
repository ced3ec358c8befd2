/* queues.c - see queues.h. */
#include "core/queues.h"

#include "base/log.h"
#include "core/queue_internal.h"
#include "core/queue_layout.h"
#include "io/redis_slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A shard whose master is away when the engine starts does not keep it from serving. */
enum { PATIENCE_MS = QUEUE_DEAD_MS, AGREE_AGAIN_MS = 200 };

struct queues {
    struct queue_spec spec;                 /* as it was given */
    size_t            count;
    struct queue     *all[QUEUE_MAX_SHARDS];
    bool              reached[QUEUE_MAX_SHARDS];    /* the master of each */
    bool              joining;              /* queues_join() was called */
    bool              told;                 /* spec.joined was called, once */
    bool              agreeing;
    struct timer      patience;             /* at the start, with those that have not joined */
    size_t            leaving;              /* shards that have not left yet */
    void            (*left)(void *arg);
    void             *left_arg;
};

/* ---- Which shard ---------------------------------------------------------------------- */

static size_t shard_of(const char *org, size_t bytes, size_t shards)
{
    return (size_t)redis_key_slot(org, bytes) % shards;
}

size_t queues_shard_of(const char *org, size_t shards) { return shard_of(org, strlen(org), shards); }

char *queues_keys(const char *prefix, size_t shard, size_t shards)
{
    return shards == 1 ? mem_printf("%s:{q}", prefix) : mem_printf("%s:{q%zu}", prefix, shard);
}

void queues_engine_kind(size_t shards, char out[QUEUES_KIND_BYTES])
{
    if (shards == 1)
        snprintf(out, QUEUES_KIND_BYTES, "eng");
    else
        snprintf(out, QUEUES_KIND_BYTES, "eng%zu", shards);
}

void queues_engine_name(size_t shards, char out[MH_ID_BYTES])
{
    char kind[QUEUES_KIND_BYTES];

    queues_engine_kind(shards, kind);
    id_new(kind, out);
}

struct queue *queues_of(const struct queues *qs, const char *org)
{
    return qs->all[queues_shard_of(org, qs->count)];
}

struct queue *queues_of_delivery(const struct queues *qs, const char *delivery_key)
{
    return qs->all[shard_of(delivery_key, strcspn(delivery_key, "/"), qs->count)];
}

size_t queues_count(const struct queues *qs) { return qs->count; }

struct queue *queues_at(const struct queues *qs, size_t shard) { return qs->all[shard]; }

/* ---- Joining and leaving ---------------------------------------------------------------- */

static void on_agreed(void *arg, enum mh_err err)
{
    struct queues *qs = arg;

    qs->agreeing = false;
    if (!qs->joining)                       /* the engine stops */
        return;
    if (err == MH_CONFLICT) {
        qs->spec.differ(qs->spec.engine);
    } else if (err == MH_OK && !qs->told) {
        qs->told = true;
        timer_stop(&qs->patience);
        qs->spec.joined(qs->spec.engine);
    } else if (!qs->told) {
        timer_start(&qs->patience, AGREE_AGAIN_MS);
    }
}

/* Also when Redis lost its data, and with them the number. */
static void agree(struct queues *qs)
{
    if (qs->agreeing)
        return;
    qs->agreeing = true;
    queue_layout_agree(qs->spec.redis, qs->spec.prefix, qs->count, on_agreed, qs);
}

static size_t count_joined(const struct queues *qs)
{
    size_t count = 0;

    for (size_t i = 0; i < qs->count; i++)
        count += qs->all[i]->joined;
    return count;
}

static void on_joined(void *arg)
{
    struct queues *qs = arg;

    if (qs->told)
        qs->spec.joined(qs->spec.engine);
    if (qs->told || count_joined(qs) == qs->count)
        agree(qs);
    else
        timer_hasten(&qs->patience, PATIENCE_MS);
}

static void on_patience(struct timer *patience)
{
    struct queues *qs = container_of(patience, struct queues, patience);
    size_t         joined = count_joined(qs);

    if (joined == 0)                        /* the next that joins begins this anew */
        return;
    if (joined < qs->count)
        LOG_WARN("queue_incomplete", "shards=%zu joined=%zu do=\"see that all masters of Redis are "
                 "reached; until then, events of the other shards' orgs are answered 503\"",
                 qs->count, joined);
    agree(qs);
}

void queues_join(struct queues *qs)
{
    qs->joining = true;
    queues_redis_state(qs);
}

void queues_redis_state(struct queues *qs)
{
    for (size_t i = 0; qs->joining && i < qs->count; i++) {
        bool reached = redis_reaches(qs->spec.redis, qs->all[i]->keys);
        if (reached != qs->reached[i])
            queue_redis_state(qs->all[i], reached);
        qs->reached[i] = reached;
    }
}

static void on_left(void *arg)
{
    struct queues *qs = arg;

    if (--qs->leaving == 0)
        qs->left(qs->left_arg);
}

void queues_leave(struct queues *qs, void (*left)(void *arg), void *arg)
{
    qs->joining = false;
    timer_stop(&qs->patience);
    qs->leaving = qs->count;
    qs->left = left;
    qs->left_arg = arg;
    for (size_t i = 0; i < qs->count; i++)
        queue_leave(qs->all[i], on_left, qs);
}

/* ---- All of them -------------------------------------------------------------------------- */

struct queue_stats queues_stats(const struct queues *qs)
{
    struct queue_stats sum = { .shards = 0 };

    for (size_t i = 0; i < qs->count; i++) {
        struct queue_stats one = queue_stats(qs->all[i]);
        sum.shards += one.shards;
        sum.taking += one.taking;
        sum.owned += one.owned;
        sum.due += one.due;
        sum.dead += one.dead;
        sum.stored += one.stored;
        sum.engines = one.engines > sum.engines ? one.engines : sum.engines;
        if (one.memory_bytes >= sum.memory_bytes) {
            sum.memory_bytes = one.memory_bytes;
            sum.memory_max_bytes = one.memory_max_bytes;
        }
    }
    return sum;
}

bool queues_are_full(const struct queues *qs)
{
    int64_t waiting = 0;
    size_t  accepts = 0;

    for (size_t i = 0; i < qs->count; i++) {
        waiting += qs->all[i]->due + (int64_t)qs->all[i]->owned.count;
        accepts += qs->all[i]->accept_count;
    }
    return waiting >= qs->spec.max_backlog || accepts >= qs->spec.max_owned ||
           held_is_full(qs->spec.held);
}

bool queues_are_behind(const struct queues *qs)
{
    for (size_t i = 0; i < qs->count; i++)
        if (!queue_is_behind(qs->all[i]))
            return false;
    return true;
}

size_t queues_unwritten(const struct queues *qs)
{
    size_t sum = 0;

    for (size_t i = 0; i < qs->count; i++)
        sum += queue_unwritten(qs->all[i]);
    return sum;
}

const char *queues_trouble(const struct queues *qs)
{
    for (size_t i = 0; i < qs->count; i++)
        if (qs->all[i]->trouble[0] != '\0')
            return qs->all[i]->trouble;
    return "";
}

/* ---- Life ------------------------------------------------------------------------------------ */

void queues_new(uv_loop_t *loop, const struct queue_spec *each, size_t shards, struct queues **out)
{
    struct queues    *qs = mem_alloc(sizeof *qs);
    struct queue_spec spec = *each;
    char              name[MH_ID_BYTES];

    qs->count = shards;
    qs->spec = *each;
    timer_init(&qs->patience, loop, on_patience);
    spec.joined = on_joined;
    spec.engine = qs;
    queues_engine_name(shards, name);
    spec.name = name;
    spec.shards = shards;
    spec.all = qs->all;
    for (spec.shard = 0; spec.shard < shards; spec.shard++)
        queue_new(loop, &spec, &qs->all[spec.shard]);
    *out = qs;
}

static void on_closed(struct timer *patience) { free(container_of(patience, struct queues, patience)); }

void queues_free(struct queues *qs)
{
    for (size_t i = 0; i < qs->count; i++)
        queue_free(qs->all[i]);
    timer_close(&qs->patience, on_closed);
}
