/* waiter.c - see waiter.h. */
#include "core/waiter.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

struct waiter {
    struct timer      timer;
    struct event     *event;                /* counted; its ->waiter is this while answers matter */
    dispatch_results *done;
    void             *arg;
    json_t           *results;
    size_t            deliveries, missing;
    bool              accepted, answered, over;
};

static void on_closed(struct timer *t)
{
    struct waiter *w = container_of(t, struct waiter, timer);

    json_decref(w->results);
    event_unref(w->event);
    free(w);
}

/* Deliveries find the waiter through the event only, so that detaching here is
 * all that late results need. */
static void answer(struct waiter *w, enum mh_err err)
{
    if (w->answered)
        return;
    w->answered = true;
    w->event->waiter = NULL;
    w->done(w->arg, err, w->deliveries, err == MH_OK ? w->results : NULL);
    timer_close(&w->timer, on_closed);
}

/* Whether the event is stored is not known before waiter_accepted(), which comes
 * whatever happens and finds the waiter still here. */
static void on_time_over(struct timer *t)
{
    struct waiter *w = container_of(t, struct waiter, timer);

    w->over = true;
    if (w->accepted)
        answer(w, MH_OK);
}

struct waiter *waiter_new(uv_loop_t *loop, struct event *e, int64_t wait_ms,
                          dispatch_results *done, void *arg)
{
    struct waiter *w = mem_alloc(sizeof *w);

    w->event = event_ref(e);
    e->waiter = w;
    w->done = done;
    w->arg = arg;
    w->results = json_array();
    timer_init(&w->timer, loop, on_time_over);
    timer_start(&w->timer, wait_ms);
    return w;
}

void waiter_accepted(void *waiter, enum mh_err err, size_t deliveries)
{
    struct waiter *w = waiter;

    w->accepted = true;
    w->deliveries = deliveries;
    if (err != MH_OK || w->missing == 0 || w->over)
        answer(w, err);
}

void waiter_join(struct delivery *d)
{
    struct waiter *w = d->event->waiter;

    if (w == NULL || w->accepted || d->target->ops->kind != TARGET_PLUGIN)
        return;
    json_array_append_new(w->results,
                          json_pack("{s:s, s:s}", "plugin", d->target->id, "status", "pending"));
    w->missing++;
}

static json_t *row_of(struct waiter *w, const char *plugin)
{
    for (size_t i = 0; i < json_array_size(w->results); i++) {
        json_t *row = json_array_get(w->results, i);
        if (strcmp(json_text_of(row, "plugin", ""), plugin) == 0)
            return row;
    }
    return NULL;
}

static json_t *parse_facts(const char *facts)
{
    struct json_fault fault;
    json_t           *object = NULL;
    char             *text = mem_printf("{%s}", facts ? facts : "");

    if (json_parse_stored(text, strlen(text), &object, &fault) != MH_OK)
        object = json_object();
    free(text);
    return object;
}

static void fill_row(json_t *row, const struct delivery *d, enum mh_err err, const char *text)
{
    static const char *const copied[] = { "result", "error" };
    json_t                  *facts = parse_facts(text);

    json_put(row, "status", json_string(err == MH_OK ? "delivered" : "failed"));
    json_put(row, "duration_ms", json_real((double)(clock_mono_us() - d->started_us) / 1000.0));
    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        json_t *value = json_object_get(facts, copied[i]);
        if (value != NULL)
            json_put(row, copied[i], json_incref(value));
    }
    if (err != MH_OK && json_object_get(row, "error") == NULL)
        json_put(row, "error", json_pack("{s:s, s:s}", "code", err_code(err), "message",
                                         err_text(err)));
    json_decref(facts);
}

void waiter_result(struct delivery *d, enum mh_err err, const char *facts)
{
    struct waiter *w = d->event->waiter;
    json_t        *row = w ? row_of(w, d->target->id) : NULL;

    if (row == NULL || strcmp(json_text_of(row, "status", ""), "pending") != 0)
        return;
    fill_row(row, d, err, facts);
    w->missing--;
    if (w->accepted && w->missing == 0)
        answer(w, MH_OK);
}
