/* share.c - see share.h. */
#include "webhook/share.h"

#include "base/clock.h"
#include "webhook/endpoints.h"
#include "webhook/life.h"

static const char    KIND[] = "gates";
static const int64_t LONGEST_PAUSE_MS = 3600 * 1000;

static int64_t wall_ms(int64_t mono_ms) { return clock_now_ms() + mono_ms - clock_mono_ms(); }
static int64_t mono_ms(int64_t wall) { return clock_mono_ms() + wall - clock_now_ms(); }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static struct store *store_of(const struct endpoint *e) { return endpoints_spec(e->owner)->store; }

/* ---- Telling ------------------------------------------------------------------------- */

static json_t *describe(const struct endpoint *e)
{
    const struct breaker *b = &e->gate.breaker;
    json_t               *entry = json_object();

    if (e->gate.paused_until_ms > clock_mono_ms())
        json_put(entry, "paused_until_ms", json_integer(wall_ms(e->gate.paused_until_ms)));
    if (b->state == BREAKER_CLOSED)
        return entry;
    json_put(entry, "opened_ms", json_integer(wall_ms(b->opened_ms)));
    json_put(entry, "probe_ms", json_integer(wall_ms(b->probe_ms)));
    json_put(entry, "wait_ms", json_integer(b->wait_ms));
    json_put(entry, "failing_since_ms", json_integer(e->health.failing_since_ms));
    return entry;
}

/* What of the gate the others are to know, as two numbers that change with it. */
static struct endpoint_shared now_of(const struct endpoint *e)
{
    const struct breaker *b = &e->gate.breaker;
    bool                  paused = e->gate.paused_until_ms > clock_mono_ms();

    return (struct endpoint_shared){ .pause_ms = paused ? e->gate.paused_until_ms : 0,
                                     .probe_ms = b->state == BREAKER_CLOSED ? 0 : b->probe_ms };
}

static bool is_news(const struct endpoint_shared *known, const struct endpoint_shared *now)
{
    bool cut_short = now->pause_ms == 0 && known->pause_ms > clock_mono_ms();

    return cut_short || known->probe_ms != now->probe_ms ||
           now->pause_ms >= known->pause_ms + SHARE_PAUSE_MS;
}

void share_gate(struct endpoint *e)
{
    struct endpoint_shared now = now_of(e);

    if (!is_news(&e->shared, &now) || e->deleting || e->target.retired)
        return;
    json_t *entry = describe(e);
    store_tell(store_of(e), KIND, e->target.id, json_object_size(entry) > 0 ? entry : NULL);
    json_decref(entry);
    e->shared = now;
}

void share_forget(struct endpoint *e)
{
    if (e->shared.pause_ms != 0 || e->shared.probe_ms != 0)
        store_tell(store_of(e), KIND, e->target.id, NULL);
    e->shared = (struct endpoint_shared){ 0 };
}

/* ---- Hearing ------------------------------------------------------------------------- */

/* Who opened it probes it first: with all others at the same moment it would be no probe. */
static void hear_open(struct endpoint *e, const json_t *value)
{
    struct breaker *b = &e->gate.breaker;
    int64_t wait_ms = least(json_int_of(value, "wait_ms", 0), BREAKER_GROWTH * b->first_wait_ms);
    int64_t now_ms = clock_mono_ms(), since_ms = json_int_of(value, "failing_since_ms", 0);
    int64_t probe_ms = least(mono_ms(json_int_of(value, "probe_ms", 0)), now_ms + 2 * wait_ms);
    int64_t turn_ms = least(e->timeout_ms, wait_ms / 2);

    if (!breaker_adopt(b, mono_ms(json_int_of(value, "opened_ms", 0)), probe_ms,
                       probe_ms + turn_ms, wait_ms))
        return;
    if (since_ms > 0 && (e->health.failing_since_ms == 0 || since_ms < e->health.failing_since_ms))
        e->health.failing_since_ms = since_ms;
    e->health.circuit_opened = true;
}

/* Somebody got through, or an operator said that it is well. */
static void hear_closed(struct endpoint *e)
{
    bool stored = e->health.stored;

    if (e->shared.probe_ms == 0 || e->gate.breaker.state == BREAKER_CLOSED)
        return;
    breaker_reset(&e->gate.breaker);
    e->health = (struct health){ 0 };
    if (stored)
        endpoints_store(e);
}

void share_hear(struct endpoint *e, const json_t *value)
{
    int64_t pause_ms = json_int_of(value, "paused_until_ms", 0) - clock_now_ms();

    if (pause_ms > 0)
        gate_pause(&e->gate, least(pause_ms, LONGEST_PAUSE_MS), clock_mono_ms());
    else if (value == NULL && e->gate.paused_until_ms <= e->shared.pause_ms)
        e->gate.paused_until_ms = 0;        /* over, or ended by an operator */
    if (json_int_of(value, "wait_ms", 0) > 0)
        hear_open(e, value);
    else
        hear_closed(e);
    e->shared = now_of(e);
    life_update(e);
}
