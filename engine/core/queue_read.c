/* queue_read.c - what Redis keeps, as REST shows it. */
#include "core/queue_internal.h"


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

json_t *queue_parse_record(const redisReply *reply)
{
    struct json_fault fault;
    json_t           *record = NULL;

    if (reply->type != REDIS_REPLY_STRING ||
        json_parse_stored(reply->str, reply->len, &record, &fault) != MH_OK)
        return NULL;
    return record;
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

json_t *queue_record(struct queue *q, const char *key, const redisReply *text)
{
    json_t *stored = queue_parse_record(text);
    json_t *record = whole_record(q, key, stored);

    json_decref(stored);
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
        json_t *stored = queue_parse_record(reply->element[i]);
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
