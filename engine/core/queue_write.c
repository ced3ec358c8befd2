/* queue_write.c - accepting and finishing, in batches.
 *
 * Group commit: one round is under way at a time, of at most one batch of each kind,
 * sent together; what comes meanwhile forms the next. Under load a batch holds
 * hundreds and the cost of a round trip and of Redis's fsync is shared; alone,
 * nothing waits. Where the disk is slow, batches become small: while Redis forces one to the
 * disk it answers nothing, and a Redis that is silent for LINK_SILENT_S counts as lost. */
#include "core/queue_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { ROUND_MS = 1000,                     /* what a round should take at most */
       LEAST_BATCH_BYTES = 64 * 1024,       /* but one event, or record, may always go */
       REFUSED_AGAIN_MS = 200,              /* Redis answered with an error */
       BEHIND = 512 };                      /* records waiting while a batch is under way */

struct pending_accept {
    struct list     node;
    struct event   *event;
    queue_accepted *done;
    void           *arg;
    bool            owned;                  /* written to our own set, else to due (I6) */
    enum mh_err     outcome;                /* told when the replicas have it, too */
    size_t          count;
    struct target  *targets[];              /* counted */
};

struct batch {
    struct queue  *q;
    unsigned       era;
    size_t         coming, coming_bytes;    /* room for what is accepted as owned */
    struct list    items;                   /* pending_accept, or delivery by node */
    struct command command;
};

static struct batch *batch_new(struct queue *q)
{
    struct batch *b = mem_alloc(sizeof *b);

    b->q = q;
    b->era = q->era;
    list_init(&b->items);
    command_init(&b->command);
    return b;
}

static void batch_free(struct batch *b)
{
    command_deinit(&b->command);
    free(b);
}

static void flush_soon(struct queue *q)
{
    timer_hasten(&q->flush, 0);
}

/* A round took its time: how much the next one may hold. */
static void keep_pace(struct queue *q)
{
    int64_t took_ms = clock_mono_ms() - q->round_began_ms;
    size_t  bytes = 2 * q->batch_bytes;

    if (took_ms > ROUND_MS / 2)
        bytes = q->round_bytes * ROUND_MS / (size_t)took_ms;
    q->batch_bytes = bytes < LEAST_BATCH_BYTES ? LEAST_BATCH_BYTES
                   : bytes > QUEUE_BATCH_BYTES ? QUEUE_BATCH_BYTES : bytes;
}

/* ---- Accepting ----------------------------------------------------------------- */

static void accept_end(struct queue *q, struct pending_accept *a, enum mh_err err)
{
    q->spec.held->arriving_bytes -= a->event->envelope_bytes;
    a->done(a->arg, err);
    for (size_t i = 0; i < a->count; i++)
        target_unref(a->targets[i]);
    event_unref(a->event);
    free(a);
}

static void accept_stored(struct queue *q, struct pending_accept *a)
{
    for (size_t i = 0; a->owned && i < a->count; i++)
        queue_own(q, delivery_new(a->event, a->targets[i]));
    if (!a->owned)
        q->due += (int64_t)a->count;
}

/* What is stored is ours and begins, whatever the replicas will say. */
static void take_accepted(struct batch *b, const redisReply *reply)
{
    size_t i = 0;

    list_for_each(node, after, &b->items) {
        struct pending_accept *a = container_of(node, struct pending_accept, node);
        bool known = i < reply->elements && reply->element[i]->type == REDIS_REPLY_INTEGER;
        bool stored = known && reply->element[i++]->integer == 1;
        a->outcome = !known ? MH_UNAVAILABLE : stored ? MH_OK : MH_CONFLICT;
        if (stored)
            accept_stored(b->q, a);
    }
}

static void log_refused(const char *what, enum mh_err err, const redisReply *reply)
{
    static struct log_limit limit;
    char                    text[256];

    if (log_allowed(&limit))
        LOG_WARN(what, "error=%s redis=%s", err_code(err),
                 log_quote(reply && reply->str ? reply->str : "", text, sizeof text));
}

