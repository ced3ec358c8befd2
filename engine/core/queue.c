/* queue.c - the life of the queue: joining, heartbeat, claims, leaving. */
#include "core/queues.h"

#include "base/clock.h"
#include "base/embed.h"
#include "base/log.h"
#include "core/queue_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_tick(struct timer *t);

struct redis_script queue_script(const char *name)
{
    for (const struct embedded *e = embedded_redis_scripts; e->name != NULL; e++)
        if (strcmp(e->name, name) == 0)
            return (struct redis_script){ .name = e->name, .source = e->text };
    abort();
}

static void find_scripts(struct queue *q)
{
    static const char *const names[SCRIPT_COUNT] = { "accept.lua", "finish.lua", "leave.lua",
                                                     "log.lua", "page.lua", "retry.lua", "tick.lua",
                                                     "trim.lua" };
    for (int i = 0; i < SCRIPT_COUNT; i++)
        q->scripts[i] = queue_script(names[i]);
}

void queue_new(uv_loop_t *loop, const struct queue_spec *spec, struct queue **out)
{
    struct queue *q = mem_alloc(sizeof *q);

    q->spec = *spec;
    q->loop = loop;
    find_scripts(q);
    q->keys = queues_keys(spec->prefix, spec->shard, spec->shards);
    snprintf(q->engine, sizeof q->engine, "%s", spec->name);
    q->spec.name = NULL;                    /* it was borrowed, and may change */
    q->batch_bytes = QUEUE_BATCH_BYTES / 8;      /* until the disk is known */
    list_init(&q->accepts);
    list_init(&q->finishes);
    timer_init(&q->tick, loop, on_tick);
    timer_init(&q->flush, loop, queue_flush);
    timer_init(&q->trim, loop, queue_trim);
    timer_start(&q->trim, 0);
    *out = q;
}

static void release_owned(void *value) { delivery_free(value); }

static void on_trim_closed(struct timer *t)
{
    struct queue *q = container_of(t, struct queue, trim);

    free(q->keys);
    free(q);
}

static void on_flush_closed(struct timer *t)
{
    timer_close(&container_of(t, struct queue, flush)->trim, on_trim_closed);
}

static void on_tick_closed(struct timer *t)
{
    timer_close(&container_of(t, struct queue, tick)->flush, on_flush_closed);
}

void queue_free(struct queue *q)
{
    map_clear(&q->owned, release_owned);
    map_clear(&q->loading, NULL);
    timer_close(&q->tick, on_tick_closed);
}

/* ---- Keys --------------------------------------------------------------------- */

void queue_key(struct queue *q, struct command *c, const char *name)
{
    command_format(c, "%s:%s", q->keys, name);
}

void queue_key2(struct queue *q, struct command *c, const char *name, const char *rest)
{
    command_format(c, "%s:%s:%s", q->keys, name, rest);
}

void queue_key_event_of(struct queue *q, struct command *c, const char *delivery_key)
{
    command_format(c, "%s:event:%.*s", q->keys, (int)strcspn(delivery_key, "~"), delivery_key);
}

void queue_key_log(struct queue *q, struct command *c, const char *org, int org_bytes,
                   const char *target_id)
{
    command_format(c, "%s:log:%.*s/%s", q->keys, org_bytes, org, target_id);
}

/* ---- What is owned --------------------------------------------------------------- */

void queue_own(struct queue *q, struct delivery *d)
{
    d->queue = q;
    map_put(&q->owned, d->key, d);
    held_add(q->spec.held, d);
    q->spec.owned(q->spec.arg, d);
}

void queue_disown(struct queue *q, struct delivery *d)
{
    map_remove(&q->owned, d->key);
    held_remove(q->spec.held, d);
    delivery_free(d);
}

static size_t taken_places(const struct queue *q) { return q->owned.count + q->coming; }

static size_t less(size_t of, size_t taken) { return taken < of ? of - taken : 0; }

size_t queue_free_places(const struct queue *q)
{
    size_t free_places = q->spec.max_owned, part = q->spec.max_owned / q->spec.shards;

    for (size_t i = 0; i < q->spec.shards; i++) {
        const struct queue *one = q->spec.all[i];
        size_t taken = taken_places(one);
        size_t kept = one->hungry && one != q && taken < part ? part : taken;
        free_places = less(free_places, kept);
    }
    return free_places;
}

size_t queue_free_bytes(const struct queue *q) { return held_free_bytes(q->spec.held); }

