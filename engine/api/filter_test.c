/* filter_test.c - would these events go to an endpoint, and why not: a dry run of its patterns
 * and its filter, or of those in the body, against stored events, named or the newest, or one in
 * the body.
 *
 * The events are read one after the other, so that a hundred large ones are not in memory at
 * once. Whether the endpoint is active plays no part. */
#include "api/routes.h"

#include "base/clock.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENTS = 100 };

const struct json_field filter_test_fields[] = {
    { "events",    JSON_IS_ARRAY,  false },         /* patterns, instead of the endpoint's */
    { "filter",    JSON_IS_ARRAY,  false },         /* likewise */
    { "event_ids", JSON_IS_ARRAY,  false },         /* stored events of its org */
    { "newest",    JSON_IS_INTEGER, false },        /* so many of them, newest first */
    { "event",     JSON_IS_STRING, false },         /* or the type and data of one */
    { "data",      JSON_IS_OBJECT, false },
};
const size_t filter_test_field_count = ARRAY_LEN(filter_test_fields);

struct dry_run {
    struct api_call *call;
    char             org[EVENT_ORG_BYTES];
    json_t          *settings;              /* of the endpoint, as they would be */
    json_t          *ids;                   /* of stored events: those given, then the newest */
    size_t           next, newest;          /* of ids; how many are still to be found */
    json_t          *items;
};

static void dry_run_free(struct dry_run *d)
{
    json_decref(d->settings);
    json_decref(d->ids);
    json_decref(d->items);
    free(d);
}

static void dry_run_end(struct dry_run *d, enum mh_err err)
{
    if (err == MH_OK)
        api_answer(d->call, 200, json_pack("{s:O}", "items", d->items));
    else
        api_problem(d->call, err, NULL);
    dry_run_free(d);
}

static void judge(struct dry_run *d, struct event *e)
{
    char why[FILTER_WHY_BYTES];
    bool matches = endpoint_wants(d->settings, e, why);

    json_array_append_new(d->items, json_pack("{s:s, s:s, s:b, s:s?}", "id", e->id, "event", e->type,
                                              "matches", (int)matches, "why", matches ? NULL : why));
}

static void read_next(struct dry_run *d);

static const char *id_at(const struct dry_run *d, size_t i)
{
    return json_string_value(json_array_get(d->ids, i));
}

/* `story`: the event with its deliveries, which are no part of what was sent. */
static enum mh_err judge_story(struct dry_run *d, const json_t *story)
{
    json_t       *envelope = json_copy((json_t *)story);
    struct event *e = NULL;
    size_t        bytes = 0;

    json_object_del(envelope, "deliveries");
    char       *text = json_text(envelope, &bytes);
    enum mh_err err = text ? event_from_envelope(text, bytes, &e) : MH_NOMEM;
    if (err == MH_OK)
        judge(d, e);
    event_unref(e);
    free(text);
    json_decref(envelope);
    return err;
}

static void on_read(void *arg, enum mh_err err, json_t *story)
{
    struct dry_run *d = arg;

    if (err == MH_OK)
        err = judge_story(d, story);
    else if (err == MH_NOT_FOUND)
        json_array_append_new(d->items, json_pack("{s:s, s:n, s:b, s:s}", "id", id_at(d, d->next),
                                                  "event", "matches", 0, "why",
                                                  "no event of this id is stored for its org"));
    d->next++;
    if (err == MH_OK || err == MH_NOT_FOUND)
        read_next(d);
    else
        dry_run_end(d, err);
}

static void read_next(struct dry_run *d)
{
    if (id_at(d, d->next) == NULL)
        dry_run_end(d, MH_OK);
    else
        queue_read_event(queues_of(d->call->api->queues, d->org), d->org, id_at(d, d->next), on_read,
                         d);
}

/* ---- The newest, from the index --------------------------------------------------------- */

static void find_newest(struct dry_run *d, const char *cursor);

static void on_found(void *arg, enum mh_err err, json_t *page)
{
    struct dry_run *d = arg;
    json_t         *items = json_object_get(page, "items");
    const char     *next = json_text_of(page, "next", NULL);

    if (err != MH_OK) {
        dry_run_end(d, err);
        return;
    }
    for (size_t i = 0; i < json_array_size(items) && d->newest > 0; i++, d->newest--)
        json_array_append(d->ids, json_object_get(json_array_get(items, i), "id"));
    if (d->newest > 0 && next != NULL)      /* a page is bounded in bytes as well */
        find_newest(d, next);
    else
        read_next(d);
}