/* The producers get to know. */
static void on_replicated(void *arg, enum mh_err err, const redisReply *reply)
{
    struct batch *b = arg;
    struct queue *q = b->q;

    (void)reply;
    q->accepting = false;
    while (!list_empty(&b->items)) {
        struct pending_accept *a = container_of(list_pop_front(&b->items),
                                                struct pending_accept, node);
        accept_end(q, a, err == MH_OK ? a->outcome : MH_UNAVAILABLE);
    }
    batch_free(b);
    flush_soon(q);
}

static void on_accepted(void *arg, enum mh_err err, const redisReply *reply)
{
    struct batch *b = arg;
    struct queue *q = b->q;
    bool          stored = err == MH_OK && reply->type == REDIS_REPLY_ARRAY;

    keep_pace(q);
    q->coming -= b->coming;
    q->spec.held->promised_bytes -= b->coming_bytes;
    if (stored)
        take_accepted(b, reply);
    else
        log_refused("accept_failed", err, reply);
    if (err == MH_UNAVAILABLE && reply != NULL && strncmp(reply->str, "OOM", 3) == 0)
        redis_trouble(reply->str, q->trouble);      /* until queue.c finds that it is over */
    if (err == MH_STALE)
        queue_stale(q, b->era);
    if (stored && redis_waits(q->spec.redis))
        redis_wait(q->spec.redis, on_replicated, b);
    else
        on_replicated(b, stored ? MH_OK : MH_UNAVAILABLE, NULL);
}

static void add_event_key(struct queue *q, struct command *c, const struct event *e)
{
    command_format(c, "%s:event:%s/%s", q->keys, e->org, e->id);
}

/* Of an emitted event: it outlives this engine, or a loop would begin anew with the next. */
static bool add_cause(struct buf *line, const struct event *e)
{
    return e->hops == 0 || buf_printf(line, ",\"hops\":%u,\"caused_by\":\"%s\"", e->hops,
                                      e->caused_by) == MH_OK;
}

/* First line: when, for whom, and why; and that its id is of our making, which nobody repeats
 * (Q3). Second line: the envelope. */
static void add_event_record(struct command *c, const struct pending_accept *a)
{
    struct buf line;

    buf_init(&line, a->event->envelope_bytes + 512 + a->count * (MH_ID_BYTES + 3));
    bool ok = buf_printf(&line, "{\"accepted_ms\":%lld,\"targets\":[",
                         (long long)a->event->accepted_ms) == MH_OK;
    for (size_t i = 0; ok && i < a->count; i++)
        ok = buf_printf(&line, "%s\"%s\"", i ? "," : "", a->targets[i]->id) == MH_OK;
    ok = ok && buf_puts(&line, a->event->own_id ? "]" : "],\"made\":true") == MH_OK &&
         add_cause(&line, a->event) &&
         buf_puts(&line, "}\n") == MH_OK &&
         buf_append(&line, a->event->envelope, a->event->envelope_bytes) == MH_OK;
    if (!ok)
        abort();                            /* sized above; only memory can be missing */
    command_add(c, line.data, line.len);
    buf_deinit(&line);
}

static void promise_room(struct batch *b, struct pending_accept *a)
{
    struct queue *q = b->q;
    size_t        bytes = a->event->envelope_bytes;

    a->owned = a->count <= queue_free_places(q) && bytes <= queue_free_bytes(q);
    if (!a->owned)
        return;
    q->coming += a->count;
    b->coming += a->count;
    q->spec.held->promised_bytes += bytes;
    b->coming_bytes += bytes;
}

static void add_accept(struct command *c, const struct pending_accept *a)
{
    char key[DELIVERY_KEY_BYTES];

    add_event_record(c, a);
    command_text(c, a->owned ? "own" : "due");
    command_format(c, "%zu", a->count);
    for (size_t i = 0; i < a->count; i++) {
        delivery_key(a->event->org, a->event->id, a->targets[i]->id, key);
        command_text(c, key);
    }
}

