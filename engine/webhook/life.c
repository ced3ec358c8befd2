/* life.c - see life.h. */
#include "webhook/life.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/crypto.h"
#include "webhook/endpoints.h"
#include "webhook/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct endpoints_spec *spec_of(const struct endpoint *e)
{
    return endpoints_spec(e->owner);
}

/* Unix time of a monotonic one. */
static int64_t wall_ms(int64_t mono_ms) { return clock_now_ms() + mono_ms - clock_mono_ms(); }

/* ---- The gate ------------------------------------------------------------------------ */

/* Also ends a pause whose time has come: then deliveries that wait begin inside. */
void life_update(struct endpoint *e)
{
    if (e->target.retired)
        return;
    int64_t closed_ms = e->active ? gate_closed_ms(&e->gate, clock_mono_ms()) : 0;

    timer_stop(&e->wake);
    if (closed_ms > 0)
        timer_start(&e->wake, closed_ms);
    dispatch_pause(spec_of(e)->dispatch, &e->target, closed_ms != 0);
}

static void on_wake(struct timer *t) { life_update(container_of(t, struct endpoint, wake)); }

/* What waits for an inactive one is let through: the sender cancels it. */
bool life_may_begin(struct target *t)
{
    struct endpoint *e = container_of(t, struct endpoint, target);
    int64_t          now_us = clock_mono_us();

    if (!e->active)
        return true;
    int64_t wait_ms = gate_wait_ms(&e->gate, now_us);
    if (wait_ms == 0)
        gate_take(&e->gate, now_us);
    else if (wait_ms > 0)
        timer_hasten(&e->wake, wait_ms);
    return wait_ms == 0;
}

bool life_begin(struct endpoint *e) { return e->active && breaker_begin(&e->gate.breaker); }

void life_init(struct endpoint *e)
{
    timer_init(&e->wake, spec_of(e)->loop, on_wake);
    breaker_init(&e->gate.breaker, e->target.id, spec_of(e)->probe_after_ms);
}

void life_renew(struct endpoint *e)
{
    bool stored = e->health.stored;

    gate_reset(&e->gate);
    e->health = (struct health){ 0 };
    if (stored)
        endpoints_store(e);
    share_gate(e);
    life_update(e);
}

/* ---- Events about it ------------------------------------------------------------------ */

struct notice { struct endpoint *endpoint; struct event *event; bool disabling; };

/* Where Redis did not take the event the endpoint is as before, and its next failure tries
 * again: it is never disabled in silence. */
static void end_disabling(struct endpoint *e, bool told)
{
    if (e->active)                          /* an operator was faster */
        return;
    if (told) {
        endpoints_store(e);
        return;
    }
    e->active = true;
    json_put(e->json, "active", json_true());
    json_object_del(e->json, "disabled_reason");
    json_object_del(e->json, "disabled_at");
}

static void on_accepted(void *arg, enum mh_err err, size_t deliveries)
{
    struct notice *n = arg;
    bool           told = err == MH_OK || err == MH_CONFLICT;

    (void)deliveries;
    if (!told)
        LOG_WARN("event_not_sent", "event=%s webhook=%s error=%s", n->event->type,
                 n->endpoint->target.id, err_code(err));
    if (n->disabling)
        end_disabling(n->endpoint, told);
    event_unref(n->event);
    target_unref(&n->endpoint->target);
    free(n);
}

/* The address is not in it: other receivers get this, and addresses may hold secrets. */
static enum mh_err event_of(const struct endpoint *e, const char *what, int64_t since_ms,
                            const char *reason, struct event **out)
{
    struct json_fault fault;
    char              since[CLOCK_TEXT_BYTES];

    clock_format(since_ms, since);
    json_t *body = json_pack("{s:o, s:o, s:{s:s, s:s, s:s}}", "event",
                             json_sprintf("endpoint.%s", what), "id",
                             json_sprintf("%s:%s:%lld", what, e->target.id, (long long)since_ms),
                             "data", "webhook_id", e->target.id, "description",
                             json_text_of(e->json, "description", ""), "failing_since", since);
    if (reason != NULL)
        json_put(json_object_get(body, "data"), "reason", json_string(reason));
    size_t      bytes = 0;
    char       *text = json_text(body, &bytes);
    enum mh_err err = event_parse(EVENT_PLAIN, (struct json_span){ text, bytes }, e->target.org,
                                  clock_now_ms(), out, &fault);
    free(text);
    json_decref(body);
    return err;
}

static void announce(struct endpoint *e, const char *what, int64_t since_ms, const char *reason)
{
    struct notice *n = mem_alloc(sizeof *n);

    target_ref(&e->target);
    *n = (struct notice){ .endpoint = e, .disabling = !e->active };
    if (event_of(e, what, since_ms, reason, &n->event) != MH_OK)
        on_accepted(n, MH_INTERNAL, 0);
    else
        dispatch_accept(spec_of(e)->dispatch, n->event, on_accepted, n);
}