static void find_newest(struct dry_run *d, const char *cursor)
{
    struct queue_events_query query = { .org = d->org, .until_ms = CLOCK_END_MS, .after = cursor,
                                        .limit = d->newest };

    queue_read_events(queues_of(d->call->api->queues, d->org), &query, on_found, d);
}

/* ---- What is asked for ------------------------------------------------------------------ */

/* The event whose type and data are in the body. */
static enum mh_err judge_given(struct dry_run *d, struct json_fault *fault)
{
    const json_t *type = json_object_get(d->call->body, "event");
    const json_t *data = json_object_get(d->call->body, "data");
    struct event *e = NULL;
    size_t        bytes = 0;

    if (type == NULL && data == NULL)
        return MH_OK;
    if (type == NULL || data == NULL)
        return json_fault(fault, type ? "/data" : "/event", "must be given with the other of both");
    json_t     *body = json_pack("{s:O, s:O}", "event", type, "data", data);
    char       *text = json_text(body, &bytes);
    enum mh_err err = event_parse(EVENT_PLAIN, (struct json_span){ text, bytes }, d->org,
                                  clock_now_ms(), &e, fault);
    if (err == MH_OK)
        judge(d, e);
    event_unref(e);
    free(text);
    json_decref(body);
    return err;
}

static enum mh_err check_newest(const json_t *body, struct json_fault *fault)
{
    int64_t newest = json_int_of(body, "newest", 1);

    if (json_array_size(json_object_get(body, "event_ids")) == 0 &&
        json_object_get(body, "newest") == NULL && json_object_get(body, "event") == NULL)
        return json_fault(fault, "/event_ids", "must name stored events, where neither \"newest\" nor an "
                          "event is in the body");
    if (newest < 1 || newest > MAX_EVENTS)
        return json_fault(fault, "/newest", "must be 1 to %d", MAX_EVENTS);
    return MH_OK;
}

static enum mh_err check_ids(const json_t *body, struct json_fault *fault)
{
    const json_t *ids = json_object_get(body, "event_ids");
    char          pointer[32];

    if (json_array_size(ids) > MAX_EVENTS)
        return json_fault(fault, "/event_ids", "must be at most %d", MAX_EVENTS);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        snprintf(pointer, sizeof pointer, "/event_ids/%zu", i);
        if (id == NULL || !id_valid(id))
            return json_fault(fault, pointer, "is no event id");
    }
    return MH_OK;
}

/* The endpoint's settings with what the body has instead. */
static enum mh_err merge(struct dry_run *d, const struct endpoint *e, struct json_fault *fault)
{
    static const char *const names[] = { "events", "filter" };
    json_t *given = json_object();

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_object_get(d->call->body, names[i]) != NULL)
            json_put(given, names[i], json_incref(json_object_get(d->call->body, names[i])));
    enum mh_err err = endpoint_check(given, e->json, &endpoints_spec(d->call->api->endpoints)->most,
                                     &d->settings, fault);
    json_decref(given);
    return err;
}

void webhooks_filter_test(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    struct endpoint  *e = webhooks_endpoint(c);

    if (e == NULL)
        return;
    struct dry_run *d = mem_alloc(sizeof *d);
    *d = (struct dry_run){ .call = c, .items = json_array(), .ids = json_array() };
    d->newest = (size_t)json_int_of(c->body, "newest", 0);
    json_array_extend(d->ids, json_object_get(c->body, "event_ids"));
    memcpy(d->org, e->target.org, sizeof d->org);
    enum mh_err err = check_newest(c->body, &fault);
    if (err == MH_OK)
        err = check_ids(c->body, &fault);
    if (err == MH_OK)
        err = merge(d, e, &fault);
    if (err == MH_OK)
        err = judge_given(d, &fault);
    if (err == MH_OK && d->newest > 0) {
        find_newest(d, NULL);
        return;
    }
    if (err == MH_OK) {
        read_next(d);
        return;
    }
    api_fault(c, err, &fault);
    dry_run_free(d);
}
