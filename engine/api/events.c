/* events.c - POST /api/events, its batch form, and the story of an event. */
#include "api/routes.h"

#include "base/clock.h"
#include "base/util.h"
#include "io/json_scan.h"
#include "io/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WAIT_MS = 30000, MAX_BATCH = 1000 };

/* ---- One event --------------------------------------------------------------------------- */

static enum event_form form_of(const struct api_call *c)
{
    const char *type = http_request_header(c->http, "Content-Type");
    return type != NULL && strncasecmp(type, "application/cloudevents+json", 28) == 0
        ? EVENT_CLOUDEVENT : EVENT_PLAIN;
}

static enum mh_err make_event(const struct api_call *c, enum event_form form,
                              struct json_span text, struct event **out, struct json_fault *fault)
{
    enum mh_err err = event_parse(form, text, c->org, clock_now_ms(), out, fault);

    if (err == MH_OK && !c->key->admin && strcmp((*out)->org, c->key->org) != 0) {
        event_unref(*out);
        (void)json_fault(fault, "/org_id", "the API key belongs to another org");
        return MH_FORBIDDEN;
    }
    return err;
}

static struct json_span body_of(const struct api_call *c)
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

    if (refuse_full(c))
        return;
    enum mh_err err = make_event(c, form_of(c), body_of(c), &e, &fault);
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

struct batch { struct api_call *call; char **outcomes; size_t count, missing; };
struct batch_item { struct batch *batch; size_t index; struct event *event; };

static void batch_answer(struct batch *b)
{
    struct json_writer w;

    json_writer_init(&w, SIZE_MAX);
    json_open(&w, NULL, '{');
    json_open(&w, "items", '[');
    for (size_t i = 0; i < b->count; i++)
        json_write_more(&w, b->outcomes[i] ? b->outcomes[i] : "null");
    json_close(&w, ']');
    json_close(&w, '}');
    size_t bytes = w.text.len;
    char  *text = json_writer_take(&w);
    if (text != NULL)
        api_answer_text(b->call, 200, "application/json", text, bytes);
    else
        api_problem(b->call, MH_NOMEM, NULL);
}

static void batch_end_one(struct batch *b)
{
    if (--b->missing > 0)
        return;
    batch_answer(b);
    for (size_t i = 0; i < b->count; i++)
        free(b->outcomes[i]);
    free(b->outcomes);
    free(b);
}

static char *item_problem(enum mh_err err, const struct json_fault *fault)
{
    struct json_writer w;

    json_writer_init(&w, 4096);
    json_open(&w, NULL, '{');
    json_open(&w, "error", '{');
    json_write_string(&w, "code", err_code(err));
    json_write_int(&w, "status", err_http_status(err));
    json_write_string(&w, "pointer", fault ? fault->pointer : "");
    json_write_string(&w, "detail", fault ? fault->text : err_text(err));
    json_close(&w, '}');
    json_close(&w, '}');
    return json_writer_take(&w);
}

static char *item_done(const struct event *e, enum mh_err err, size_t deliveries)
{
    struct json_writer w;

    json_writer_init(&w, 256);
    json_open(&w, NULL, '{');
    json_write_string(&w, "id", e->id);
    if (err == MH_OK)
        json_write_int(&w, "deliveries", (int64_t)deliveries);
    else
        json_write_bool(&w, "duplicate", true);
    json_close(&w, '}');
    return json_writer_take(&w);
}

static void on_item_accepted(void *arg, enum mh_err err, size_t deliveries)
{
    struct batch_item *item = arg;
    bool               known = err == MH_OK || err == MH_CONFLICT;

    item->batch->outcomes[item->index] = known ? item_done(item->event, err, deliveries)
                                               : item_problem(err, NULL);
    event_unref(item->event);
    batch_end_one(item->batch);
    free(item);
}

