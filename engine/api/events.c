/* events.c - POST /api/events, its batch form, and the story of an event. */
#include "api/routes.h"

#include "base/clock.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WAIT_MS = 30000, MAX_BATCH = 1000 };

/* ---- One event --------------------------------------------------------------------------- */

static bool is_cloudevent(const struct api_call *c)
{
    const char *type = http_request_header(c->http, "Content-Type");
    return type != NULL && strncasecmp(type, "application/cloudevents+json", 28) == 0;
}

static enum mh_err make_event(const struct api_call *c, const json_t *body, bool cloudevent,
                              struct event **out, struct json_fault *fault)
{
    enum mh_err err = (cloudevent ? event_from_cloudevent : event_from_json)(
        body, c->org, clock_now_ms(), out, fault);

    if (err == MH_OK && !c->key->admin && strcmp((*out)->org, c->key->org) != 0) {
        event_unref(*out);
        json_fault(fault, "/org_id", "the API key belongs to another org");
        return MH_FORBIDDEN;
    }
    return err;
}

static void on_duplicate(void *arg, enum mh_err err, json_t *event)
{
    struct api_call *c = arg;
    json_t          *answer = json_pack("{s:s, s:i, s:b}", "id", c->data, "deliveries",
                                        (int)json_array_size(json_object_get(event, "deliveries")),
                                        "duplicate", 1);
    (void)err;                              /* it is stored: that much is known */
    free(c->data);
    api_answer(c, 202, answer);
}

static void answer_accepted(struct api_call *c, const struct event *e, enum mh_err err,
                            size_t deliveries)
{
    char text[160];

    if (err == MH_CONFLICT) {
        c->data = mem_strdup(e->id);
        queue_read_event(c->api->queue, e->org, e->id, on_duplicate, c);
        return;
    }
    if (err != MH_OK) {
        api_problem(c, err, NULL);
        return;
    }
    int n = snprintf(text, sizeof text, "{\"id\":\"%s\",\"deliveries\":%zu}", e->id, deliveries);
    api_answer_text(c, 202, "application/json", mem_strdup(text), (size_t)n);
}

static void on_accepted(void *arg, enum mh_err err, size_t deliveries)
{
    struct api_call *c = arg;
    struct event    *e = c->data;

    answer_accepted(c, e, err, deliveries);
    event_unref(e);
}

static void on_results(void *arg, enum mh_err err, size_t deliveries, json_t *results)
{
    struct api_call *c = arg;
    struct event    *e = c->data;

    if (err != MH_OK)
        answer_accepted(c, e, err, deliveries);
    else
        api_answer(c, 200, json_pack("{s:s, s:i, s:O}", "id", e->id, "deliveries", (int)deliveries,
                                     "results", results));
    event_unref(e);
}

static bool refuse_full(struct api_call *c)
{
    if (!queue_is_full(c->api->queue))
        return false;
    api_problem(c, MH_BUSY, "too many deliveries are waiting; send this event again later");
    return true;
}

void events_post(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    struct event     *e = NULL;
    size_t            bytes;
    const char       *text = http_request_body(c->http, &bytes);

    if (refuse_full(c))
        return;
    enum mh_err err = json_parse(text, bytes, &c->body, &fault);
    if (err == MH_OK)
        err = make_event(c, c->body, is_cloudevent(c), &e, &fault);
    if (err != MH_OK) {
        api_fault(c, err, &fault);
        return;
    }
    int64_t wait_ms = api_query_int(c, "wait", 0, 0, MAX_WAIT_MS);
    c->data = e;
    if (wait_ms > 0)
        dispatch_accept_wait(c->api->dispatch, c->api->loop, e, wait_ms, on_results, c);
    else
        dispatch_accept(c->api->dispatch, e, on_accepted, c);
}

/* ---- A batch ------------------------------------------------------------------------------ */

struct batch { struct api_call *call; json_t *outcomes; size_t missing; };
struct batch_item { struct batch *batch; size_t index; struct event *event; };

static void batch_end_one(struct batch *b)
{
    if (--b->missing > 0)
        return;
    api_answer(b->call, 200, json_pack("{s:o}", "items", b->outcomes));
    free(b);
}

static json_t *item_problem(enum mh_err err, const struct json_fault *fault)
{
    return json_pack("{s:{s:s, s:i, s:s, s:s}}", "error", "code", err_code(err), "status",
                     err_http_status(err), "pointer", fault ? fault->pointer : "", "detail",
                     fault ? fault->text : err_text(err));
}

