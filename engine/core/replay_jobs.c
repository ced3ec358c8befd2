/* replay_jobs.c - replays as people see them: asked for, read, listed, cancelled. */
#include "core/replay_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRY_RUN_MS = 5000, DRY_LOOK_MS = 50 };

bool replay_only_valid(const char *only)
{
    return strcmp(only, "failed") == 0 || strcmp(only, "missing") == 0 || strcmp(only, "all") == 0;
}

/* ---- From Redis to JSON --------------------------------------------------------------- */

json_t *replay_fields(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return NULL;
    json_t *fields = json_object();
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (reply->element[i]->type == REDIS_REPLY_STRING &&
            reply->element[i + 1]->type == REDIS_REPLY_STRING)
            json_put(fields, reply->element[i]->str, json_string(reply->element[i + 1]->str));
    return fields;
}

int64_t replay_number(const json_t *fields, const char *name)
{
    return strtoll(json_text_of(fields, name, "0"), NULL, 10);
}

/* null for 0 */
static json_t *time_of(int64_t unix_ms)
{
    char at[CLOCK_TEXT_BYTES];

    if (unix_ms <= 0)
        return json_null();
    clock_format(unix_ms, at);
    return json_string(at);
}

/* The time of acceptance that it is at; null once it has ended. */
static json_t *next_of(const json_t *fields)
{
    struct place at = { .ms = 0 };

    if (strcmp(json_text_of(fields, "state", ""), "running") != 0)
        return json_null();
    if (place_parse(json_text_of(fields, "cursor", ""), &at) != MH_OK || at.id[0] == '\0')
        at.ms = replay_number(fields, "since_ms");
    return time_of(at.ms);
}

static json_t *describe(const char *id, const json_t *fields)
{
    static const char *const numbers[] = { "rate", "total", "looked", "matched", "enqueued",
                                           "skipped" };
    json_t *job = json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:b}", "id", id,
        "status", json_text_of(fields, "state", ""),
        "target", "kind", json_text_of(fields, "kind", ""), "id", json_text_of(fields, "target", ""),
        "org_id", json_text_of(fields, "org", ""), "only", json_text_of(fields, "only", ""),
        "dry_run", (int)replay_number(fields, "dry_run"));

    json_put(job, "since", time_of(replay_number(fields, "since_ms")));
    json_put(job, "until", time_of(replay_number(fields, "until_ms")));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        json_put(job, numbers[i], json_integer(replay_number(fields, numbers[i])));
    json_put(job, "next", next_of(fields));
    bool running = strcmp(json_text_of(fields, "state", ""), "running") == 0;
    json_put(job, "held", running ? json_incref(json_object_get(fields, "held")) : NULL);
    json_put(job, "reason", json_incref(json_object_get(fields, "reason")));
    json_put(job, "created_at", time_of(replay_number(fields, "created_ms")));
    json_put(job, "ended_at", time_of(replay_number(fields, "ended_ms")));
    return job;
}

static enum mh_err redis_error(enum mh_err err) { return err == MH_IO ? MH_UNAVAILABLE : err; }

/* ---- Reading one ------------------------------------------------------------------------ */

struct ask {                                /* one question, until its answer */
    struct list     node;                   /* in replays.asking: of a dry run */
    struct replays *owner;
    char            id[MH_ID_BYTES], org[EVENT_ORG_BYTES];      /* org "": any */
    bool            dry_run;
    struct timer    look;                   /* of a dry run, from its creation */
    int64_t         until_ms;
    bool            reading;
    replays_done   *done;
    void           *arg;
};

static struct ask *ask_new(struct replays *rs, const char *org, const char *id, replays_done *done,
                           void *arg)
{
    struct ask *a = mem_alloc(sizeof *a);

    *a = (struct ask){ .owner = rs, .done = done, .arg = arg };
    list_init(&a->node);
    snprintf(a->id, sizeof a->id, "%s", id);
    snprintf(a->org, sizeof a->org, "%s", org ? org : "");
    return a;
}

static void ask_end(struct ask *a, enum mh_err err, json_t *answer)
{
    a->done(a->arg, redis_error(err), answer);
    json_decref(answer);
    free(a);
}

/* Of HGETALL of a job. The caller owns *job. */
static enum mh_err take_job(const struct ask *a, enum mh_err err, const redisReply *reply, json_t **job)
{
    json_t *fields = err == MH_OK ? replay_fields(reply) : NULL;

    *job = NULL;
    if (err != MH_OK)
        return err;
    bool shown = fields != NULL &&
                 (a->org[0] == '\0' || strcmp(a->org, json_text_of(fields, "org", "")) == 0);
    if (shown)
        *job = describe(a->id, fields);
    json_decref(fields);
    return shown ? MH_OK : MH_NOT_FOUND;
}

