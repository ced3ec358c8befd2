/* store.c - see store.h. */
#include "core/store_internal.h"

#include "base/clock.h"
#include "base/embed.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* Entries shown to a change at a time: an entry has some MiB at most, a command 64. */
enum { CHANGE_ENTRIES = 8 };
enum { ASK_AGAIN_MS = 20, GONE_MS = 5 * STORE_LOOK_MS };

static void find_script(struct redis_script *script, const char *name)
{
    for (const struct embedded *e = embedded_redis_scripts; e->name != NULL; e++)
        if (strcmp(e->name, name) == 0)
            *script = (struct redis_script){ .name = e->name, .source = e->text };
}

struct store *store_new(struct redis *redis, const char *prefix)
{
    struct store *s = mem_alloc(sizeof *s);

    s->redis = redis;
    s->prefix = prefix;
    s->keys = mem_printf("%s:{c}", prefix);
    id_new("eng", s->engine);
    find_script(&s->put, "put.lua");
    find_script(&s->replace, "replace.lua");
    find_script(&s->look_script, "look.lua");
    find_script(&s->agree_script, "agree.lua");
    find_script(&s->note_take, "note_take.lua");
    return s;
}

void store_free(struct store *s)
{
    free(s->keys);
    free(s);
}

void store_key(const struct store *s, struct command *c, const char *name)
{
    command_format(c, "%s:{c}:%s", s->prefix, name);
}

struct write {
    struct store *store;
    int64_t       revision, until_ms;       /* until_ms: monotonic */
    struct timer  again;                    /* asks whether the others have seen it */
    store_done   *done;
    void         *arg;
};

static void on_again_closed(struct timer *again)
{
    free(container_of(again, struct write, again));
}

static void write_end(struct write *w, enum mh_err err)
{
    w->done(w->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE);
    if (w->again.open)
        timer_close(&w->again, on_again_closed);
    else
        free(w);
}

/* ---- Until the others have seen it ------------------------------------------------------ */

static void on_agreed(void *arg, enum mh_err err, const redisReply *reply)
{
    struct write *w = arg;
    bool behind = err == MH_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0;

    if (w->store->followers == NULL) {      /* the engine stops */
        write_end(w, MH_UNAVAILABLE);
        return;
    }
    if (behind && clock_mono_ms() < w->until_ms) {
        timer_start(&w->again, ASK_AGAIN_MS);
        return;
    }
    store_late_revision(w->store, w->revision);
    write_end(w, MH_OK);
}

static void ask_others(struct write *w)
{
    struct store  *s = w->store;
    struct command c;

    command_init(&c);
    command_text(&c, "1");
    store_key(s, &c, "seen");
    command_text(&c, s->engine);
    command_format(&c, "%lld", (long long)w->revision);
    command_format(&c, "%d", GONE_MS);
    struct redis_args args = command_args(&c);
    redis_eval(s->redis, &s->agree_script, &args, on_agreed, w);
    command_deinit(&c);
}

static void on_again(struct timer *again)
{
    struct write *w = container_of(again, struct write, again);

    if (w->store->followers != NULL)
        ask_others(w);
    else
        write_end(w, MH_UNAVAILABLE);
}

/* It is in Redis. At the start nobody is waited for: others may be starting as well. */
static void see_to_others(struct write *w)
{
    if (w->store->followers == NULL) {
        write_end(w, MH_OK);
        return;
    }
    timer_init(&w->again, w->store->loop, on_again);
    w->until_ms = clock_mono_ms() + STORE_AGREE_MS;
    ask_others(w);
}

/* ---- Writing -------------------------------------------------------------------------- */

static void on_replicated(void *arg, enum mh_err err, const redisReply *reply)
{
    struct write *w = arg;

    (void)reply;
    if (err == MH_OK) {
        see_to_others(w);
        return;
    }
    store_late_revision(w->store, w->revision);
    write_end(w, err);
}

