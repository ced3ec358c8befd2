/* events_batch.c - POST /api/events/batch: up to MAX_BATCH events, an outcome for each.
 *
 * The outcomes are texts in the order of the events; the answer is made of them when the
 * last one has come. */
#include "api/events.h"
#include "api/routes.h"

#include "base/util.h"
#include "io/json_scan.h"
#include "io/json_write.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BATCH = 1000 };

struct batch { struct api_call *call; char **outcomes; size_t count, missing; };
struct batch_item { struct batch *batch; size_t index; struct event *event; };

static void batch_answer(struct batch *b)
{
    struct json_writer w;

    json_writer_init(&w, SIZE_MAX);
    json_write_open(&w, NULL, '{');
    json_write_open(&w, "items", '[');
    for (size_t i = 0; i < b->count; i++)
        json_write_more(&w, b->outcomes[i] ? b->outcomes[i] : "null");
    json_write_close(&w, ']');
    json_write_close(&w, '}');
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
    json_write_open(&w, NULL, '{');
    json_write_open(&w, "error", '{');
    json_write_string(&w, "code", err_code(err));
    json_write_int(&w, "status", err_http_status(err));
    json_write_string(&w, "pointer", fault ? fault->pointer : "");
    json_write_string(&w, "detail", fault ? fault->text : err_text(err));
    json_write_close(&w, '}');
    json_write_close(&w, '}');
    return json_writer_take(&w);
}

static char *item_done(const struct event *e, enum mh_err err, size_t deliveries)
{
    struct json_writer w;

    json_writer_init(&w, 256);
    json_write_open(&w, NULL, '{');
    json_write_string(&w, "id", e->id);
    if (err == MH_OK)
        json_write_int(&w, "deliveries", (int64_t)deliveries);
    else
        json_write_bool(&w, "duplicate", true);
    json_write_close(&w, '}');
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
    enum mh_err       err = events_make(b->call, EVENT_PLAIN, text, &e, &fault);

    if (err != MH_OK) {
        b->outcomes[index] = item_problem(err, &fault);
        batch_end_one(b);
        return;
    }
    struct batch_item *item = mem_alloc(sizeof *item);
    *item = (struct batch_item){ b, index, e };
    dispatch_accept(b->call->api->dispatch, e, on_item_accepted, item);
}

/* ---- Its items --------------------------------------------------------------------------- */

struct items { struct json_span at[MAX_BATCH]; size_t count; };

static void add_item(struct items *items, struct json_span item)
{
    if (items->count < MAX_BATCH)
        items->at[items->count] = item;
    items->count++;
}

/* NDJSON: the lines that are not blank, each judged when it is accepted. */
static void find_lines(struct json_span all, struct items *items)
{
    for (size_t at = 0; at < all.bytes;) {
        const char *begin = all.text + at, *stop = memchr(begin, '\n', all.bytes - at);
        size_t      bytes = stop ? (size_t)(stop - begin) : all.bytes - at;
        at += bytes + 1;
        if (bytes > 0 && begin[bytes - 1] == '\r')
            bytes--;
        if (bytes > 0)
            add_item(items, (struct json_span){ begin, bytes });
    }
}

/* An array is judged as a whole. */
static enum mh_err find_in_array(struct api_call *c, struct json_span all, struct items *items,
                                 struct json_fault *fault)
{
    struct json_span item;
    size_t           at = 0;

    if (json_scan_items(all, items->at, MAX_BATCH, &items->count))
        return MH_OK;
    items->count = 0;
    enum mh_err err = json_parse(all.text, all.bytes, &c->body, fault);
    if (err != MH_OK)
        return err;
    if (!json_is_array(c->body))
        return json_fault(fault, "", "must be an array, or NDJSON sent as application/x-ndjson");
    while (json_item_span(all.text, all.bytes, &at, &item) == MH_OK)
        add_item(items, item);
    return MH_OK;
}

static bool is_ndjson(const struct api_call *c)
{
    const char *type = http_request_header(c->http, "Content-Type");
    return type != NULL && strstr(type, "ndjson") != NULL;
}

static enum mh_err find_items(struct api_call *c, struct items *items, struct json_fault *fault)
{
    enum mh_err err = MH_OK;

    items->count = 0;
    if (is_ndjson(c))
        find_lines(events_body(c), items);
    else
        err = find_in_array(c, events_body(c), items, fault);
    if (err == MH_OK && (items->count == 0 || items->count > MAX_BATCH))
        err = json_fault(fault, "", "must be 1 to %d events", MAX_BATCH);
    return err;
}

void events_batch(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    struct items      items;

    if (events_refuse_full(c))
        return;
    enum mh_err err = find_items(c, &items, &fault);
    if (err != MH_OK) {
        api_fault(c, err, &fault);
        return;
    }
    struct batch *b = mem_alloc(sizeof *b);
    *b = (struct batch){ c, mem_alloc(items.count * sizeof(char *)), items.count,
                         items.count + 1 };     /* one more: held until all are begun */
    for (size_t i = 0; i < items.count; i++)
        accept_item(b, i, items.at[i]);
    batch_end_one(b);
}
