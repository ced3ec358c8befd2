/* events.c - POST /api/events, the list of events, and the story of one. */
#include "api/events.h"
#include "api/routes.h"

#include "base/clock.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WAIT_MS = 30000 };

/* ---- One event --------------------------------------------------------------------------- */

static enum event_form form_of(const struct api_call *c)
{
    const char *type = http_request_header(c->http, "Content-Type");
    return type != NULL && strncasecmp(type, "application/cloudevents+json", 28) == 0
        ? EVENT_CLOUDEVENT : EVENT_PLAIN;
}

enum mh_err events_make(const struct api_call *c, enum event_form form, struct json_span text,
                        struct event **out, struct json_fault *fault)
{
    enum mh_err err = event_parse(form, text, c->org, clock_now_ms(), out, fault);

    if (err == MH_OK && !c->key->admin && strcmp((*out)->org, c->key->org) != 0) {
        event_unref(*out);
        (void)json_fault(fault, "/org_id", "the API key belongs to another org");
        return MH_FORBIDDEN;
    }
    return err;
}

struct json_span events_body(const struct api_call *c)
{
    struct json_span span;

    span.text = http_request_body(c->http, &span.bytes);
    return span;
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
        queue_read_event(queues_of(c->api->queues, e->org), e->org, e->id, on_duplicate, c);
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

bool events_refuse_full(struct api_call *c)
{
    if (!queues_are_full(c->api->queues))
        return false;
    api_problem(c, MH_BUSY, "too many deliveries are waiting; send this event again later");
    return true;
}

void events_post(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    struct event     *e = NULL;

    if (events_refuse_full(c))
        return;
    enum mh_err err = events_make(c, form_of(c), events_body(c), &e, &fault);
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

/* ---- All of them ------------------------------------------------------------------------------ */

static void on_events_read(void *arg, enum mh_err err, json_t *list)
{
    struct api_call *c = arg;

    if (err == MH_OK)
        api_answer(c, 200, json_incref(list));
    else
        api_problem(c, err, err == MH_INVALID ? "cursor: is not the `next` of a page" : NULL);
}

void events_list(struct api_call *c)
{
    struct queue_events_query query = { .org = c->org };

    if (api_query_time(c, "since", 0, &query.since_ms) != MH_OK ||
        api_query_time(c, "until", CLOCK_END_MS, &query.until_ms) != MH_OK)
        return;
    query.type = http_request_query(c->http, "event");
    query.after = http_request_query(c->http, "cursor");
    query.limit = (size_t)api_query_int(c, "limit", 50, 1, 200);
    queue_read_events(queues_of(c->api->queues, query.org), &query, on_events_read, c);
}

/* ---- Its story -------------------------------------------------------------------------------- */

/* Who did not get it, and why, as far as today's configuration tells. */
static void add_not_delivered(const struct api_call *c, json_t *story)
{
    json_t       *plain = json_copy(story);
    size_t        bytes = 0;
    struct event *e = NULL;

    json_object_del(plain, "deliveries");
    char *text = json_text(plain, &bytes);
    if (text != NULL && event_from_envelope(text, bytes, &e) == MH_OK)
        json_put(story, "not_delivered",
                 dispatch_explain(c->api->dispatch, e, json_object_get(story, "deliveries")));
    event_unref(e);
    free(text);
    json_decref(plain);
}

static void on_event_read(void *arg, enum mh_err err, json_t *event)
{
    struct api_call *c = arg;
    char             detail[240];

    snprintf(detail, sizeof detail, "no event '%.72s' is stored for org '%s'%s", c->id, c->org,
             c->key->admin ? "; org_id names another" : "");
    if (err == MH_OK) {
        add_not_delivered(c, event);
        api_answer(c, 200, json_incref(event));
    } else {
        api_problem(c, err, err == MH_NOT_FOUND ? detail : NULL);
    }
}

void events_get(struct api_call *c)
{
    if (id_valid(c->id))
        queue_read_event(queues_of(c->api->queues, c->org), c->org, c->id, on_event_read, c);
    else
        on_event_read(c, MH_NOT_FOUND, NULL);
}
