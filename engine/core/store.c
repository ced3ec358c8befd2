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
    find_script(&s->load, "load.lua");
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
    struct store  *store;
    int64_t        revision, until_ms;      /* until_ms: monotonic */
    struct timer   again;                   /* asks whether the others have seen it */
    char          *kind, *id;
    store_written *written;
    store_done    *done;
    void          *arg;
};

static void write_free(struct write *w)
{
    free(w->kind);
    free(w->id);
    free(w);
}

static void on_again_closed(struct timer *again)
{
    write_free(container_of(again, struct write, again));
}

static void write_end(struct write *w, enum mh_err err)
{
    w->done(w->arg, err == MH_OK || err == MH_CONFLICT ? err : MH_UNAVAILABLE);
    if (w->again.open)
        timer_close(&w->again, on_again_closed);
    else
        write_free(w);
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
    if (w->written == NULL)
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
    if (w->written != NULL)
        w->written(w->arg, w->revision);
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

/* { revision, the present text }: another change came first. */
static void on_refused(struct write *w, const redisReply *reply)
{
    bool known = reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_STRING;

    if (!known || w->store->followers == NULL) {
        write_end(w, MH_UNAVAILABLE);
        return;
    }
    store_show(w->store, w->kind, w->id, reply->element[1], true, atoll(reply->element[0]->str));
    write_end(w, MH_CONFLICT);
}

static void on_written(void *arg, enum mh_err err, const redisReply *reply)
{
    struct write *w = arg;
    char          text[256];

    if (err == MH_IO)
        LOG_ERROR("store_refused", "redis=%s",
                  log_quote(reply && reply->str ? reply->str : "", text, sizeof text));
    if (err == MH_OK && reply->type == REDIS_REPLY_ARRAY) {
        on_refused(w, reply);
        return;
    }
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

static struct write *write_new(struct store *s, const struct store_write *spec)
{
    struct write *w = mem_alloc(sizeof *w);
    *w = (struct write){ .store = s, .kind = mem_strdup(spec->kind), .id = mem_strdup(spec->id),
                         .written = spec->written, .done = spec->done, .arg = spec->arg };
    return w;
}

static void send_write(struct store *s, const struct store_write *w, redis_done *done, void *arg)
{
    const char    *notes = store_notes_of(w->kind);
    struct command c;
    size_t         bytes = 0;
    char          *text = w->value ? json_text(w->value, &bytes) : NULL;

    command_init(&c);
    command_text(&c, notes ? "3" : "2");
    store_key(s, &c, w->kind);
    store_key(s, &c, "changes");
    if (notes != NULL)
        store_key(s, &c, notes);
    command_text(&c, w->id);
    command_format(&c, "%s %s", w->kind, w->id);
    if (w->based_on == STORE_ANY)
        command_text(&c, "");
    else
        command_format(&c, "%lld", (long long)w->based_on);
    command_text(&c, s->engine);
    if (w->value != NULL)
        command_add(&c, text ? text : "", bytes);
    struct redis_args args = command_args(&c);
    redis_eval(s->redis, &s->put, &args, done, arg);
    command_deinit(&c);
    free(text);
}

void store_write(struct store *s, const struct store_write *w)
{
    send_write(s, w, on_written, write_new(s, w));
}

static void on_told(void *arg, enum mh_err err, const redisReply *reply)
{
    if (err == MH_OK && reply->type == REDIS_REPLY_INTEGER)
        store_own_revision(arg, reply->integer);
}

void store_tell(struct store *s, const char *kind, const char *id, const json_t *value)
{
    send_write(s, &(struct store_write){ .kind = kind, .id = id, .value = value,
                                         .based_on = STORE_ANY }, on_told, s);
}

void store_put(struct store *s, const char *kind, const char *id, const json_t *value,
               store_done *done, void *arg)
{
    store_write(s, &(struct store_write){ .kind = kind, .id = id, .value = value,
                                          .based_on = STORE_ANY, .done = done, .arg = arg });
}

void store_remove(struct store *s, const char *kind, const char *id, store_done *done, void *arg)
{
    store_put(s, kind, id, NULL, done, arg);
}

/* ---- Reading ---------------------------------------------------------------------------- */

struct load { const char *kind; store_each *each; store_done *done; void *arg; };

json_t *store_parse(const char *kind, const char *id, const redisReply *text)
{
    struct json_fault fault;
    json_t           *value = NULL;

    if (json_parse_stored(text->str, text->len, &value, &fault) != MH_OK)
        LOG_ERROR("stored_entry_broken", "kind=%s id=%s fault=\"%s\"", kind, id, fault.text);
    return value;
}

static void show_entry(const struct load *l, redisReply *const *triple)
{
    json_t *value = store_parse(l->kind, triple[0]->str, triple[1]);

    if (value != NULL)
        l->each(l->arg, triple[0]->str, value, atoll(triple[2]->str));
    json_decref(value);
}

static void on_loaded(void *arg, enum mh_err err, const redisReply *reply)
{
    struct load *l = arg;

    if (err == MH_OK && reply->type != REDIS_REPLY_ARRAY)
        err = MH_UNAVAILABLE;
    for (size_t i = 0; err == MH_OK && i + 2 < reply->elements; i += 3)
        show_entry(l, &reply->element[i]);
    l->done(l->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE);
    free(l);
}

void store_load(struct store *s, const char *kind, store_each *each, store_done *done, void *arg)
{
    struct load   *l = mem_alloc(sizeof *l);
    struct command c;

    *l = (struct load){ kind, each, done, arg };
    command_init(&c);
    command_text(&c, "2");
    store_key(s, &c, kind);
    store_key(s, &c, "changes");
    command_text(&c, kind);
    struct redis_args args = command_args(&c);
    redis_eval(s->redis, &s->load, &args, on_loaded, l);
    command_deinit(&c);
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