/* ---- Joining ------------------------------------------------------------------------ */

static int collect(void *value, void *arg)
{
    struct delivery ***next = arg;
    *(*next)++ = value;
    return 0;
}

/* I3: everything held belongs to others now. `dropped` ends attempts and frees. */
void queue_stale(struct queue *q, unsigned era)
{
    size_t            count = q->owned.count;
    struct delivery **all, **next;

    if (era != q->era)
        return;
    next = all = mem_alloc((count + 1) * sizeof(struct delivery *));
    map_each(&q->owned, collect, &next);
    map_clear(&q->owned, NULL);
    map_clear(&q->loading, NULL);
    q->finish_count = 0;
    for (size_t i = 0; i < count; i++) {
        list_unlink(&all[i]->node);
        held_remove(q->spec.held, all[i]);
        q->spec.dropped(q->spec.arg, all[i]);
    }
    free(all);
    LOG_WARN("claims_lost", "engine=%s deliveries=%zu", q->engine, count);
    queues_engine_name(q->spec.shards, q->engine);
    q->era++;
    q->joined = q->member = q->hungry = false;
    timer_start(&q->tick, 0);
}

void queue_redis_state(struct queue *q, bool up)
{
    if (up && !q->leaving)
        timer_start(&q->tick, 0);
    else
        q->joined = q->hungry = false;
}

/* ---- Heartbeat ------------------------------------------------------------------------- */

/* After a loss of the connection: what Redis says is ours and memory does not know
 * was accepted by a batch whose answer was lost (I5). */
static void on_reclaimed(void *arg, enum mh_err err, const redisReply *reply)
{
    if (err == MH_OK)
        queue_load(arg, reply);
}

static void send_leave(struct queue *q, const char *engine, redis_done *done)
{
    struct command c;

    command_init(&c);
    command_text(&c, "3");
    queue_key(q, &c, "engines");
    queue_key2(q, &c, "own", engine);
    queue_key(q, &c, "due");
    command_text(&c, engine);
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_LEAVE], &args, done, q);
    command_deinit(&c);
}

static void on_buried(void *arg, enum mh_err err, const redisReply *reply)
{
    struct queue *q = arg;

    if (err != MH_OK)
        return;                             /* the next join does it */
    q->buried = true;
    LOG_INFO("queue_taken_over", "engine=%s deliveries=%lld", q->spec.predecessor,
             (long long)reply->integer);
    if (!q->leaving)
        timer_start(&q->tick, 0);
}

/* The dead cannot leave; who knows that it is dead does it in its name. */
static void bury_predecessor(struct queue *q)
{
    if (q->spec.predecessor != NULL && !q->buried)
        send_leave(q, q->spec.predecessor, on_buried);
}

static void on_joined(struct queue *q)
{
    struct command c;

    q->joined = q->member = true;
    q->trouble[0] = '\0';
    LOG_INFO("queue_joined", "engine=%s owned=%zu due=%lld shard=%zu", q->engine, q->owned.count,
             (long long)q->due, q->spec.shard);
    command_init(&c);
    command_text(&c, "SMEMBERS");
    queue_key2(q, &c, "own", q->engine);
    struct redis_args args = command_args(&c);
    redis_send(q->spec.redis, &args, on_reclaimed, q);
    command_deinit(&c);
    bury_predecessor(q);
    timer_start(&q->flush, 0);
    q->spec.joined(q->spec.engine);
}

static int64_t integer_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER ? (int64_t)reply->integer : 0;
}

/* How many may be claimed, whatever their size. */
static size_t room(const struct queue *q)
{
    size_t places = queue_free_places(q), events = held_free_events(q->spec.held);

    places = places < events ? places : events;
    return q->joined ? (places < QUEUE_BATCH ? places : QUEUE_BATCH) : 0;
}

static int64_t next_tick_ms(const struct queue *q, int64_t wait_ms)
{
    if (wait_ms < 0 || wait_ms > QUEUE_TICK_MS || room(q) == 0)
        return QUEUE_TICK_MS;
    return wait_ms;
}

static void take_tick(struct queue *q, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 5)
        return;
    q->alive_ms = q->tick_ms;
    q->due = integer_of(reply->element[2]);
    q->dead = integer_of(reply->element[3]);
    q->engines = integer_of(reply->element[4]);
    if (!q->joined)
        on_joined(q);
    const redisReply *claimed = reply->element[0];
    if (claimed->type == REDIS_REPLY_ARRAY && claimed->elements > 0)
        queue_load(q, claimed);
    q->hungry = integer_of(reply->element[1]) == 0;
    timer_start(&q->tick, next_tick_ms(q, integer_of(reply->element[1])));
    q->spec.written(q->spec.arg);           /* whom silence held up goes on */
}

