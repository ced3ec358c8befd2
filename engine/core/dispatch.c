/* dispatch.c - see dispatch.h. */
#include "core/dispatch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "core/turns.h"
#include "core/waiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { POISON_KILLS = 2,                    /* so many processes ended: it is not tried again */
       MAX_TARGETS = 100000, PARK_MS = 50, PARK_PER_S = 500, PARK_FRESH_PER_S = 10000,
       PACE_MS = 500 };
static const int64_t MAX_RETRY_AFTER_MS = 24LL * 3600 * 1000;

struct dispatch {
    struct queues         *queues;
    struct map             targets;         /* by id */
    struct target        **matched;         /* scratch of dispatch_accept */
    size_t                 matched_cap;
    size_t                 in_flight;
    struct turns           turns;
    bool                   serving;         /* those in line: serve_turns() */
    bool                   held_up;         /* until records are written: queue_is_behind() */
    bool                   quiet;           /* stopping: no attempt is begun, nothing cancelled */
    struct dispatch_counts counts;
};

struct dispatch *dispatch_new(size_t most_attempts)
{
    struct dispatch *x = mem_alloc(sizeof *x);

    turns_init(&x->turns, most_attempts);
    return x;
}

void dispatch_set_queues(struct dispatch *x, struct queues *qs) { x->queues = qs; }

void dispatch_free(struct dispatch *x)
{
    map_clear(&x->targets, NULL);
    free(x->matched);
    free(x);
}

/* ---- Attempts --------------------------------------------------------------------- */

static struct delivery *take_first(struct target *t, struct list *line)
{
    struct delivery *d = container_of(list_pop_front(line), struct delivery, node);

    d->waiting = false;
    t->waiting--;
    return d;
}

static struct delivery *next_delivery(struct target *t)
{
    struct list *line = list_empty(&t->first) ? &t->retries : &t->first;

    return list_empty(line) ? NULL : take_first(t, line);
}

/* Is the first in `line` one whose record will be written soon? What a plugin waits for may be
 * of several shards: then those that are behind step back, so that others need not wait. */
static bool can_begin(const struct dispatch *x, const struct target *t, struct list *line)
{
    bool         mixed = t->org[0] == '\0' && queues_count(x->queues) > 1;
    struct list *node, *stepped_back = NULL;

    while (!list_empty(line) && (node = line->next) != stepped_back) {
        if (!queue_is_behind(container_of(node, struct delivery, node)->queue))
            return true;
        if (!mixed)
            return false;
        stepped_back = stepped_back != NULL ? stepped_back : node;
        list_unlink(node);
        list_push_back(line, node);
    }
    return false;
}

static struct list *line_to_begin(struct dispatch *x, struct target *t)
{
    if (can_begin(x, t, &t->first))
        return &t->first;
    if (can_begin(x, t, &t->retries))
        return &t->retries;
    x->held_up = true;
    return NULL;
}

static void start_attempt(struct dispatch *x, struct delivery *d)
{
    d->started_ms = clock_now_ms();
    d->started_us = clock_mono_us();
    turns_take(&x->turns, d->target);
    d->target->in_flight++;
    x->in_flight++;
    d->target->ops->attempt(d->target, d);
}

/* The delivery whose attempt begins now; NULL for none. The target is asked last: its yes may
 * count (a rate). */
static struct delivery *to_begin(struct dispatch *x, struct target *t)
{
    if (t->paused || t->retired || x->quiet || t->waiting == 0 || t->in_flight >= t->max_in_flight)
        return NULL;
    struct list *line = line_to_begin(x, t);
    bool may = line != NULL && turns_may(&x->turns, t, clock_mono_ms()) &&
               (t->ops->may_begin == NULL || t->ops->may_begin(t));
    return may ? take_first(t, line) : NULL;
}

/* An attempt may end before it returns; the loop that is running then goes on. */
static void pump(struct dispatch *x, struct target *t)
{
    if (t->pumping)
        return;
    t->pumping = true;
    target_ref(t);
    for (struct delivery *d; (d = to_begin(x, t)) != NULL;)
        start_attempt(x, d);
    t->pumping = false;
    target_unref(t);
}

/* A place is free: for each whose turn it is, who stands in line again behind its end. */
static void serve_turns(struct dispatch *x)
{
    struct target *t;

    if (x->serving)
        return;
    x->serving = true;
    while ((t = turns_next(&x->turns, clock_mono_ms())) != NULL)
        pump(x, t);
    x->serving = false;
}

static void wait_in_line(struct delivery *d)
{
    d->waiting = true;
    d->target->waiting++;
    list_push_back(d->number > 1 ? &d->target->retries : &d->target->first, &d->node);
}

