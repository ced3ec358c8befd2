/* queue_claim.c - claims come to memory: the deliveries of keys that Redis says are ours now.
 *
 * What cannot be made one (its event was trimmed, its target was removed) ends here, with a
 * record that says why; what there is no room or no target for yet is given back. */
#include "core/queue_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { UNKNOWN_TARGET_MS = 5000, NO_ROOM_MS = 50 };

/* Read QUEUE_LOAD at a time, one after the other: however many are claimed, what Redis
 * answers is bounded. */
struct load {
    struct queue *q;
    unsigned      era;
    size_t        count, at, asked;         /* keys; the next one; of them in the last MGET */
    struct expected {
        char           key[DELIVERY_KEY_BYTES];
        struct target *target;              /* counted; NULL: not known */
        size_t         bytes;               /* promised */
    } *all;
};

/* Ends the claim on a delivery that memory knows nothing of: with a record, or given
 * back for later. */
static void end_claim(struct queue *q, const char *key, const char *record, const char *verdict,
                      int64_t delay_ms)
{
    struct command c;
    const char    *target = strchr(key, '~');

    command_init(&c);
    command_text(&c, "6");
    queue_key(q, &c, "engines");
    queue_key2(q, &c, "own", q->engine);
    queue_key(q, &c, "due");
    queue_key(q, &c, "dead");
    queue_key2(q, &c, "delivery", key);
    queue_key_log(q, &c, key, (int)strcspn(key, "/"), target ? target + 1 : "");
    command_text(&c, q->engine);
    command_format(&c, "%lld", (long long)(q->spec.keep_ms / 1000));
    command_format(&c, "%lld", (long long)q->spec.log_entries);
    command_text(&c, key);
    command_text(&c, record);
    command_text(&c, verdict);
    command_format(&c, "%lld", (long long)delay_ms);
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_FINISH], &args, NULL, NULL);
    command_deinit(&c);
}

/* The event is gone (retention, FLUSHALL) or its target is: nobody can make this
 * delivery any more, so its claim ends with a record that says why. What it had stays in
 * it. `record`: taken, may be NULL; `type`: of the event, NULL where that is not known. */
static void cancel(struct queue *q, const char *key, json_t *record, const char *type, const char *why)
{
    size_t bytes;

    LOG_WARN("delivery_cancelled", "delivery=%s reason=\"%s\"", key, why);
    record = record ? record : json_object();
    if (type != NULL)
        json_put(record, "event", json_string(type));
    json_put(record, "status", json_string("cancelled"));
    json_put(record, "reason", json_string(why));
    json_put(record, "next_attempt_at", json_null());
    char *text = json_text(record, &bytes);
    json_decref(record);
    end_claim(q, key, text ? text : "{}", "cancelled", 0);
    free(text);
}

struct unknown {
    struct queue *q;
    unsigned      era;
    char          key[DELIVERY_KEY_BYTES], type[EVENT_TYPE_BYTES];
    json_t       *record;                   /* as far as it was made; may be NULL */
};