/* Moves waiting accepts to the batch, up to its limits. */
static size_t fill_accepts(struct queue *q, struct batch *b)
{
    size_t count = 0, bytes = 0;

    list_for_each(node, after, &q->accepts) {
        struct pending_accept *a = container_of(node, struct pending_accept, node);
        bytes += a->event->envelope_bytes + a->count * DELIVERY_KEY_BYTES;
        if (count == QUEUE_BATCH || (count > 0 && bytes > q->batch_bytes))
            break;
        list_unlink(node);
        list_push_back(&b->items, node);
        q->round_bytes += a->event->envelope_bytes;
        count++;
    }
    q->accept_count -= count;
    return count;
}

static void send_accepts(struct queue *q)
{
    struct batch *b = batch_new(q);
    size_t        count = fill_accepts(q, b);

    command_format(&b->command, "%zu", 6 + count);
    queue_key(q, &b->command, "engines");
    queue_key2(q, &b->command, "own", q->engine);
    queue_key(q, &b->command, "due");
    queue_key(q, &b->command, "repeats");
    queue_key(q, &b->command, "orgs");
    queue_key(q, &b->command, "stored");
    list_for_each(node, after, &b->items)
        add_event_key(q, &b->command, container_of(node, struct pending_accept, node)->event);
    command_text(&b->command, q->engine);
    queue_key2(q, &b->command, "event", "");
    queue_key2(q, &b->command, "events", "");
    list_for_each(node, after, &b->items) {
        struct pending_accept *a = container_of(node, struct pending_accept, node);
        promise_room(b, a);
        add_accept(&b->command, a);
    }
    q->accepting = true;
    struct redis_args args = command_args(&b->command);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_ACCEPT], &args, on_accepted, b);
}

static void refuse_accepts(struct queue *q)
{
    while (!list_empty(&q->accepts)) {
        q->accept_count--;
        accept_end(q, container_of(list_pop_front(&q->accepts), struct pending_accept, node),
                   MH_UNAVAILABLE);
    }
}

void queue_accept(struct queue *q, struct event *event, struct target *const *targets,
                  size_t count, queue_accepted *done, void *arg)
{
    struct pending_accept *a = mem_alloc(sizeof *a + count * sizeof(struct target *));

    a->event = event_ref(event);
    a->done = done;
    a->arg = arg;
    a->count = count;
    for (size_t i = 0; i < count; i++)
        a->targets[i] = target_ref(targets[i]);
    list_push_back(&q->accepts, &a->node);
    q->accept_count++;
    q->spec.held->arriving_bytes += event->envelope_bytes;
    flush_soon(q);
}

bool queue_is_behind(const struct queue *q)
{
    return q->finish_count >= BEHIND || queue_is_silent(q);
}

size_t queue_unwritten(const struct queue *q)
{
    return q->accept_count + q->finish_count + q->accepting + q->finishing;
}

/* ---- Finishing --------------------------------------------------------------------- */

static const char *verdict_word(const struct delivery *d)
{
    static const char *const words[] = { "delivered", "retry", "dead", "cancelled", "release" };
    return words[d->verdict];
}

/* Takes `record`. */
static void add_finish(struct command *c, const struct delivery *d, char *record)
{
    int64_t delay = d->next_ms > 0 ? d->next_mono_ms - clock_mono_ms() : 0;

    command_text(c, d->key);
    command_text(c, record);
    command_text(c, verdict_word(d));
    command_format(c, "%lld", (long long)(delay > 0 ? delay : 0));
    free(record);
}

