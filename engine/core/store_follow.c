/* store_follow.c - what other engines changed, told to the modules that hold it.
 *
 * A look asks for the newest revision; where that is not the known one, for the names of
 * what changed since, then for their values. Only when all were told is the revision
 * known: what is told twice must be harmless. A revision below the known one means that
 * Redis lost its data; memory then keeps what it has (as after FLUSHALL) and hears only
 * what was stored since. An engine that misses more changes than put.lua keeps must be
 * started again. */
#include "core/store_internal.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_AT_ONCE = 256, NAME_BYTES = 160 };

void store_own_revision(struct store *s, int64_t revision)
{
    if (revision == s->known + 1)
        s->known = revision;
}

void store_late_revision(struct store *s, int64_t revision)
{
    if (revision > 0 && s->known > revision)
        s->known = revision - 1;
}

/* Says what is known, and asks what there is. */
static void look(struct store *s, redis_done *done, void *arg)
{
    struct command c;

    command_init(&c);
    command_text(&c, "2");
    store_key(s, &c, "changes");
    store_key(s, &c, "seen");
    command_text(&c, s->engine);
    command_format(&c, "%lld", (long long)s->known);
    struct redis_args args = command_args(&c);
    redis_eval(s->redis, &s->look_script, &args, done, arg);
    command_deinit(&c);
}

/* ---- At the start ------------------------------------------------------------------- */

struct begin { struct store *store; store_done *done; void *arg; };

static void on_begun(void *arg, enum mh_err err, const redisReply *reply)
{
    struct begin *b = arg;

    if (err == MH_OK && reply->type == REDIS_REPLY_INTEGER)
        b->store->known = reply->integer;
    b->done(b->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE);
    free(b);
}

void store_begin(struct store *s, store_done *done, void *arg)
{
    struct begin *b = mem_alloc(sizeof *b);

    *b = (struct begin){ s, done, arg };
    s->known = 0;                           /* nothing is loaded: who changes something waits */
    look(s, on_begun, b);
}

/* ---- Telling -------------------------------------------------------------------------- */

/* The names of one look; each entry in it refers to it. */
struct news {
    struct store *store;
    size_t        missing;
    int64_t       newest, refused;          /* refused: the first that is to be told again */
};

struct entry {
    struct news *news;
    int64_t      revision;
    bool         removed;
    char         kind[NAME_BYTES];
    const char  *id;
};

static void look_again(struct store *s)
{
    if (s->followers != NULL)
        timer_start(&s->look, STORE_LOOK_MS);
}

static void entry_told(struct news *n)
{
    struct store *s = n->store;

    if (--n->missing > 0)
        return;
    if (s->followers != NULL)
        s->known = n->refused > 0 ? n->refused - 1 : n->newest;
    if (s->followers != NULL)               /* who waits for us to have seen it hears so at once */
        timer_start(&s->look, n->refused > 0 ? STORE_LOOK_MS : 0);
    free(n);
}

static void refuse(struct news *n, int64_t revision)
{
    if (n->refused == 0 || revision < n->refused)
        n->refused = revision;
}

/* What is missing without having been removed was taken away behind everybody's back:
 * memory keeps it. */
bool store_show(const struct store *s, const char *kind, const char *id, const redisReply *text,
                bool removed, int64_t revision)
{
    json_t *value = text->type == REDIS_REPLY_STRING ? store_parse(kind, id, text) : NULL;
    bool    taken = true;

    if (value != NULL || (removed && text->type == REDIS_REPLY_NIL))
        for (const struct store_follower *f = s->followers; f->kind != NULL; f++)
            if (strcmp(f->kind, kind) == 0)
                taken = f->heard(f->arg, id, value, revision);
    json_decref(value);
    return taken;
}

static void on_entry(void *arg, enum mh_err err, const redisReply *reply)
{
    struct entry *e = arg;
    struct news  *n = e->news;

    if (n->store->followers != NULL &&
        (err != MH_OK || !store_show(n->store, e->kind, e->id, reply, e->removed, e->revision)))
        refuse(n, e->revision);
    free(e);
    entry_told(n);
}

/* "kind id", "- kind id" */
static void ask_entry(struct news *n, const redisReply *name, int64_t revision)
{
    struct entry *e = mem_alloc(sizeof *e);

    e->news = n;
    e->revision = revision;
    e->removed = strncmp(name->str, "- ", 2) == 0;
    snprintf(e->kind, sizeof e->kind, "%s", name->str + (e->removed ? 2 : 0));
    char *space = strchr(e->kind, ' ');
    if (space != NULL)
        *space = '\0';
    e->id = space != NULL ? space + 1 : "";
    n->missing++;
    redis_sendf(n->store->redis, on_entry, e, "HGET %s:{c}:%s %s", n->store->prefix, e->kind, e->id);
}

static void on_names(void *arg, enum mh_err err, const redisReply *reply)
{
    struct store *s = arg;

    if (err != MH_OK || s->followers == NULL || reply->type != REDIS_REPLY_ARRAY ||
        reply->elements < 2) {
        look_again(s);
        return;
    }
    struct news *n = mem_alloc(sizeof *n);
    n->store = s;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        n->newest = atoll(reply->element[i + 1]->str);
        ask_entry(n, reply->element[i], n->newest);
    }
}

static void on_revision(void *arg, enum mh_err err, const redisReply *reply)
{
    struct store *s = arg;
    bool          known = err == MH_OK && reply->type == REDIS_REPLY_INTEGER;
    int64_t       newest = known ? (int64_t)reply->integer : s->known;

    if (newest < s->known) {
        LOG_WARN("configuration_lost", "known=%lld found=%lld do=\"store it again, or stop all "
                 "engines before restoring a backup\"", (long long)s->known, (long long)newest);
        s->known = 0;
    }
    if (newest == s->known) {
        look_again(s);
        return;
    }
    redis_sendf(s->redis, on_names, s,
                "ZRANGEBYSCORE %s:{c}:changes (%lld +inf WITHSCORES LIMIT 0 %d", s->prefix,
                (long long)s->known, NAMES_AT_ONCE);
}

static void on_look(struct timer *timer)
{
    struct store *s = container_of(timer, struct store, look);

    if (redis_reaches(s->redis, s->keys))
        look(s, on_revision, s);
    else
        look_again(s);
}

void store_follow(struct store *s, uv_loop_t *loop, const struct store_follower *followers)
{
    if (s->followers != NULL)
        return;
    s->followers = followers;
    s->loop = loop;
    timer_init(&s->look, loop, on_look);
    timer_start(&s->look, 0);
}

void store_unfollow(struct store *s)
{
    if (s->followers != NULL)
        timer_close(&s->look, NULL);
    s->followers = NULL;
}