static void on_target_looked_up(void *arg, enum mh_err err, const redisReply *reply)
{
    struct unknown *u = arg;

    if (u->era != u->q->era)
        LOG_DEBUG("claim_over", "delivery=%s", u->key);
    else if (err == MH_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        cancel(u->q, u->key, json_incref(u->record), u->type, "the target was removed");
    else if (err != MH_CANCELLED)           /* known, or the configuration is away just now */
        end_claim(u->q, u->key, "", "release", UNKNOWN_TARGET_MS);
    json_decref(u->record);
    free(u);
}

/* A target that this engine does not know may be one that another engine just made:
 * what operators set decides whether it is gone. */
static void look_up_target(struct queue *q, const char *key, const char *target_id,
                           const struct event *event, const redisReply *record)
{
    struct unknown *u = mem_alloc(sizeof *u);

    *u = (struct unknown){ .q = q, .era = q->era, .record = queue_parse_record(record) };
    snprintf(u->key, sizeof u->key, "%s", key);
    snprintf(u->type, sizeof u->type, "%s", event->type);
    redis_sendf(q->spec.redis, on_target_looked_up, u, "HEXISTS %s:{c}:%ss %s", q->spec.prefix,
                queue_target_kind(target_id), target_id);
}

static void restore_cause(struct event *e, const json_t *head)
{
    int64_t hops = json_int_of(head, "hops", 0);

    e->hops = hops > 0 && hops < 1000 ? (unsigned)hops : 0;
    snprintf(e->caused_by, sizeof e->caused_by, "%s", json_text_of(head, "caused_by", ""));
}

static void load_one(struct queue *q, const char *key, const redisReply *stored,
                     const redisReply *record_text)
{
    struct delivery_parts parts;
    struct stored_event   found = { 0 };
    struct event         *event = NULL;

    if (map_get(&q->owned, key) != NULL || delivery_split(key, &parts) != MH_OK)
        return;
    struct target *target = q->spec.find_target(q->spec.arg, parts.target_id);
    enum mh_err    err = queue_split_event(stored, &found);
    if (err == MH_OK)
        err = event_from_envelope(found.envelope, found.envelope_bytes, &event);
    if (err != MH_OK) {
        cancel(q, key, queue_parse_record(record_text), NULL, "the event is no longer stored");
    } else if (target == NULL) {
        look_up_target(q, key, parts.target_id, event, record_text);
    } else {
        restore_cause(event, found.head);
        json_t          *record = queue_parse_record(record_text);
        struct delivery *d = delivery_new(event, target);
        delivery_restore(d, record);
        json_decref(record);
        d->expected = true;
        queue_own(q, d);
    }
    json_decref(found.head);
    event_unref(event);
}

static void load_next(struct load *l);

/* Its room is kept while it is read. */
static void expect(struct queue *q, const char *key, struct target *target, struct expected *x)
{
    snprintf(x->key, sizeof x->key, "%s", key);
    x->target = target != NULL ? target_ref(target) : NULL;
    x->bytes = target != NULL ? target->typical_bytes : 0;
    map_put(&q->loading, x->key, x);
    q->coming++;
    q->spec.held->promised_bytes += x->bytes;
    if (target != NULL) {
        target->coming.count++;
        target->coming.bytes += x->bytes;
    }
}

static void stop_expecting(struct queue *q, struct expected *x)
{
    if (map_get(&q->loading, x->key) == x)  /* else those claims are lost */
        map_remove(&q->loading, x->key);
    q->coming--;
    q->spec.held->promised_bytes -= x->bytes;
    if (x->target != NULL) {
        x->target->coming.count--;
        x->target->coming.bytes -= x->bytes;
        target_unref(x->target);
    }
}

static void load_end(struct load *l)
{
    for (; l->at < l->count; l->at++)
        stop_expecting(l->q, &l->all[l->at]);
    free(l->all);
    free(l);
}

static void on_loaded(void *arg, enum mh_err err, const redisReply *reply)
{
    struct load *l = arg;
    bool         whole = err == MH_OK && reply->type == REDIS_REPLY_ARRAY &&
                         reply->elements == 2 * l->asked && l->era == l->q->era;

    l->q->spec.held->promised_bytes -= l->asked * EVENT_MAX_BYTES;
    /* A lost answer: the claims stay in our own set and are found by the next join. */
    for (size_t i = 0; whole && i < l->asked; i++, l->at++) {
        stop_expecting(l->q, &l->all[l->at]);
        load_one(l->q, l->all[l->at].key, reply->element[2 * i], reply->element[2 * i + 1]);
    }
    if (whole)
        load_next(l);
    else
        load_end(l);
}

/* The room that there was when they were claimed was taken meanwhile. */
static void give_back(struct load *l)
{
    for (; l->at < l->count; l->at++) {
        stop_expecting(l->q, &l->all[l->at]);
        end_claim(l->q, l->all[l->at].key, "", "release", NO_ROOM_MS);
    }
}

/* One that memory would have no room for waits in Redis, unread. */
static void turn_away(struct queue *q, const struct delivery_parts *parts, struct target *target,
                      int64_t again_ms)
{
    struct event    *unread = event_unread(parts->org, parts->event_id);
    struct delivery *d = delivery_new(unread, target);

    event_unref(unread);
    d->queue = q;
    delivery_plan(d, again_ms);
    map_put(&q->owned, d->key, d);
    queue_release(q, d);
}

/* After a join the same keys come twice: as claimed just now, and as those of its own set. */
static void add_claim(struct load *l, const char *key)
{
    struct queue         *q = l->q;
    struct delivery_parts parts;
    int64_t               again_ms;

    if (map_get(&q->owned, key) != NULL || map_get(&q->loading, key) != NULL ||
        delivery_split(key, &parts) != MH_OK)
        return;
    struct target *target = q->spec.find_target(q->spec.arg, parts.target_id);
    if (target != NULL && q->spec.crowded(q->spec.arg, q, target, &again_ms))
        turn_away(q, &parts, target, again_ms);
    else
        expect(q, key, target, &l->all[l->count++]);
}

static struct load *load_new(struct queue *q, const redisReply *keys)
{
    struct load *l = mem_alloc(sizeof *l);

    l->q = q;
    l->era = q->era;
    l->all = mem_alloc((keys->elements + 1) * sizeof l->all[0]);
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        if (key->type == REDIS_REPLY_STRING && key->len < DELIVERY_KEY_BYTES)
            add_claim(l, key->str);
    }
    return l;
}

static void add_pair(struct queue *q, struct command *c, const char *key)
{
    queue_key_event_of(q, c, key);
    queue_key2(q, c, "delivery", key);
}

static void load_next(struct load *l)
{
    struct queue  *q = l->q;
    size_t         left = l->count - l->at, most = held_free_events(q->spec.held);
    struct command c;

    if (most == 0)
        give_back(l);
    if (most == 0 || left == 0) {
        load_end(l);
        return;
    }
    most = most < QUEUE_LOAD ? most : QUEUE_LOAD;
    l->asked = left < most ? left : most;
    q->spec.held->promised_bytes += l->asked * EVENT_MAX_BYTES;
    command_init(&c);
    command_text(&c, "MGET");
    for (size_t i = 0; i < l->asked; i++)
        add_pair(q, &c, l->all[l->at + i].key);
    struct redis_args args = command_args(&c);
    redis_send(q->spec.redis, &args, on_loaded, l);
    command_deinit(&c);
}

void queue_load(struct queue *q, const redisReply *keys)
{
    if (keys->type == REDIS_REPLY_ARRAY)
        load_next(load_new(q, keys));
}