static void on_written(void *arg, enum mh_err err, const redisReply *reply)
{
    struct write *w = arg;
    char          text[256];

    if (err == MH_IO)
        LOG_ERROR("store_refused", "redis=%s",
                  log_quote(reply && reply->str ? reply->str : "", text, sizeof text));
    if (err == MH_OK && reply->type == REDIS_REPLY_INTEGER) {
        w->revision = reply->integer;
        store_own_revision(w->store, w->revision);
    }
    if (err == MH_OK && redis_waits(w->store->redis))
        redis_wait(w->store->redis, on_replicated, w);
    else if (err == MH_OK)
        see_to_others(w);
    else
        write_end(w, err);
}

/* `text` NULL: removed. */
static void write_entry(struct store *s, const char *kind, const char *id, const char *text,
                        size_t bytes, redis_done *done, void *arg)
{
    const char    *notes = store_notes_of(kind);
    struct command c;

    command_init(&c);
    command_text(&c, notes ? "3" : "2");
    store_key(s, &c, kind);
    store_key(s, &c, "changes");
    if (notes != NULL)
        store_key(s, &c, notes);
    command_text(&c, id);
    command_format(&c, "%s %s", kind, id);
    command_text(&c, s->engine);
    if (text != NULL)
        command_add(&c, text, bytes);
    struct redis_args args = command_args(&c);
    redis_eval(s->redis, &s->put, &args, done, arg);
    command_deinit(&c);
}

static struct write *write_new(struct store *s, store_done *done, void *arg)
{
    struct write *w = mem_alloc(sizeof *w);
    *w = (struct write){ .store = s, .done = done, .arg = arg };
    return w;
}

void store_put(struct store *s, const char *kind, const char *id, const json_t *value,
               store_done *done, void *arg)
{
    size_t bytes = 0;
    char  *text = json_text(value, &bytes);

    write_entry(s, kind, id, text ? text : "", text ? bytes : 0, on_written,
                write_new(s, done, arg));
    free(text);
}

void store_remove(struct store *s, const char *kind, const char *id, store_done *done, void *arg)
{
    write_entry(s, kind, id, NULL, 0, on_written, write_new(s, done, arg));
}

static void on_told(void *arg, enum mh_err err, const redisReply *reply)
{
    if (err == MH_OK && reply->type == REDIS_REPLY_INTEGER)
        store_own_revision(arg, reply->integer);
}

void store_tell(struct store *s, const char *kind, const char *id, const json_t *value)
{
    size_t bytes = 0;
    char  *text = value != NULL ? json_text(value, &bytes) : NULL;

    write_entry(s, kind, id, text, bytes, on_told, s);
    free(text);
}

/* ---- Reading ---------------------------------------------------------------------------- */

struct load { const char *kind; store_loaded *done; void *arg; };

json_t *store_parse(const char *kind, const char *id, const redisReply *text)
{
    struct json_fault fault;
    json_t           *value = NULL;

    if (json_parse_stored(text->str, text->len, &value, &fault) != MH_OK)
        LOG_ERROR("stored_entry_broken", "kind=%s id=%s fault=\"%s\"", kind, id, fault.text);
    return value;
}

static void add_entry(json_t *all, const char *kind, const redisReply *id, const redisReply *text)
{
    json_t *value = store_parse(kind, id->str, text);

    if (value != NULL)
        json_put(all, id->str, value);
}

static void on_loaded(void *arg, enum mh_err err, const redisReply *reply)
{
    struct load *l = arg;
    json_t      *all = json_object();

    if (err == MH_OK && reply->type != REDIS_REPLY_ARRAY)
        err = MH_UNAVAILABLE;
    for (size_t i = 0; err == MH_OK && i + 1 < reply->elements; i += 2)
        add_entry(all, l->kind, reply->element[i], reply->element[i + 1]);
    l->done(l->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE, err == MH_OK ? all : NULL);
    json_decref(all);
    free(l);
}

void store_load(struct store *s, const char *kind, store_loaded *done, void *arg)
{
    struct load *l = mem_alloc(sizeof *l);

    *l = (struct load){ kind, done, arg };
    redis_sendf(s->redis, on_loaded, l, "HGETALL %s:{c}:%s", s->prefix, kind);
}

