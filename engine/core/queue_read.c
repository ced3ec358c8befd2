/* queue_read.c - from Redis back to memory: claimed deliveries, and what REST shows. */
#include "core/queue_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNKNOWN_TARGET_MS = 5000, NO_ROOM_MS = 50 };

/* ---- Stored events --------------------------------------------------------------- */

enum mh_err queue_split_event(const redisReply *reply, struct stored_event *out)
{
    struct json_fault fault;

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0)       /* empty: trimmed */
        return MH_NOT_FOUND;
    const char *line_end = memchr(reply->str, '\n', reply->len);
    if (line_end == NULL)
        return MH_INVALID;
    out->envelope = line_end + 1;
    out->envelope_bytes = reply->len - (size_t)(out->envelope - reply->str);
    return json_parse_stored(reply->str, (size_t)(line_end - reply->str), &out->head, &fault);
}

static json_t *parse_record(const redisReply *reply)
{
    struct json_fault fault;
    json_t           *record = NULL;

    if (reply->type != REDIS_REPLY_STRING ||
        json_parse_stored(reply->str, reply->len, &record, &fault) != MH_OK)
        return NULL;
    return record;
}

/* ---- Claimed deliveries -------------------------------------------------------------- */

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

    *u = (struct unknown){ .q = q, .era = q->era, .record = parse_record(record) };
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
        cancel(q, key, parse_record(record_text), NULL, "the event is no longer stored");
    } else if (target == NULL) {
        look_up_target(q, key, parts.target_id, event, record_text);
    } else {
        restore_cause(event, found.head);
        json_t          *record = parse_record(record_text);
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

/* ---- Reading for REST ------------------------------------------------------------------ */

struct read {
    struct queue    *q;
    queue_read_done *done;
    void            *arg;
    json_t          *value;                 /* what has been read so far */
    json_t          *keys;                  /* array of delivery keys still to be read */
    const char      *member;                /* of value: where the records go */
    bool             event;                 /* value is an event, not a log */
};

static struct read *read_new(struct queue *q, queue_read_done *done, void *arg)
{
    struct read *r = mem_alloc(sizeof *r);
    *r = (struct read){ .q = q, .done = done, .arg = arg };
    return r;
}

static void read_end(struct read *r, enum mh_err err)
{
    r->done(r->arg, err, err == MH_OK ? r->value : NULL);
    json_decref(r->value);
    json_decref(r->keys);
    free(r);
}

static enum mh_err read_error(enum mh_err err)
{
    return err == MH_OK ? MH_INTERNAL : err == MH_IO ? MH_UNAVAILABLE : err;
}

const char *queue_target_kind(const char *target_id)
{
    return strncmp(target_id, "wh_", 3) == 0 ? "webhook" : "plugin";
}

/* What the key tells of a delivery, which is all there is before an attempt ended; then
 * what is stored (borrowed, may be NULL), and what memory knows better. */
static json_t *whole_record(struct queue *q, const char *key, json_t *stored)
{
    struct delivery_parts parts;
    struct delivery      *d = map_get(&q->owned, key);
    struct event          e = { 0 };

    if (delivery_split(key, &parts) != MH_OK)
        return NULL;
    memcpy(e.id, parts.event_id, sizeof e.id);
    memcpy(e.org, parts.org, sizeof e.org);
    if (d != NULL)
        memcpy(e.type, d->event->type, sizeof e.type);
    json_t *record = delivery_record_pending(&e, parts.target_id,
                                             queue_target_kind(parts.target_id));
    if (stored != NULL)
        json_object_update(record, stored);
    json_object_del(record, "again");       /* the queue's own mark */
    if (d != NULL && d->started_us > 0)
        json_put(record, "status", json_string("delivering"));
    return record;
}

/* The type that a record without attempts cannot know; of a story, not of a log. */
static void add_type(const struct read *r, json_t *record)
{
    json_t *type = json_object_get(r->value, "event");

    if (type != NULL)
        json_put(record, "event", json_incref(type));
}

static void on_records(void *arg, enum mh_err err, const redisReply *reply)
{
    struct read *r = arg;

    if (err != MH_OK || reply->type != REDIS_REPLY_ARRAY ||
        reply->elements != json_array_size(r->keys)) {
        read_end(r, read_error(err));
        return;
    }
    json_t *records = json_object_get(r->value, r->member);
    for (size_t i = 0; i < reply->elements; i++) {
        json_t *stored = parse_record(reply->element[i]);
        /* A log's entries had a record: without one they are past retention. */
        json_t *record = stored || r->event
            ? whole_record(r->q, json_string_value(json_array_get(r->keys, i)), stored) : NULL;
        json_decref(stored);
        if (record == NULL)
            continue;
        add_type(r, record);
        json_array_append_new(records, record);
    }
    read_end(r, MH_OK);
}

static void read_records(struct read *r)
{
    struct command c;

    if (json_array_size(r->keys) == 0) {
        read_end(r, MH_OK);
        return;
    }
    command_init(&c);
    command_text(&c, "MGET");
    for (size_t i = 0; i < json_array_size(r->keys); i++)
        queue_key2(r->q, &c, "delivery", json_string_value(json_array_get(r->keys, i)));
    struct redis_args args = command_args(&c);
    redis_send(r->q->spec.redis, &args, on_records, r);
    command_deinit(&c);
}

/* Whose hook emitted it, for the event's story (Q7). */
static void show_cause(json_t *event, const json_t *head)
{
    static const char *const members[] = { "caused_by", "hops" };

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (json_object_get(head, members[i]) != NULL)
            json_put(event, members[i], json_incref(json_object_get(head, members[i])));
}

static enum mh_err take_event(struct read *r, const redisReply *reply)
{
    struct stored_event found = { 0 };
    struct json_fault   fault;
    char                key[DELIVERY_KEY_BYTES];

    enum mh_err err = queue_split_event(reply, &found);
    if (err == MH_OK)
        err = json_parse_stored(found.envelope, found.envelope_bytes, &r->value, &fault);
    if (err != MH_OK) {
        json_decref(found.head);
        return err;
    }
    r->keys = json_array();
    json_t *targets = json_object_get(found.head, "targets");
    for (size_t i = 0; i < json_array_size(targets); i++) {
        delivery_key(json_text_of(r->value, "org_id", ""), json_text_of(r->value, "id", ""),
                     json_string_value(json_array_get(targets, i)), key);
        json_array_append_new(r->keys, json_string(key));
    }
    show_cause(r->value, found.head);
    json_decref(found.head);
    return MH_OK;
}

static void on_event_read(void *arg, enum mh_err err, const redisReply *reply)
{
    struct read *r = arg;

    if (err == MH_OK)
        err = take_event(r, reply);
    else
        err = read_error(err);
    if (err != MH_OK) {
        read_end(r, err);
        return;
    }
    json_put(r->value, "deliveries", json_array());
    r->member = "deliveries";
    r->event = true;
    read_records(r);
}

static void get_event(struct queue *q, const char *org, const char *event_id, redis_done *done,
                      void *arg)
{
    struct command c;

    command_init(&c);
    command_text(&c, "GET");
    command_format(&c, "%s:event:%s/%s", q->keys, org, event_id);
    struct redis_args args = command_args(&c);
    redis_send(q->spec.redis, &args, done, arg);
    command_deinit(&c);
}

void queue_read_event(struct queue *q, const char *org, const char *event_id,
                      queue_read_done *done, void *arg)
{
    get_event(q, org, event_id, on_event_read, read_new(q, done, arg));
}

/* ---- One delivery: its event's record of one target ----------------------------------- */

struct find { queue_read_done *done; void *arg; char id[DELIVERY_KEY_BYTES]; };

static void on_delivery_event(void *arg, enum mh_err err, json_t *event)
{
    struct find *f = arg;
    json_t      *records = json_object_get(event, "deliveries"), *record = NULL;

    for (size_t i = 0; i < json_array_size(records) && record == NULL; i++)
        if (strcmp(json_text_of(json_array_get(records, i), "id", ""), f->id) == 0)
            record = json_array_get(records, i);
    f->done(f->arg, err == MH_OK && record == NULL ? MH_NOT_FOUND : err, record);
    free(f);
}

void queue_read_delivery(struct queue *q, const char *key, queue_read_done *done, void *arg)
{
    struct delivery_parts parts;
    struct find          *f = mem_alloc(sizeof *f);

    *f = (struct find){ .done = done, .arg = arg };
    if (delivery_split(key, &parts) == MH_OK)
        memcpy(f->id, strchr(key, '/') + 1, strlen(strchr(key, '/') + 1) + 1);
    else
        parts = (struct delivery_parts){ .org = "-", .event_id = "-" };     /* found nowhere */
    queue_read_event(q, parts.org, parts.event_id, on_delivery_event, f);
}

/* ---- The log of a target ------------------------------------------------------------------ */

static void on_log(void *arg, enum mh_err err, const redisReply *reply)
{
    struct read *r = arg;
    size_t       limit = (size_t)json_int_of(r->value, "next", 0);

    if (err != MH_OK || reply->type != REDIS_REPLY_ARRAY) {
        read_end(r, read_error(err));
        return;
    }
    json_put(r->value, "next", json_null());
    for (size_t i = 0; i < reply->elements; i++)
        json_array_append_new(r->keys, json_string(reply->element[i]->str));
    if (reply->elements == limit && limit > 0)
        json_put(r->value, "next", json_string(reply->element[limit - 1]->str));
    read_records(r);
}

void queue_read_log(struct queue *q, const char *org, const char *target_id, const char *after,
                    size_t limit, queue_read_done *done, void *arg)
{
    struct command c;
    struct read   *r = read_new(q, done, arg);

    r->value = json_pack("{s:[], s:I}", "items", "next", (json_int_t)limit);
    r->keys = json_array();
    r->member = "items";
    command_init(&c);
    command_text(&c, "1");
    queue_key_log(q, &c, org, EVENT_ORG_BYTES, target_id);
    command_format(&c, "%zu", limit);
    command_text(&c, after ? after : "");
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_LOG], &args, on_log, r);
    command_deinit(&c);
}

/* ---- An operator's retry --------------------------------------------------------------------- */

struct again { struct queue *q; queue_accepted *done; void *arg; };

static void on_again(void *arg, enum mh_err err, const redisReply *reply)
{
    struct again *a = arg;

    if (err == MH_OK && reply->integer != 1)
        err = reply->integer == 0 ? MH_NOT_FOUND : MH_CONFLICT;
    if (err == MH_OK) {
        a->q->due++;
        queue_claim_more(a->q);
    }
    a->done(a->arg, err);
    free(a);
}

void queue_retry(struct queue *q, const char *key, queue_accepted *done, void *arg)
{
    struct command c;
    struct again  *a = mem_alloc(sizeof *a);

    *a = (struct again){ q, done, arg };
    command_init(&c);
    command_text(&c, "5");
    queue_key(q, &c, "due");
    queue_key(q, &c, "dead");
    queue_key(q, &c, "engines");
    queue_key_event_of(q, &c, key);
    queue_key2(q, &c, "delivery", key);
    command_text(&c, key);
    queue_key2(q, &c, "own", "");
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_RETRY], &args, on_again, a);
    command_deinit(&c);
}