/* It waits for its target, or is under way to it; from then on it is neither. */
static void take_up(struct delivery *d)
{
    struct target *t = d->target;
    size_t         bytes = d->event->envelope_bytes, faded = t->typical_bytes - t->typical_bytes / 8;

    t->bytes += bytes;
    t->typical_bytes = bytes > faded ? bytes : faded;
}

static void let_go(struct delivery *d) { d->target->bytes -= d->event->envelope_bytes; }

static void end_cancelled(struct dispatch *x, struct delivery *d)
{
    waiter_result(d, MH_CANCELLED, NULL);
    d->verdict = VERDICT_CANCELLED;
    d->next_ms = 0;
    x->counts.cancelled++;
    queue_finish(d->queue, d);
}

/* May one more delivery wait for its target here? Of a target that does not keep up no more
 * than there is free room for others (I6, Q6): however many such targets there are,
 * N of them leave one part in N + 1 free, and one alone may have half. By bytes, that holds
 * for those under way as well, as few of them may be much; but one there may always be. */
static bool has_room(const struct dispatch *x, const struct queue *q, const struct target *t)
{
    size_t begun = t->in_flight + t->coming.count, bytes = t->bytes + t->coming.bytes;
    bool   starts_now = !t->paused && t->waiting == 0 && begun < t->max_in_flight &&
                        turns_has_place(&x->turns, t, clock_mono_ms());
    bool   fits = begun + t->waiting == 0 || bytes + t->typical_bytes < queue_free_bytes(q);

    return fits && (starts_now || t->waiting + t->coming.count < queue_free_places(q));
}

/* How many attempts at `t` ended per second, lately. */
static void keep_pace(struct target *t)
{
    int64_t now_ms = clock_mono_ms(), passed_ms = now_ms - t->pace.since_ms;

    t->pace.ended++;
    if (passed_ms < PACE_MS)
        return;
    t->pace.per_s = passed_ms < 10 * PACE_MS ? t->pace.ended * 1000 / passed_ms : 0;
    t->pace.since_ms = now_ms;
    t->pace.ended = 0;
}

/* The rest waits in Redis and comes up for another look about when its turn will be,
 * by the pace of its target: PARK_PER_S a second of one that hangs, however many there
 * are, and soon of one whose pace is not known yet. */
static int64_t parking_ms(const struct dispatch *x, const struct target *t)
{
    int64_t per_s = t->pace.per_s > PARK_PER_S ? t->pace.per_s
                  : t->pace.per_s > 0 || t->paused ? PARK_PER_S : PARK_FRESH_PER_S;
    int64_t before = (int64_t)t->waiting + queues_stats(x->queues).due;

    return PARK_MS + before * 1000 / per_s;
}

static void park(struct dispatch *x, struct delivery *d)
{
    delivery_plan(d, parking_ms(x, d->target));
    queue_release(d->queue, d);
}

static void wake(const struct dispatch *x, struct target *t)
{
    if (t->paused && !t->retired && !x->quiet && t->ops->wake != NULL)
        t->ops->wake(t);
}

/* A target that sleeps is woken first: where there is no room, the delivery is parked
 * and finds it awake the next time. */
void dispatch_owned(void *arg, struct delivery *d)
{
    struct dispatch *x = arg;

    if (d->target->retired && !x->quiet) {
        end_cancelled(x, d);
        return;
    }
    wake(x, d->target);
    waiter_join(d);
    if (!d->expected && !has_room(x, d->queue, d->target)) {
        park(x, d);
        return;
    }
    take_up(d);
    wait_in_line(d);
    pump(x, d->target);
}

bool dispatch_crowded(void *arg, struct queue *q, struct target *t, int64_t *again_ms)
{
    struct dispatch *x = arg;

    if (t->retired || has_room(x, q, t))
        return false;
    wake(x, t);
    *again_ms = parking_ms(x, t);
    return true;
}

struct target *dispatch_find_target(void *arg, const char *id)
{
    return map_get(&((struct dispatch *)arg)->targets, id);
}

/* Waiting ones are simply forgotten; one under way is forgotten when it ends. */
void dispatch_dropped(void *arg, struct delivery *d)
{
    (void)arg;
    if (d->waiting) {
        d->target->waiting--;
        let_go(d);
    }
    d->waiting = false;
    waiter_result(d, MH_CANCELLED, NULL);
    if (d->started_us > 0 && d->attempt_data != NULL)
        d->key[0] = '\0';
    else
        delivery_free(d);
}

static int pump_one(void *value, void *arg)
{
    pump(arg, value);
    return 0;
}

