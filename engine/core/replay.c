/* replay.c - the walk: what an engine does for the replays that it owns.
 *
 * A walk has one command under way at a time: a page of the index, then one step. Whatever
 * goes wrong, the walk is forgotten; the next look for jobs finds in Redis where it is. */
#include "core/replay_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAKE_MS = 1000, TAKE_MOST = 16,
       PAGE = 200, STEPS_PER_S = 4 };       /* steps at the full rate, so that it is even */

struct walk {
    struct replays *owner;
    struct queue   *queue;
    char            id[MH_ID_BYTES], org[EVENT_ORG_BYTES], target_id[MH_ID_BYTES];
    int64_t         since_ms, until_ms, rate;
    bool            dry, busy;              /* busy: a command is under way */
    bool            held;                   /* Redis says so already */
    bool            over;                   /* forgotten: ends with that command */
    struct place    at;                     /* where the job is, as Redis said last */
    struct timer    pace;
};

static void next_page(struct walk *w);

/* ---- Beginning and forgetting -------------------------------------------------------- */

static void on_walk_closed(struct timer *t) { free(container_of(t, struct walk, pace)); }

static void forget(struct walk *w)
{
    if (!w->over)
        map_remove(&w->owner->running, w->id);
    w->over = true;
    timer_stop(&w->pace);
    if (!w->busy)
        timer_close(&w->pace, on_walk_closed);
}

static void on_pace(struct timer *t) { next_page(container_of(t, struct walk, pace)); }

/* Of a command of this walk; false: the walk is over, and gone. */
static bool goes_on(struct walk *w, enum mh_err err)
{
    w->busy = false;
    if (!w->over && err == MH_OK && !w->owner->stopped)
        return true;
    forget(w);
    return false;
}

static void copy_text(char *out, size_t bytes, const json_t *fields, const char *name)
{
    const char *text = json_text_of(fields, name, "");
    size_t      length = strlen(text) < bytes ? strlen(text) : 0;

    memcpy(out, text, length);
    out[length] = '\0';
}

static void begin(struct replays *rs, const char *id, const json_t *fields)
{
    struct walk *w;
    struct place at;

    if (!id_valid(id) || map_get(&rs->running, id) != NULL ||
        place_parse(json_text_of(fields, "cursor", ""), &at) != MH_OK)
        return;
    w = mem_alloc(sizeof *w);
    w->owner = rs;
    w->queue = replay_queue(rs, id);
    w->at = at;
    snprintf(w->id, sizeof w->id, "%s", id);
    copy_text(w->org, sizeof w->org, fields, "org");
    copy_text(w->target_id, sizeof w->target_id, fields, "target");
    w->since_ms = replay_number(fields, "since_ms");
    w->until_ms = replay_number(fields, "until_ms");
    w->rate = replay_number(fields, "rate");
    w->dry = replay_number(fields, "dry_run") == 1;
    timer_init(&w->pace, rs->loop, on_pace);
    map_put(&rs->running, w->id, w);
    w->held = json_object_get(fields, "held") != NULL;
    if (!w->held)
        LOG_INFO("replay_runs", "replay=%s target=%s dry_run=%d", w->id, w->target_id, w->dry);
    timer_start(&w->pace, 0);
}

/* ---- The step --------------------------------------------------------------------------- */

struct choice {                             /* what a step is told about a page */
    struct place behind;
    bool         end;
    int64_t      looked;
    size_t       count;
    char       (*keys)[DELIVERY_KEY_BYTES]; /* of the candidates */
};

static bool is_wanted(struct target *t, const redisReply *stored)
{
    struct stored_event found = { 0 };
    struct event       *e = NULL;
    bool                wanted = false;

    if (queue_split_event(stored, &found) == MH_OK &&
        event_from_envelope(found.envelope, found.envelope_bytes, &e) == MH_OK)
        wanted = strcmp(e->type, EVENT_TEST_TYPE) != 0 && t->ops->matches(t, e);
    json_decref(found.head);
    event_unref(e);
    return wanted;
}

/* So many in one step, that a pause after it keeps the rate. A dry run makes none. */
static size_t step_size(const struct walk *w)
{
    int64_t share = w->dry ? PAGE : w->rate / STEPS_PER_S;
    return share < 1 ? 1 : share > PAGE ? PAGE : (size_t)share;
}