void life_disable(struct endpoint *e, const char *reason)
{
    char    at[CLOCK_TEXT_BYTES];
    int64_t now_ms = clock_now_ms(), since_ms = e->health.failing_since_ms;

    if (!e->active || e->deleting || e->target.retired)
        return;
    clock_format(now_ms, at);
    e->active = false;
    json_put(e->json, "active", json_false());
    json_put(e->json, "disabled_reason", json_string(reason));
    json_put(e->json, "disabled_at", json_string(at));
    LOG_WARN("webhook_disabled", "webhook=%s reason=\"%s\"", e->target.id, reason);
    endpoints_counts(e->owner)->disabled++;
    announce(e, "disabled", since_ms ? since_ms : now_ms, reason);
    gate_reset(&e->gate);
    share_gate(e);
    life_update(e);
}

/* ---- What attempts tell --------------------------------------------------------------- */

static void note_circuit(struct endpoint *e, const struct life_attempt *a, int64_t now_ms)
{
    struct breaker *b = &e->gate.breaker;
    unsigned        before = b->state;
    uint32_t        random = 0;             /* when a failure opens it, it says for how long */

    if (a->circuit == BREAKER_FAILURE)
        crypto_random(&random, sizeof random);
    breaker_note(b, &(struct breaker_attempt){ a->circuit, a->probe, a->began_ms }, now_ms, random);
    if (b->state == before)
        return;
    if (b->state == BREAKER_OPEN)
        LOG_WARN("circuit_open", "webhook=%s failures=%u probe_in_ms=%lld", e->target.id,
                 b->failures, (long long)(b->probe_ms - now_ms));
    else
        LOG_INFO("circuit_closed", "webhook=%s", e->target.id);
    endpoints_counts(e->owner)->opened += before == BREAKER_CLOSED;
    e->health.circuit_opened = true;        /* cleared by the success that closed it */
}

static void note_health(struct endpoint *e, const struct life_attempt *a)
{
    int64_t  since_ms = 0, disable_after_ms = spec_of(e)->disable_after_ms;
    unsigned todo = 0;

    if (a->failed)
        todo = health_failed(&e->health, clock_now_ms(), disable_after_ms);
    else if (a->circuit == BREAKER_SUCCESS)
        todo = health_succeeded(&e->health, clock_now_ms(), &since_ms);
    if (todo & HEALTH_STORE)
        endpoints_store(e);
    if (todo & HEALTH_RECOVERED) {
        LOG_INFO("webhook_recovered", "webhook=%s", e->target.id);
        endpoints_counts(e->owner)->recovered++;
        announce(e, "recovered", since_ms, NULL);
    }
    if (todo & HEALTH_DISABLE)
        life_disable(e, "it did nothing but fail for the time of --webhook-disable-after");
}

void life_ended(struct endpoint *e, const struct life_attempt *a)
{
    int64_t now_ms = clock_mono_ms();

    if (!e->active || e->target.retired)
        return;
    if (a->pause_ms > 0)
        gate_pause(&e->gate, a->pause_ms, now_ms);
    note_circuit(e, a, now_ms);
    note_health(e, a);
    share_gate(e);
    life_update(e);
}

/* ---- In Redis, and as REST shows it ---------------------------------------------------- */

void life_stored(struct endpoint *e, json_t *stored)
{
    e->health.stored = e->health.failing_since_ms != 0;
    if (e->health.stored)
        json_put(stored, "failing_since_ms", json_integer(e->health.failing_since_ms));
}

void life_load(struct endpoint *e, const json_t *stored)
{
    int64_t since_ms = json_int_of(stored, "failing_since_ms", 0);

    e->health = (struct health){ .failing_since_ms = since_ms, .stored = since_ms != 0 };
    life_update(e);
}

/* Null where there is no such time. */
static void put_time(json_t *object, const char *key, bool known, int64_t unix_ms)
{
    char text[CLOCK_TEXT_BYTES];

    if (known)
        clock_format(unix_ms, text);
    json_put(object, key, known ? json_string(text) : NULL);
}

void life_describe(const struct endpoint *e, json_t *described)
{
    const struct gate *g = &e->gate;
    bool               open = g->breaker.state != BREAKER_CLOSED;

    json_put(described, "circuit", json_string(breaker_state_name(&g->breaker)));
    put_time(described, "circuit_since", open, wall_ms(g->breaker.opened_ms));
    put_time(described, "next_probe_at", open, wall_ms(g->breaker.probe_ms));
    put_time(described, "paused_until", g->paused_until_ms > clock_mono_ms(),
             wall_ms(g->paused_until_ms));
    put_time(described, "failing_since", e->health.failing_since_ms != 0,
             e->health.failing_since_ms);
}