/* Whoever was held up goes on; an attempt never changes the set of targets. */
void dispatch_written(void *arg)
{
    struct dispatch *x = arg;

    if (!x->held_up || queues_are_behind(x->queues))
        return;
    x->held_up = false;
    map_each(&x->targets, pump_one, x);
}

void dispatch_pause(struct dispatch *x, struct target *t, bool paused)
{
    t->paused = paused;
    pump(x, t);
}

size_t dispatch_in_flight(const struct dispatch *x) { return x->in_flight; }

void dispatch_quiesce(struct dispatch *x) { x->quiet = true; }

/* ---- Ending ----------------------------------------------------------------------------- */

static uint32_t random32(void)
{
    uint32_t n = 0;
    return getrandom(&n, sizeof n, 0) == sizeof n ? n : 0;
}

/* Decides what comes after a failed attempt. */
static void plan_retry(struct delivery *d, const struct outcome *o)
{
    int64_t delay = schedule_delay_ms(d->target->schedule, d->number - d->round, random32());

    if (o->never || delay < 0) {
        d->verdict = VERDICT_DEAD;
        return;
    }
    if (o->retry_after_ms >= 0)
        delay = o->retry_after_ms < MAX_RETRY_AFTER_MS ? o->retry_after_ms : MAX_RETRY_AFTER_MS;
    d->verdict = VERDICT_RETRY;
    delivery_plan(d, delay);
}

/* An event that ends one process after the other would take those of others with it for
 * as long as it is tried. Says so in its story. */
static void judge_poison(struct dispatch *x, struct delivery *d, struct outcome *o)
{
    if (!o->killed || ++d->kills < POISON_KILLS)
        return;
    char *facts = o->facts;
    o->never = true;
    o->facts = mem_printf("%s%s\"poison\":\"the event ended its plugin's process %u times\"",
                          facts ? facts : "", facts ? "," : "", d->kills);
    free(facts);
    x->counts.poison++;
}

static void judge(struct dispatch *x, struct delivery *d, const struct outcome *o)
{
    d->next_ms = 0;
    if (o->err == MH_OK)
        d->verdict = VERDICT_DELIVERED;
    else if (o->cancel)
        d->verdict = VERDICT_CANCELLED;
    else
        plan_retry(d, o);
    x->counts.delivered += d->verdict == VERDICT_DELIVERED;
    x->counts.failed[o->err] += o->err != MH_OK;
    x->counts.dead += d->verdict == VERDICT_DEAD;
    x->counts.cancelled += d->verdict == VERDICT_CANCELLED;
}

static void log_outcome(const struct delivery *d, const struct outcome *o)
{
    static const char *const words[] = { "delivered", "retry", "dead", "cancelled" };

    if (o->err == MH_OK)
        LOG_DEBUG("delivered", "delivery=%s attempt=%u", d->key, d->number);
    else
        LOG_WARN("attempt_failed", "delivery=%s attempt=%u error=%s then=%s in_ms=%lld", d->key,
                 d->number, err_code(o->err), words[d->verdict],
                 (long long)(d->next_ms ? d->next_mono_ms - clock_mono_ms() : 0));
}

static void end_attempt(struct dispatch *x, struct delivery *d, struct outcome *o)
{
    judge_poison(x, d, o);
    waiter_result(d, o->err, o->facts);
    delivery_add_attempt(d, o->err == MH_OK, o->facts);
    judge(x, d, o);
    log_outcome(d, o);
    queue_finish(d->queue, d);
}

void dispatch_done(struct dispatch *x, struct delivery *d, struct outcome *o)
{
    struct target *t = target_ref(d->target);

    turns_give(&x->turns, t);
    t->in_flight--;
    x->in_flight--;
    keep_pace(t);
    d->attempt_data = NULL;
    let_go(d);
    if (d->key[0] == '\0') {                /* dropped while under way */
        free(o->facts);
        delivery_free(d);
    } else if (o->uncharged && t->retired && !x->quiet) {
        free(o->facts);
        end_cancelled(x, d);
    } else if (o->uncharged) {
        free(o->facts);
        if (x->quiet)                       /* this engine starts it no more */
            waiter_result(d, MH_CANCELLED, NULL);
        d->started_us = 0;
        take_up(d);
        wait_in_line(d);
    } else {
        end_attempt(x, d, o);
    }
    pump(x, t);
    serve_turns(x);
    target_unref(t);
}

/* ---- Targets --------------------------------------------------------------------------------- */

void dispatch_add_target(struct dispatch *x, struct target *t)
{
    if (x->targets.count >= MAX_TARGETS || map_put(&x->targets, t->id, t) != NULL)
        abort();
}

/* The engine stops: what waits is for the next one, who waits for its results is not. */
static void tell_waiters(struct list *line)
{
    list_for_each(node, after, line)
        waiter_result(container_of(node, struct delivery, node), MH_CANCELLED, NULL);
}