static void choose(const struct walk *w, struct target *t, const redisReply *page, struct choice *c)
{
    struct page_entry entry;
    size_t            most = step_size(w), i = 0;

    c->behind = w->at;
    for (; c->count < most && page_entry(page, i, &entry); i++) {
        if (is_wanted(t, entry.stored))
            delivery_key(w->org, entry.place.id, w->target_id, c->keys[c->count++]);
        c->behind = entry.place;
        c->looked++;
    }
    c->end = c->looked == 0 || (!page_has_more(page) && !page_entry(page, i, &entry));
}

/* The next step comes when as much time has passed as the last one's deliveries may take. */
static void on_step(void *arg, enum mh_err err, const redisReply *reply)
{
    struct walk *w = arg;

    if (!goes_on(w, err))
        return;
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
        forget(w);
        return;
    }
    if (!w->dry && reply->integer > 0) {
        w->queue->due += reply->integer;
        queue_claim_more(w->queue);
    }
    timer_start(&w->pace, w->dry ? 0 : reply->integer * 1000 / (w->rate > 0 ? w->rate : 1));
}

static void add_step_keys(struct walk *w, struct command *c, const struct choice *choice)
{
    struct queue *q = w->queue;

    command_format(c, "%zu", 5 + 2 * choice->count);
    queue_key2(q, c, "replay", w->id);
    queue_key2(q, c, "replays", "open");
    queue_key(q, c, "engines");
    queue_key(q, c, "due");
    queue_key(q, c, "dead");
    for (size_t i = 0; i < choice->count; i++) {
        queue_key_event_of(q, c, choice->keys[i]);
        queue_key2(q, c, "delivery", choice->keys[i]);
    }
}

static void send_step(struct walk *w, const struct choice *choice)
{
    struct queue  *q = w->queue;
    struct command c;
    char           at[PLACE_BYTES], behind[PLACE_BYTES];

    place_text(&w->at, at);
    place_text(&choice->behind, behind);
    command_init(&c);
    add_step_keys(w, &c, choice);
    command_text(&c, q->engine);
    command_text(&c, w->id);
    command_text(&c, at);
    command_text(&c, behind);
    command_text(&c, choice->end ? "end" : "more");
    command_format(&c, "%lld", (long long)choice->looked);
    command_format(&c, "%lld", (long long)(q->spec.keep_ms / 1000));
    queue_key2(q, &c, "own", "");
    command_text(&c, w->target_id);
    for (size_t i = 0; i < choice->count; i++)
        command_text(&c, choice->keys[i]);
    w->at = choice->behind;
    w->busy = true;
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &w->owner->scripts[REPLAY_STEP], &args, on_step, w);
    command_deinit(&c);
    if (choice->end)
        LOG_INFO("replay_ends", "replay=%s target=%s", w->id, w->target_id);
}

/* ---- The page ----------------------------------------------------------------------------- */

static struct target *target_of(const struct walk *w)
{
    return dispatch_find_target(w->owner->dispatch, w->target_id);
}

static void on_page(void *arg, enum mh_err err, const redisReply *reply)
{
    struct walk   *w = arg;
    struct choice  choice = { .count = 0 };
    struct target *t = target_of(w);

    if (!goes_on(w, err))
        return;
    if (t == NULL) {                        /* removed meanwhile: the next page finds out */
        timer_start(&w->pace, 0);
        return;
    }
    choice.keys = mem_alloc(PAGE * sizeof choice.keys[0]);
    choose(w, t, reply, &choice);
    send_step(w, &choice);
    free(choice.keys);
}

static void on_target_looked_up(void *arg, enum mh_err err, const redisReply *reply)
{
    struct walk *w = arg;

    if (!goes_on(w, err))
        return;
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        replay_end(w->owner, w->id, "failed", "the target was removed");
    else
        replay_end(w->owner, w->id, "let go", "");      /* another engine knows it */
    forget(w);
}

static void look_up_target(struct walk *w)
{
    struct queue *q = w->queue;

    w->busy = true;
    redis_sendf(q->spec.redis, on_target_looked_up, w, "HEXISTS %s:{c}:%ss %s", q->spec.prefix,
                queue_target_kind(w->target_id), w->target_id);
}

/* Why it may not go on just now; NULL: it may. */
static const char *held_by(const struct walk *w, struct target *t)
{
    struct queue_stats stats = queues_stats(w->owner->queues);

    if (w->dry)
        return NULL;
    if (!t->ops->active(t))
        return "the target is not active";
    if (stats.due + (int64_t)stats.owned >= w->queue->spec.max_backlog / 2)
        return "the backlog is half full";
    return NULL;
}

