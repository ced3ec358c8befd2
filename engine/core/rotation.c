/* rotation.c - see rotation.h. Passes over all kinds until one finds nothing to do; then
 * what is on the disk is made to forget the former seals; then the former key goes. */
#include "core/rotation.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_PASSES = 10,                        /* others write under the former key, then */
    LOOK_MS = 50, MAX_LOOKS = 12000,        /* ten minutes for an append-only file */
    SETTLE_MS = 2000,                       /* longer than appendfsync everysec may wait */
};

struct rotation {
    struct rotation_spec spec;
    struct timer         look;
    bool                 running, closing, closed;
    bool                 waiting;           /* Redis owes an answer */
    bool                 rewriting;         /* it was told to write its file anew */
    unsigned             kind, passes, looks;
    size_t               to_do, secrets;    /* of the present pass */
    rotation_done       *done;              /* NULL: nobody waits */
    void                *arg;
};

static void look_again(struct timer *t);

struct rotation *rotation_new(const struct rotation_spec *spec)
{
    struct rotation *r = mem_alloc(sizeof *r);

    r->spec = *spec;
    timer_init(&r->look, spec->loop, look_again);
    return r;
}

/* ---- The end ----------------------------------------------------------------------------- */

static void free_if_over(struct rotation *r)
{
    if (r->closed && !r->waiting)
        free(r);
}

static void tell(struct rotation *r, enum mh_err err, json_t *answer)
{
    rotation_done *done = r->done;

    r->running = false;
    r->done = NULL;
    if (done != NULL)
        done(r->arg, err, answer);
    json_decref(answer);
}

static void fail(struct rotation *r, enum mh_err err, const char *detail)
{
    LOG_ERROR("master_key_rotation_stopped", "error=%s reason=\"%s\" do=\"rotate again, or start "
              "the engine again\"", err_code(err), detail);
    tell(r, err, json_pack("{s:s}", "detail", detail));
}

static void succeed(struct rotation *r)
{
    const char *detail = vault_is_given(r->spec.vault)
                       ? "the former key may now be removed from MOONHOOK_MASTER_KEY" : NULL;

    if (vault_end_change(r->spec.vault) != MH_OK) {
        fail(r, MH_IO, "every secret is under the new key, but the former one could not be "
             "removed from master.key");
        return;
    }
    LOG_INFO("master_key_rotated", "secrets=%zu", r->secrets);
    tell(r, MH_OK, json_pack("{s:b, s:I, s:s*}", "rotated", 1, "secrets", (json_int_t)r->secrets,
                             "detail", detail));
}

/* First in every callback of Redis; true: nobody is there any more. */
static bool is_over(struct rotation *r)
{
    bool closing = r->closing;

    r->waiting = false;
    if (closing)
        free_if_over(r);
    return closing;
}

static void on_look_closed(struct timer *t)
{
    struct rotation *r = container_of(t, struct rotation, look);

    r->closed = true;
    free_if_over(r);
}

void rotation_free(struct rotation *r)
{
    r->closing = true;
    if (r->running)
        fail(r, MH_UNAVAILABLE, "the engine is stopping");
    timer_close(&r->look, on_look_closed);
}

/* ---- The disk forgets ---------------------------------------------------------------------- */

static void look_later(struct rotation *r, int64_t delay_ms) { timer_start(&r->look, delay_ms); }

static void on_asked(void *arg, enum mh_err err, const redisReply *reply)
{
    struct rotation *r = arg;

    (void)reply;
    if (is_over(r))
        return;
    if (err != MH_OK && err != MH_IO) {
        fail(r, MH_UNAVAILABLE, "Redis was lost; both keys are kept");
        return;
    }
    r->rewriting = err == MH_OK;            /* else one was under way, begun before our writes */
    look_later(r, LOOK_MS);
}

static void judge_rewrite(struct rotation *r, const char *info)
{
    bool busy = strstr(info, "aof_rewrite_in_progress:1") || strstr(info, "aof_rewrite_scheduled:1");

    if (busy && ++r->looks >= MAX_LOOKS) {
        fail(r, MH_TIMEOUT, "Redis took too long to write its append-only file anew; both keys "
             "are kept");
    } else if (busy) {
        look_later(r, LOOK_MS);
    } else if (!r->rewriting) {
        r->waiting = true;
        redis_sendf(r->spec.redis, on_asked, r, "BGREWRITEAOF");
    } else if (strstr(info, "aof_last_bgrewrite_status:ok") == NULL) {
        fail(r, MH_IO, "Redis could not write its append-only file anew (see redis/redis.log); "
             "both keys are kept");
    } else {
        succeed(r);
    }
}

static void on_info(void *arg, enum mh_err err, const redisReply *reply)
{
    struct rotation *r = arg;

    if (is_over(r))
        return;
    if (err != MH_OK || reply->str == NULL)
        fail(r, MH_UNAVAILABLE, "Redis was lost; both keys are kept");
    else
        judge_rewrite(r, reply->str);
}

static void look_again(struct timer *t)
{
    struct rotation *r = container_of(t, struct rotation, look);

    if (!r->spec.own_redis) {
        succeed(r);
        return;
    }
    r->waiting = true;
    redis_sendf(r->spec.redis, on_info, r, "INFO persistence");
}

/* Another Redis has its own idea of its disk; what it confirmed is there within a second
 * or so, and until then the former key is not given up. */