/* Moves what ended to the batch, up to its limits, and writes the records. */
static size_t fill_finishes(struct queue *q, struct batch *b, char **records)
{
    size_t count = 0, bytes = 0;

    while (count < QUEUE_BATCH && bytes < q->batch_bytes && !list_empty(&q->finishes)) {
        struct list *node = list_pop_front(&q->finishes);
        struct delivery *d = container_of(node, struct delivery, node);
        records[count] = d->verdict == VERDICT_RELEASED ? mem_strdup("") : delivery_record(d);
        bytes += strlen(records[count++]);
        list_push_back(&b->items, node);
    }
    q->finish_count -= count;
    q->round_bytes += bytes;
    return count;
}

/* A retry that is due before the next tick brings that tick forward. */
static void end_owned(struct queue *q, struct delivery *d)
{
    int64_t delay_ms = d->next_mono_ms - clock_mono_ms();

    if (d->verdict == VERDICT_RETRY && delay_ms < QUEUE_TICK_MS && q->joined && !q->leaving)
        timer_hasten(&q->tick, delay_ms);
    queue_disown(q, d);
}

static void on_finished(void *arg, enum mh_err err, const redisReply *reply)
{
    struct batch *b = arg;
    struct queue *q = b->q;

    q->finishing = false;
    keep_pace(q);
    if (err != MH_OK)
        log_refused("finish_failed", err, reply);
    while (!list_empty(&b->items)) {
        struct list *node = list_pop_front(&b->items);
        if (err == MH_OK) {
            end_owned(q, container_of(node, struct delivery, node));
        } else {                            /* I5: kept, and sent again */
            list_push_back(&q->finishes, node);
            q->finish_count++;
        }
    }
    if (err == MH_STALE)
        queue_stale(q, b->era);
    batch_free(b);
    timer_hasten(&q->flush, err == MH_OK || err == MH_STALE ? 0 : REFUSED_AGAIN_MS);
    queue_claim_more(q);
    if (err == MH_OK)
        q->spec.written(q->spec.arg);
}

static void send_finishes(struct queue *q)
{
    char         *records[QUEUE_BATCH], **next = records;
    struct batch *b = batch_new(q);
    size_t        count = fill_finishes(q, b, records);

    command_format(&b->command, "%zu", 4 + 2 * count);
    queue_key(q, &b->command, "engines");
    queue_key2(q, &b->command, "own", q->engine);
    queue_key(q, &b->command, "due");
    queue_key(q, &b->command, "dead");
    list_for_each(node, after, &b->items) {
        struct delivery *d = container_of(node, struct delivery, node);
        queue_key2(q, &b->command, "delivery", d->key);
        queue_key_log(q, &b->command, d->event->org, EVENT_ORG_BYTES, d->target->id);
    }
    command_text(&b->command, q->engine);
    command_format(&b->command, "%lld", (long long)(q->spec.keep_ms / 1000));
    command_format(&b->command, "%lld", (long long)q->spec.log_entries);
    list_for_each(node, after, &b->items)
        add_finish(&b->command, container_of(node, struct delivery, node), *next++);
    q->finishing = true;
    struct redis_args args = command_args(&b->command);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_FINISH], &args, on_finished, b);
}

void queue_finish(struct queue *q, struct delivery *d)
{
    list_unlink(&d->node);
    list_push_back(&q->finishes, &d->node);
    q->finish_count++;
    flush_soon(q);
}

void queue_release(struct queue *q, struct delivery *d)
{
    d->verdict = VERDICT_RELEASED;
    queue_finish(q, d);
}

/* ---- Both ----------------------------------------------------------------------------- */

void queue_flush(struct timer *flush)
{
    struct queue *q = container_of(flush, struct queue, flush);

    bool away = q->leaving || !q->joined || !redis_reaches(q->spec.redis, q->keys);

    if (away || q->trouble[0] != '\0')
        refuse_accepts(q);
    if (away)
        return;
    if (q->accepting || q->finishing)
        return;                             /* the end of the round calls again */
    q->round_bytes = 0;
    q->round_began_ms = clock_mono_ms();
    if (!list_empty(&q->accepts))
        send_accepts(q);
    if (!list_empty(&q->finishes))
        send_finishes(q);
}