static void on_ticked(void *arg, enum mh_err err, const redisReply *reply)
{
    struct queue *q = arg;

    q->ticking = false;
    if (q->leaving)
        return;
    if (q->tick_era != q->era)              /* of a name that was given up meanwhile */
        timer_start(&q->tick, 0);
    else if (err == MH_OK)
        take_tick(q, reply);
    else if (err == MH_STALE)
        queue_stale(q, q->era);
    else {
        redis_trouble(reply != NULL && reply->str != NULL ? reply->str : "", q->trouble);
        q->joined = q->hungry = false;      /* joins again: finds the claims that got lost too */
        timer_start(&q->tick, QUEUE_TICK_MS);
    }
}

/* Redis counts from when it got the heartbeat, which was not before it was sent. */
bool queue_is_silent(const struct queue *q)
{
    return !q->spec.alone && clock_boot_ms() - q->alive_ms >= QUEUE_DEAD_MS;
}

/* For how long another may have been silent before this engine takes what it held. */
static int dead_after_ms(const struct queue *q)
{
    bool none_lives = q->spec.alone || (q->spec.first && q->era == 0 && !q->member);
    return none_lives ? 0 : QUEUE_DEAD_MS;
}

/* No memory is left: events are refused, while what was accepted goes on to its end (the
 * scripts for that are allowed to). Asks whether it is over. */
static void on_probed(void *arg, enum mh_err err, const redisReply *reply)
{
    struct queue *q = arg;

    (void)reply;
    if (err == MH_OK && q->joined)
        q->trouble[0] = '\0';
}

static void probe(struct queue *q)
{
    if (q->joined && q->trouble[0] != '\0')
        redis_sendf(q->spec.redis, on_probed, q, "SET %s:probe 1", q->keys);
}

static void on_tick(struct timer *t)
{
    struct queue  *q = container_of(t, struct queue, tick);
    struct command c;

    if (q->leaving || q->ticking || !redis_reaches(q->spec.redis, q->keys))
        return;
    q->ticking = true;
    q->tick_era = q->era;
    q->tick_ms = clock_boot_ms();
    command_init(&c);
    command_text(&c, "4");
    queue_key(q, &c, "engines");
    queue_key2(q, &c, "own", q->engine);
    queue_key(q, &c, "due");
    queue_key(q, &c, "dead");
    command_text(&c, q->engine);
    command_text(&c, q->member ? "stay" : "join");
    command_format(&c, "%d", dead_after_ms(q));
    command_format(&c, "%zu", room(q));
    queue_key2(q, &c, "own", "");
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_TICK], &args, on_ticked, q);
    command_deinit(&c);
    probe(q);
}

/* What one shard gave up may be another's. */
void queue_claim_more(struct queue *q)
{
    for (size_t i = 0; i < q->spec.shards; i++) {
        struct queue *one = q->spec.all[i];
        bool          wants = one == q ? q->due > 0 : one->hungry;
        if (wants && !one->ticking && !one->leaving)
            timer_start(&one->tick, 0);
    }
}

/* ---- Leaving ----------------------------------------------------------------------------- */

static void on_left(void *arg, enum mh_err err, const redisReply *reply)
{
    struct queue *q = arg;

    if (err == MH_OK)
        LOG_INFO("queue_left", "engine=%s given_back=%lld", q->engine, (long long)reply->integer);
    q->left(q->left_arg);
}

void queue_leave(struct queue *q, void (*left)(void *arg), void *arg)
{
    q->leaving = true;                      /* Redis may be gone from `left` on */
    q->left = left;
    q->left_arg = arg;
    timer_stop(&q->tick);
    timer_stop(&q->trim);
    send_leave(q, q->engine, on_left);
}

const char *queue_engine(const struct queue *q) { return q->engine; }

struct queue_stats queue_stats(const struct queue *q)
{
    return (struct queue_stats){ q->owned.count, q->due, q->dead, q->engines, q->stored,
                                 q->memory_bytes, q->memory_max_bytes, 1,
                                 q->joined && q->trouble[0] == '\0' };
}

const char *queue_trouble(const struct queue *q) { return q->trouble; }
