/* store.c - see store.h. */
#include "core/store.h"

#include "base/log.h"

#include <stdlib.h>

struct store { struct redis *redis; const char *prefix; };

struct store *store_new(struct redis *redis, const char *prefix)
{
    struct store *s = mem_alloc(sizeof *s);
    *s = (struct store){ redis, prefix };
    return s;
}

void store_free(struct store *s) { free(s); }

struct write { struct redis *redis; store_done *done; void *arg; };

static void on_replicated(void *arg, enum mh_err err, const redisReply *reply)
{
    struct write *w = arg;

    (void)reply;
    w->done(w->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE);
    free(w);
}

static void on_written(void *arg, enum mh_err err, const redisReply *reply)
{
    struct write *w = arg;
    char          text[256];

    if (err == MH_IO)
        LOG_ERROR("store_refused", "redis=%s",
                  log_quote(reply && reply->str ? reply->str : "", text, sizeof text));
    if (err == MH_OK && redis_waits(w->redis))
        redis_wait(w->redis, on_replicated, w);
    else
        on_replicated(w, err, NULL);
}

static struct write *write_new(struct store *s, store_done *done, void *arg)
{
    struct write *w = mem_alloc(sizeof *w);
    *w = (struct write){ s->redis, done, arg };
    return w;
}

void store_put(struct store *s, const char *kind, const char *id, const json_t *value,
               store_done *done, void *arg)
{
    size_t bytes = 0;
    char  *text = json_text(value, &bytes);

    redis_sendf(s->redis, on_written, write_new(s, done, arg), "HSET %s:{c}:%s %s %b", s->prefix,
                kind, id, text ? text : "", text ? bytes : 0);
    free(text);
}

void store_remove(struct store *s, const char *kind, const char *id, store_done *done, void *arg)
{
    redis_sendf(s->redis, on_written, write_new(s, done, arg), "HDEL %s:{c}:%s %s", s->prefix, kind,
                id);
}

struct load { const char *kind; store_loaded *done; void *arg; };

static void add_entry(json_t *all, const char *kind, const redisReply *id, const redisReply *text)
{
    struct json_fault fault;
    json_t           *value = NULL;

    if (json_parse_stored(text->str, text->len, &value, &fault) == MH_OK)
        json_put(all, id->str, value);
    else
        LOG_ERROR("stored_entry_broken", "kind=%s id=%s fault=\"%s\"", kind, id->str, fault.text);
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