static void accept_item(struct batch *b, size_t index, struct json_span text)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    struct event     *e = NULL;
    enum mh_err       err = make_event(b->call, EVENT_PLAIN, text, &e, &fault);

    if (err != MH_OK) {
        b->outcomes[index] = item_problem(err, &fault);
        batch_end_one(b);
        return;
    }
    struct batch_item *item = mem_alloc(sizeof *item);
    *item = (struct batch_item){ b, index, e };
    dispatch_accept(b->call->api->dispatch, e, on_item_accepted, item);
}

/* The next line that is not blank. */
static enum mh_err next_line(struct json_span all, size_t *at, struct json_span *out)
{
    while (*at < all.bytes) {
        const char *begin = all.text + *at, *stop = memchr(begin, '\n', all.bytes - *at);
        size_t      bytes = stop ? (size_t)(stop - begin) : all.bytes - *at;
        *at += bytes + 1;
        if (bytes > 0 && begin[bytes - 1] == '\r')
            bytes--;
        if (bytes > 0) {
            *out = (struct json_span){ begin, bytes };
            return MH_OK;
        }
    }
    return MH_NOT_FOUND;
}

static bool is_ndjson(const struct api_call *c)
{
    const char *type = http_request_header(c->http, "Content-Type");
    return type != NULL && strstr(type, "ndjson") != NULL;
}

static enum mh_err next_item(const struct api_call *c, size_t *at, struct json_span *out)
{
    struct json_span all = body_of(c);
    return is_ndjson(c) ? next_line(all, at, out) : json_item_span(all.text, all.bytes, at, out);
}

static enum mh_err check_array(struct api_call *c, struct json_span all, struct json_fault *fault)
{
    enum json_kind kind;

    if (json_scan(all, &kind) && kind == JSON_IS_ARRAY)
        return MH_OK;
    enum mh_err err = json_parse(all.text, all.bytes, &c->body, fault);
    if (err == MH_OK && !json_is_array(c->body))
        err = json_fault(fault, "", "must be an array, or NDJSON sent as application/x-ndjson");
    return err;
}

/* An array is checked as a whole; NDJSON line by line, when each is accepted. */
static enum mh_err check_batch(struct api_call *c, size_t *count, struct json_fault *fault)
{
    struct json_span item;
    size_t           at = 0;
    enum mh_err      err = is_ndjson(c) ? MH_OK : check_array(c, body_of(c), fault);

    for (*count = 0; err == MH_OK && next_item(c, &at, &item) == MH_OK;)
        ++*count;
    if (err == MH_OK && (*count == 0 || *count > MAX_BATCH))
        err = json_fault(fault, "", "must be 1 to %d events", MAX_BATCH);
    return err;
}

void events_batch(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    struct json_span  item;
    size_t            count, at = 0;

    if (refuse_full(c))
        return;
    enum mh_err err = check_batch(c, &count, &fault);
    if (err != MH_OK) {
        api_fault(c, err, &fault);
        return;
    }
    struct batch *b = mem_alloc(sizeof *b);
    *b = (struct batch){ c, mem_alloc(count * sizeof(char *)), count,
                         count + 1 };       /* one more: held until all are begun */
    for (size_t i = 0; i < count && next_item(c, &at, &item) == MH_OK; i++)
        accept_item(b, i, item);
    batch_end_one(b);
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
    static const int64_t      END_OF_TIME_MS = 253402300799999;     /* of the year 9999 */
    struct queue_events_query query = { .org = c->org };

    if (api_query_time(c, "since", 0, &query.since_ms) != MH_OK ||
        api_query_time(c, "until", END_OF_TIME_MS, &query.until_ms) != MH_OK)
        return;
    query.type = http_request_query(c->http, "event");
    query.after = http_request_query(c->http, "cursor");
    query.limit = (size_t)api_query_int(c, "limit", 50, 1, 200);
    queue_read_events(c->api->queue, &query, on_events_read, c);
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
    char             detail[200];

    snprintf(detail, sizeof detail, "no event '%.72s' is stored for org '%s'", c->id, c->org);
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
        queue_read_event(c->api->queue, c->org, c->id, on_event_read, c);
    else
        on_event_read(c, MH_NOT_FOUND, NULL);
}