static void on_read(void *arg, enum mh_err err, const redisReply *reply)
{
    json_t *job;

    err = take_job(arg, err, reply, &job);
    ask_end(arg, err, job);
}

static void read_job(struct replays *rs, const char *id, redis_done *done, void *arg)
{
    const struct queue *q = replay_queue(rs, id);

    redis_sendf(q->spec.redis, done, arg, "HGETALL %s:replay:%s", q->keys, id);
}

void replays_read(struct replays *rs, const char *org, const char *id, replays_done *done, void *arg)
{
    read_job(rs, id_valid(id) ? id : "-", on_read, ask_new(rs, org, id, done, arg));
}

/* ---- Creating one -------------------------------------------------------------------------- */

static void on_ask_closed(struct timer *t) { free(container_of(t, struct ask, look)); }

static void answer_dry(struct ask *a, enum mh_err err, json_t *job)
{
    list_unlink(&a->node);
    a->done(a->arg, redis_error(err), job);
    timer_close(&a->look, on_ask_closed);
}

/* The dry run has ended, or its time is over: then it is told how far it is. */
static void on_dry_read(void *arg, enum mh_err err, const redisReply *reply)
{
    struct ask *a = arg;
    json_t     *job;

    a->reading = false;
    err = take_job(a, err, reply, &job);
    bool running = err == MH_OK && strcmp(json_text_of(job, "status", ""), "running") == 0;
    if (running && clock_mono_ms() < a->until_ms && !a->owner->stopped)
        timer_start(&a->look, DRY_LOOK_MS);
    else
        answer_dry(a, err, job);
    json_decref(job);
}

static void on_look(struct timer *t)
{
    struct ask *a = container_of(t, struct ask, look);

    a->reading = true;
    read_job(a->owner, a->id, on_dry_read, a);
}

void replay_answer_all(struct replays *rs)
{
    list_for_each(node, after, &rs->asking) {
        struct ask *a = container_of(node, struct ask, node);
        if (!a->reading)
            answer_dry(a, MH_UNAVAILABLE, NULL);
    }
}

static void wait_for_dry_run(struct ask *a)
{
    a->until_ms = clock_mono_ms() + DRY_RUN_MS;
    list_push_back(&a->owner->asking, &a->node);
    timer_init(&a->look, a->owner->loop, on_look);
    timer_start(&a->look, 0);
}

static void on_created(void *arg, enum mh_err err, const redisReply *reply)
{
    struct ask *a = arg;
    const char *said = err == MH_OK && reply->type == REDIS_REPLY_STRING ? reply->str : "";

    if (err != MH_OK) {
        ask_end(a, err, NULL);
    } else if (strcmp(said, "BUSY") == 0) {
        ask_end(a, MH_BUSY, NULL);
    } else if (strcmp(said, "OK") != 0) {
        ask_end(a, MH_CONFLICT, json_pack("{s:o}", "detail", json_sprintf(
            "replay %s to this target is still running; it can be cancelled", said)));
    } else {
        replay_look(a->owner, a->id);
        if (a->dry_run)
            wait_for_dry_run(a);
        else
            read_job(a->owner, a->id, on_read, a);
    }
}

static void add_create_arguments(const struct queue *q, struct command *c,
                                 const struct replay_spec *spec)
{
    command_format(c, "%d", REPLAY_MAX_OPEN);
    command_format(c, "%d", REPLAY_MAX_LISTED);
    command_format(c, "%lld", (long long)(q->spec.keep_ms / 1000));
    command_text(c, spec->org);
    command_text(c, spec->target->ops->kind_name);
    command_text(c, spec->target->id);
    command_format(c, "%lld", (long long)spec->since_ms);
    if (spec->until_ms > 0)
        command_format(c, "%lld", (long long)spec->until_ms);
    else
        command_text(c, "");
    command_text(c, spec->only);
    command_text(c, spec->dry_run ? "1" : "0");
    command_format(c, "%lld", (long long)spec->rate);
}

/* One that leads to the org's shard: one of as many as there are shards does. */
static void new_id(const struct replays *rs, const struct queue *q, char id[MH_ID_BYTES])
{
    do
        id_new("rpl", id);
    while (replay_queue(rs, id) != q);
}