static void on_item_accepted(void *arg, enum mh_err err, size_t deliveries)
{
    struct batch_item *item = arg;
    json_t            *outcome;

    if (err == MH_OK)
        outcome = json_pack("{s:s, s:i}", "id", item->event->id, "deliveries", (int)deliveries);
    else if (err == MH_CONFLICT)
        outcome = json_pack("{s:s, s:b}", "id", item->event->id, "duplicate", 1);
    else
        outcome = item_problem(err, NULL);
    json_array_set_new(item->batch->outcomes, item->index, outcome);
    event_unref(item->event);
    batch_end_one(item->batch);
    free(item);
}

static void accept_item(struct batch *b, size_t index, const json_t *body,
                        const struct json_fault *parse_fault)
{
    struct json_fault  fault = { .pointer = "", .text = "" };
    struct event      *e = NULL;
    enum mh_err        err = parse_fault ? MH_INVALID : make_event(b->call, body, false, &e, &fault);

    if (err != MH_OK) {
        json_array_set_new(b->outcomes, index, item_problem(err, parse_fault ? parse_fault : &fault));
        batch_end_one(b);
        return;
    }
    struct batch_item *item = mem_alloc(sizeof *item);
    *item = (struct batch_item){ b, index, e };
    dispatch_accept(b->call->api->dispatch, e, on_item_accepted, item);
}

/* NDJSON to an array whose broken lines are strings that say what is wrong. */
static json_t *parse_lines(const char *text, size_t bytes)
{
    json_t     *items = json_array();
    const char *end = text + bytes;

    while (text < end && json_array_size(items) <= MAX_BATCH) {
        const char       *stop = memchr(text, '\n', (size_t)(end - text));
        size_t            length = (size_t)((stop ? stop : end) - text);
        struct json_fault fault;
        json_t           *item = NULL;
        if (length > 0 && json_parse(text, length, &item, &fault) == MH_OK)
            json_array_append_new(items, item);
        else if (length > 0 && !(length == 1 && *text == '\r'))
            json_array_append_new(items, json_string(fault.text));
        text += length + 1;
    }
    return items;
}

static enum mh_err parse_batch(struct api_call *c, struct json_fault *fault)
{
    size_t      bytes;
    const char *text = http_request_body(c->http, &bytes);
    const char *type = http_request_header(c->http, "Content-Type");

    if (type != NULL && strstr(type, "ndjson") != NULL)
        c->body = parse_lines(text, bytes);
    else if (json_parse(text, bytes, &c->body, fault) != MH_OK)
        return MH_INVALID;
    if (!json_is_array(c->body))
        return json_fault(fault, "", "must be an array of events, or NDJSON (application/x-ndjson)");
    size_t count = json_array_size(c->body);
    if (count == 0 || count > MAX_BATCH)
        return json_fault(fault, "", "must be 1 to %d events", MAX_BATCH);
    return MH_OK;
}

void events_batch(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };

    if (refuse_full(c))
        return;
    enum mh_err err = parse_batch(c, &fault);
    if (err != MH_OK) {
        api_fault(c, err, &fault);
        return;
    }
    struct batch *b = mem_alloc(sizeof *b);
    json_t       *items = json_incref(c->body);
    size_t        count = json_array_size(items);
    *b = (struct batch){ c, json_array(), count };
    for (size_t i = 0; i < count; i++)
        json_array_append_new(b->outcomes, json_null());
    for (size_t i = 0; i < count; i++) {
        json_t           *item = json_array_get(items, i);
        struct json_fault broken = { .pointer = "" };
        if (json_is_string(item))
            snprintf(broken.text, sizeof broken.text, "%s", json_string_value(item));
        accept_item(b, i, item, json_is_string(item) ? &broken : NULL);
    }
    json_decref(items);
}

/* ---- Its story -------------------------------------------------------------------------------- */

static void on_event_read(void *arg, enum mh_err err, json_t *event)
{
    struct api_call *c = arg;
    char             detail[200];

    snprintf(detail, sizeof detail, "no event '%.72s' is stored for org '%s'", c->id, c->org);
    if (err == MH_OK)
        api_answer(c, 200, json_incref(event));
    else
        api_problem(c, err, err == MH_NOT_FOUND ? detail : NULL);
}

void events_get(struct api_call *c)
{
    if (id_valid(c->id))
        queue_read_event(c->api->queue, c->org, c->id, on_event_read, c);
    else
        on_event_read(c, MH_NOT_FOUND, NULL);
}