/* Says so, and leaves it to the next look for jobs, which sees whether it was cancelled. */
static void hold(struct walk *w, const char *why)
{
    struct queue *q = w->queue;

    if (!w->held)
        redis_sendf(q->spec.redis, NULL, NULL, "HSET %s:replay:%s held %s", q->keys, w->id, why);
    forget(w);
}

static void next_page(struct walk *w)
{
    struct queue  *q = w->queue;
    struct target *t = target_of(w);
    struct page    page = { .org = w->org, .up = true, .since_ms = w->since_ms,
                            .until_ms = w->until_ms, .after = w->at, .most = PAGE };

    if (w->owner->stopped || !q->joined) {
        forget(w);
    } else if (t == NULL) {
        look_up_target(w);
    } else if (held_by(w, t) != NULL) {
        hold(w, held_by(w, t));
    } else {
        w->busy = true;
        queue_page(q, &page, on_page, w);
    }
}

/* ---- Looking for jobs ------------------------------------------------------------------------ */

static void on_taken(void *arg, enum mh_err err, const redisReply *reply)
{
    struct replay_shard *s = arg;
    struct replays      *rs = s->owner;

    s->taking = false;
    if (rs->stopped)
        return;
    bool array = err == MH_OK && reply->type == REDIS_REPLY_ARRAY;
    for (size_t i = 0; array && i + 1 < reply->elements; i += 2) {
        json_t *fields = replay_fields(reply->element[i + 1]);
        if (fields != NULL && reply->element[i]->type == REDIS_REPLY_STRING)
            begin(rs, reply->element[i]->str, fields);
        json_decref(fields);
    }
    timer_start(&s->take, s->again ? 0 : TAKE_MS);
    s->again = false;
}

struct queue *replay_queue(const struct replays *rs, const char *id)
{
    return queues_of(rs->queues, id);
}

void replay_look(struct replays *rs, const char *id)
{
    struct replay_shard *s = &rs->shards[replay_queue(rs, id)->spec.shard];

    s->again = s->taking;
    timer_hasten(&s->take, 0);
}

static void on_take(struct timer *t)
{
    struct replay_shard *s = container_of(t, struct replay_shard, take);
    struct queue        *q = s->queue;
    struct command       c;

    if (s->owner->stopped || s->taking)
        return;
    if (!q->joined) {
        timer_start(&s->take, TAKE_MS);
        return;
    }
    s->taking = true;
    command_init(&c);
    command_text(&c, "2");
    queue_key2(q, &c, "replays", "open");
    queue_key(q, &c, "engines");
    command_text(&c, q->engine);
    queue_key2(q, &c, "replay", "");
    command_format(&c, "%d", TAKE_MOST);
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &s->owner->scripts[REPLAY_TAKE], &args, on_taken, s);
    command_deinit(&c);
}

/* ---- Life --------------------------------------------------------------------------------------- */

static void begin_looking(struct replays *rs, struct queue *q)
{
    struct replay_shard *s = &rs->shards[rs->shard_count++];

    s->owner = rs;
    s->queue = q;
    timer_init(&s->take, rs->loop, on_take);
    timer_start(&s->take, TAKE_MS);
}

struct replays *replays_new(uv_loop_t *loop, struct queues *qs, struct dispatch *dispatch)
{
    static const char *const names[REPLAY_SCRIPTS] = { "replay_create.lua", "replay_take.lua",
                                                       "replay.lua", "replay_end.lua" };
    struct replays *rs = mem_alloc(sizeof *rs);

    rs->loop = loop;
    rs->queues = qs;
    rs->dispatch = dispatch;
    for (int i = 0; i < REPLAY_SCRIPTS; i++)
        rs->scripts[i] = queue_script(names[i]);
    list_init(&rs->asking);
    for (size_t i = 0; i < queues_count(qs); i++)
        begin_looking(rs, queues_at(qs, i));
    return rs;
}

static int first_of(void *value, void *arg)
{
    *(struct walk **)arg = value;
    return 1;
}

void replays_stop(struct replays *rs)
{
    struct walk *w;

    rs->stopped = true;
    for (size_t i = 0; i < rs->shard_count; i++)
        timer_stop(&rs->shards[i].take);
    while (map_each(&rs->running, first_of, &w) != 0)
        forget(w);
    replay_answer_all(rs);
}

static void on_closed(struct timer *t)
{
    struct replays *rs = container_of(t, struct replay_shard, take)->owner;

    if (--rs->open_shards == 0)
        free(rs);
}

void replays_free(struct replays *rs)
{
    rs->open_shards = rs->shard_count;
    for (size_t i = 0; i < rs->shard_count; i++)
        timer_close(&rs->shards[i].take, on_closed);
}