void dispatch_remove_target(struct dispatch *x, struct target *t)
{
    struct delivery *d;

    map_remove(&x->targets, t->id);
    turns_leave(t);
    t->retired = true;
    if (x->quiet) {
        tell_waiters(&t->first);
        tell_waiters(&t->retries);
        return;
    }
    while ((d = next_delivery(t)) != NULL) {
        let_go(d);
        end_cancelled(x, d);
    }
}

struct match { struct event *event; struct target **out; size_t count, max; };

static int match_one(void *value, void *arg)
{
    struct target *t = value;
    struct match  *m = arg;

    bool org_fits = t->org[0] == '\0' || strcmp(t->org, m->event->org) == 0;
    if (org_fits && m->count < m->max && t->ops->wants(t, m->event))
        m->out[m->count++] = t;
    return 0;
}

size_t dispatch_match(struct dispatch *x, struct event *e, struct target **out, size_t max)
{
    struct match m = { e, out, 0, max };

    map_each(&x->targets, match_one, &m);
    event_forget_json(e);                   /* it may live for days */
    return m.count;
}

size_t dispatch_target_count(const struct dispatch *x) { return x->targets.count; }

struct explaining { struct event *event; const json_t *deliveries; json_t *all; };

static bool has_delivery(const json_t *deliveries, const char *target_id)
{
    for (size_t i = 0; i < json_array_size(deliveries); i++) {
        const json_t *target = json_object_get(json_array_get(deliveries, i), "target");
        if (strcmp(json_text_of(target, "id", ""), target_id) == 0)
            return true;
    }
    return false;
}

static int explain_one(void *value, void *arg)
{
    struct explaining *x = arg;
    struct target     *t = value;
    bool test = strcmp(x->event->type, EVENT_TEST_TYPE) == 0;
    char why[TARGET_WHY_BYTES] = "it takes such events now, and did not when this one came";

    if ((t->org[0] != '\0' && strcmp(t->org, x->event->org) != 0) ||
        has_delivery(x->deliveries, t->id))
        return 0;
    if (test)
        snprintf(why, sizeof why, "the test of another endpoint");
    else if (!t->ops->wants(t, x->event))
        t->ops->why_not(t, x->event, why);
    json_array_append_new(x->all, json_pack("{s:{s:s, s:s}, s:s}", "target", "kind",
                                            t->ops->kind_name, "id", t->id, "why", why));
    return json_array_size(x->all) >= DISPATCH_MAX_EXPLAINED;
}

json_t *dispatch_explain(struct dispatch *x, struct event *e, const json_t *deliveries)
{
    struct explaining explaining = { e, deliveries, json_array() };

    map_each(&x->targets, explain_one, &explaining);
    return explaining.all;
}

/* ---- Accepting -------------------------------------------------------------------------------- */

struct accepting {
    struct dispatch   *x;
    dispatch_accepted *done;
    void              *arg;
    size_t             count;
};

static void on_stored(void *arg, enum mh_err err)
{
    struct accepting *a = arg;

    a->x->counts.accepted += err == MH_OK;
    a->x->counts.duplicates += err == MH_CONFLICT;
    a->done(a->arg, err, a->count);
    free(a);
}

static void accept_for(struct dispatch *x, struct event *e, struct target *const *targets,
                       size_t count, dispatch_accepted *done, void *arg)
{
    struct accepting *a = mem_alloc(sizeof *a);

    *a = (struct accepting){ x, done, arg, count };
    queue_accept(queues_of(x->queues, e->org), e, targets, count, on_stored, a);
}

void dispatch_accept(struct dispatch *x, struct event *e, dispatch_accepted *done, void *arg)
{
    if (x->matched_cap < x->targets.count) {
        free(x->matched);
        x->matched_cap = x->targets.count + 16;
        x->matched = mem_alloc(x->matched_cap * sizeof(struct target *));
    }
    size_t count = dispatch_match(x, e, x->matched, x->matched_cap);
    accept_for(x, e, x->matched, count, done, arg);
}

void dispatch_accept_for(struct dispatch *x, struct event *e, struct target *t,
                         dispatch_accepted *done, void *arg)
{
    accept_for(x, e, &t, 1, done, arg);
}

void dispatch_accept_wait(struct dispatch *x, uv_loop_t *loop, struct event *e, int64_t wait_ms,
                          dispatch_results *done, void *arg)
{
    struct waiter *w = waiter_new(loop, e, wait_ms, done, arg);

    dispatch_accept(x, e, waiter_accepted, w);
}

const struct dispatch_counts *dispatch_counts(const struct dispatch *x) { return &x->counts; }