void replays_create(struct replays *rs, const struct replay_spec *spec, replays_done *done, void *arg)
{
    struct queue  *q = queues_of(rs->queues, spec->org);
    struct command c;
    char           id[MH_ID_BYTES];

    new_id(rs, q, id);
    struct ask *a = ask_new(rs, spec->org, id, done, arg);
    a->dry_run = spec->dry_run;
    command_init(&c);
    command_text(&c, "5");
    queue_key2(q, &c, "replay", id);
    queue_key2(q, &c, "replays", "open");
    command_format(&c, "%s:replays:%s/", q->keys, spec->org);
    queue_key2(q, &c, "events", spec->org);
    queue_key(q, &c, "engines");
    command_text(&c, q->engine);
    command_text(&c, id);
    add_create_arguments(q, &c, spec);
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &rs->scripts[REPLAY_CREATE], &args, on_created, a);
    command_deinit(&c);
}

/* ---- Listing ----------------------------------------------------------------------------------- */

struct listing {
    struct replays *owner;
    size_t          coming;
    json_t         *ids, *items;
    replays_done   *done;
    void           *arg;
};

struct listed { struct listing *list; size_t at; };

static void listing_end(struct listing *l, enum mh_err err)
{
    json_t *answer = json_pack("{s:[], s:n}", "items", "next");

    for (size_t i = 0; i < json_array_size(l->items); i++)
        if (json_is_object(json_array_get(l->items, i)))    /* not past retention */
            json_array_append(json_object_get(answer, "items"), json_array_get(l->items, i));
    l->done(l->arg, redis_error(err), err == MH_OK ? answer : NULL);
    json_decref(answer);
    json_decref(l->ids);
    json_decref(l->items);
    free(l);
}

static void on_listed(void *arg, enum mh_err err, const redisReply *reply)
{
    struct listed *one = arg;
    struct listing *l = one->list;
    json_t         *fields = err == MH_OK ? replay_fields(reply) : NULL;

    if (fields != NULL)
        json_array_set_new(l->items, one->at,
                           describe(json_string_value(json_array_get(l->ids, one->at)), fields));
    json_decref(fields);
    free(one);
    if (--l->coming == 0)
        listing_end(l, err);
}

static void on_ids(void *arg, enum mh_err err, const redisReply *reply)
{
    struct listing *l = arg;

    for (size_t i = 0; err == MH_OK && i < reply->elements; i++) {
        json_array_append_new(l->ids, json_string(reply->element[i]->str));
        json_array_append_new(l->items, json_null());
    }
    l->coming = json_array_size(l->ids);
    if (l->coming == 0) {
        listing_end(l, err);
        return;
    }
    for (size_t i = 0, count = l->coming; i < count; i++) {
        struct listed *one = mem_alloc(sizeof *one);
        *one = (struct listed){ l, i };
        read_job(l->owner, json_string_value(json_array_get(l->ids, i)), on_listed, one);
    }
}

void replays_list(struct replays *rs, const char *org, replays_done *done, void *arg)
{
    const struct queue *q = queues_of(rs->queues, org);
    struct listing     *l = mem_alloc(sizeof *l);

    *l = (struct listing){ .owner = rs, .ids = json_array(), .items = json_array(), .done = done,
                           .arg = arg };
    redis_sendf(q->spec.redis, on_ids, l, "ZREVRANGE %s:replays:%s/ 0 -1", q->keys, org);
}

/* ---- Ending one ------------------------------------------------------------------------------- */

/* `engine`: only if it is the owner; "" for whoever that is. */
static void send_end(struct replays *rs, const char *id, const char *state, const char *why,
                     const char *org, const char *engine, redis_done *done, void *arg)
{
    struct queue  *q = replay_queue(rs, id);
    struct command c;

    command_init(&c);
    command_text(&c, "2");
    queue_key2(q, &c, "replay", id);
    queue_key2(q, &c, "replays", "open");
    command_text(&c, id);
    command_text(&c, state);
    command_text(&c, why);
    command_text(&c, org);
    command_text(&c, engine);
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &rs->scripts[REPLAY_END], &args, done, arg);
    command_deinit(&c);
}

void replay_end(struct replays *rs, const char *id, const char *state, const char *why)
{
    send_end(rs, id, state, why, "", replay_queue(rs, id)->engine, NULL, NULL);
}

static void on_cancelled(void *arg, enum mh_err err, const redisReply *reply)
{
    struct ask *a = arg;

    if (err != MH_OK)
        ask_end(a, err, NULL);
    else if (reply->integer == 0)
        ask_end(a, MH_NOT_FOUND, NULL);
    else if (reply->integer < 0)
        ask_end(a, MH_CONFLICT, json_pack("{s:s}", "detail", "the replay has ended already"));
    else
        read_job(a->owner, a->id, on_read, a);
}

void replays_cancel(struct replays *rs, const char *org, const char *id, replays_done *done, void *arg)
{
    send_end(rs, id_valid(id) ? id : "-", "cancelled", "", org ? org : "", "", on_cancelled,
             ask_new(rs, org, id, done, arg));
}