/* ---- Changing all of a kind: read the ids, then HMGET, change, replace, some at a time ---- */

struct changing {
    struct store  *store;
    char          *key;
    json_t        *ids;                     /* strings */
    size_t         at, asked;               /* the next id; how many ids the last HMGET had */
    size_t         sent, changed, missed;
    store_change  *change;
    store_changed *done;
    void          *arg;
};

static void changing_end(struct changing *c, enum mh_err err)
{
    c->done(c->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE, c->changed, c->missed);
    json_decref(c->ids);
    free(c->key);
    free(c);
}

static void change_next(struct changing *c);

static void on_replaced(void *arg, enum mh_err err, const redisReply *reply)
{
    struct changing *c = arg;

    if (err != MH_OK || reply->type != REDIS_REPLY_INTEGER) {
        changing_end(c, MH_UNAVAILABLE);
        return;
    }
    c->changed += (size_t)reply->integer;
    c->missed += c->sent - (size_t)reply->integer;
    change_next(c);
}

/* Adds the triple of an entry that is to be another. */
static void change_entry(struct changing *c, struct command *command, const char *id,
                         const redisReply *text)
{
    struct json_fault fault;
    json_t           *value = NULL;
    size_t            bytes = 0;

    if (text->type != REDIS_REPLY_STRING ||     /* removed meanwhile, or broken: not ours to mend */
        json_parse_stored(text->str, text->len, &value, &fault) != MH_OK)
        return;
    char *after = c->change(c->arg, id, value) ? json_text(value, &bytes) : NULL;
    json_decref(value);
    if (after == NULL)
        return;
    command_text(command, id);
    command_add(command, text->str, text->len);
    command_add(command, after, bytes);
    c->sent++;
    free(after);
}

static void on_entries(void *arg, enum mh_err err, const redisReply *reply)
{
    struct changing *c = arg;
    struct command   command;

    if (err != MH_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements != c->asked) {
        changing_end(c, MH_UNAVAILABLE);
        return;
    }
    command_init(&command);
    command_text(&command, "1");
    command_text(&command, c->key);
    c->sent = 0;
    for (size_t i = 0; i < c->asked; i++)
        change_entry(c, &command, json_string_value(json_array_get(c->ids, c->at + i)),
                     reply->element[i]);
    c->at += c->asked;
    struct redis_args args = command_args(&command);
    if (c->sent > 0)
        redis_eval(c->store->redis, &c->store->replace, &args, on_replaced, c);
    else
        change_next(c);
    command_deinit(&command);
}

static void change_next(struct changing *c)
{
    size_t         left = json_array_size(c->ids) - c->at;
    struct command command;

    if (left == 0) {
        changing_end(c, MH_OK);
        return;
    }
    c->asked = left < CHANGE_ENTRIES ? left : CHANGE_ENTRIES;
    command_init(&command);
    command_text(&command, "HMGET");
    command_text(&command, c->key);
    for (size_t i = 0; i < c->asked; i++)
        command_text(&command, json_string_value(json_array_get(c->ids, c->at + i)));
    struct redis_args args = command_args(&command);
    redis_send(c->store->redis, &args, on_entries, c);
    command_deinit(&command);
}

static void on_ids(void *arg, enum mh_err err, const redisReply *reply)
{
    struct changing *c = arg;

    if (err != MH_OK || reply->type != REDIS_REPLY_ARRAY) {
        changing_end(c, MH_UNAVAILABLE);
        return;
    }
    for (size_t i = 0; i < reply->elements; i++)
        json_array_append_new(c->ids, json_string(reply->element[i]->str));
    change_next(c);
}

void store_change_all(struct store *s, const char *kind, store_change *change,
                      store_changed *done, void *arg)
{
    struct changing *c = mem_alloc(sizeof *c);

    *c = (struct changing){ .store = s, .key = mem_printf("%s:{c}:%s", s->prefix, kind),
                            .ids = json_array(), .change = change, .done = done, .arg = arg };
    redis_sendf(s->redis, on_ids, c, "HKEYS %s", c->key);
}