static void let_the_disk_forget(struct rotation *r)
{
    r->rewriting = false;
    r->looks = 0;
    look_later(r, r->spec.own_redis || vault_is_given(r->spec.vault) ? 0 : SETTLE_MS);
}

/* ---- Passes ----------------------------------------------------------------------------------- */

struct walk { struct rotation *r; const struct rotation_kind *kind; const char *id; bool changed; };

static void reseal_text(struct walk *w, const char *field, json_t *text)
{
    char  about[VAULT_ABOUT_BYTES];
    char *sealed = NULL;

    w->kind->about(w->id, field, about);
    if (vault_reseal(w->r->spec.vault, about, json_string_value(text), &sealed) != MH_OK) {
        LOG_WARN("seal_not_opened", "kind=%s id=%s field=%.100s", w->kind->kind, w->id, field);
        return;                             /* lost before, or text that only looks sealed */
    }
    w->r->secrets++;
    w->changed = w->changed || sealed != NULL;
    if (sealed != NULL)
        json_string_set(text, sealed);
    free(sealed);
}

/* As deep as stored JSON may be (JSON_STORED_NESTING). */
static void walk_value(struct walk *w, const char *field, json_t *value)
{
    const char *name;
    json_t     *item;
    size_t      i;

    if (json_is_string(value) && vault_looks_sealed(json_string_value(value)))
        reseal_text(w, field, value);
    json_object_foreach(value, name, item)
        walk_value(w, name, item);
    json_array_foreach(value, i, item)
        walk_value(w, field, item);
}

static bool reseal_entry(void *arg, const char *id, json_t *value)
{
    struct rotation *r = arg;
    struct walk      w = { .r = r, .kind = &r->spec.kinds[r->kind], .id = id };

    if (!r->closing)                        /* its vault may be gone */
        walk_value(&w, "", value);
    return w.changed;
}

static void begin_pass(struct rotation *r);

static void end_pass(struct rotation *r)
{
    if (r->to_do == 0)
        let_the_disk_forget(r);
    else if (++r->passes < MAX_PASSES)
        begin_pass(r);
    else
        fail(r, MH_BUSY, "another engine keeps writing under the former key; give every engine "
             "the new one first");
}

static void next_kind(struct rotation *r);

static void on_kind(void *arg, enum mh_err err, size_t changed, size_t missed)
{
    struct rotation *r = arg;

    if (is_over(r))
        return;
    if (err != MH_OK) {
        fail(r, err, "Redis could not be reached; both keys are kept");
        return;
    }
    r->to_do += changed + missed;
    r->kind++;
    next_kind(r);
}

static void next_kind(struct rotation *r)
{
    const struct rotation_kind *kind = &r->spec.kinds[r->kind];

    if (kind->kind == NULL) {
        end_pass(r);
        return;
    }
    r->waiting = true;
    store_change_all(r->spec.store, kind->kind, reseal_entry, on_kind, r);
}

static void begin_pass(struct rotation *r)
{
    r->kind = 0;
    r->to_do = r->secrets = 0;
    next_kind(r);
}

static void begin(struct rotation *r, rotation_done *done, void *arg)
{
    r->running = true;
    r->done = done;
    r->arg = arg;
    r->passes = 0;
    begin_pass(r);
}

/* ---- What operators do --------------------------------------------------------------------------- */

static void refuse(rotation_done *done, void *arg, enum mh_err err, const char *detail)
{
    json_t *answer = json_pack("{s:s}", "detail", detail);

    done(arg, err, answer);
    json_decref(answer);
}

void rotation_run(struct rotation *r, rotation_done *done, void *arg)
{
    struct vault *v = r->spec.vault;

    if (r->running)
        refuse(done, arg, MH_CONFLICT, "the master key is being changed already");
    else if (vault_is_given(v) && !vault_has_former(v))
        refuse(done, arg, MH_CONFLICT, "the environment gives the master key: start every engine "
               "with MOONHOOK_MASTER_KEY=NEW,FORMER, where NEW is base64 of 32 random bytes and "
               "FORMER the present key, then do this again");
    else if (!redis_is_up(r->spec.redis))
        refuse(done, arg, MH_UNAVAILABLE, "Redis cannot be reached; nothing was changed");
    else if (!vault_is_given(v) && queues_stats(r->spec.queues).engines > 1)
        /* Each has its master.key in memory, and would go on sealing under that. */
        refuse(done, arg, MH_CONFLICT, "other engines use this Redis: start all of them with "
               "MOONHOOK_MASTER_KEY=NEW,FORMER (FORMER is in master.key), or one alone, then do this "
               "again");
    else if (!vault_has_former(v) && vault_begin_change(v) != MH_OK)
        refuse(done, arg, MH_IO, "the new key could not be written to master.key; nothing was "
               "changed");
    else {
        LOG_INFO("master_key_rotation_begun", "from=%s",
                 vault_is_given(v) ? "MOONHOOK_MASTER_KEY" : "master.key");
        begin(r, done, arg);
    }
}

void rotation_resume(struct rotation *r)
{
    if (r->running || vault_is_given(r->spec.vault) || !vault_has_former(r->spec.vault))
        return;
    LOG_INFO("master_key_rotation_resumed", "from=master.key");
    begin(r, NULL, NULL);
}
