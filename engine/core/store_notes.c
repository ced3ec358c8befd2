/* store_notes.c - notes of what entries left elsewhere; see store.h. */
#include "core/store_internal.h"

#include <stdlib.h>
#include <string.h>

const char *store_notes_of(const char *kind)
{
    return strcmp(kind, "plugins") == 0 ? "left:plugins" : NULL;
}

/* `id` NULL: all that can be taken. */
static void take(struct store *s, const char *kind, const char *id, redis_done *done, void *arg)
{
    struct command c;

    command_init(&c);
    command_text(&c, "3");
    store_key(s, &c, store_notes_of(kind));
    store_key(s, &c, kind);
    store_key(s, &c, "seen");
    command_text(&c, s->engine);
    command_format(&c, "%d", STORE_ENGINE_GONE_MS);
    if (id == NULL)
        command_format(&c, "%d", STORE_NOTES_AT_ONCE);
    else
        command_text(&c, "");
    if (id != NULL)
        command_text(&c, id);
    struct redis_args args = command_args(&c);
    redis_eval(s->redis, &s->note_take, &args, done, arg);
    command_deinit(&c);
}

/* ---- One --------------------------------------------------------------------------------- */

struct taking_one { store_note_taken *done; void *arg; };

static void on_one_taken(void *arg, enum mh_err err, const redisReply *reply)
{
    struct taking_one *t = arg;

    if (err != MH_OK || reply->type != REDIS_REPLY_STRING)
        t->done(t->arg, MH_UNAVAILABLE, false);
    else if (strcmp(reply->str, "busy") == 0)
        t->done(t->arg, MH_CONFLICT, false);
    else
        t->done(t->arg, MH_OK, strcmp(reply->str, "left") == 0);
    free(t);
}

void store_note_take(struct store *s, const char *kind, const char *id, store_note_taken *done, void *arg)
{
    struct taking_one *t = mem_alloc(sizeof *t);

    *t = (struct taking_one){ done, arg };
    take(s, kind, id, on_one_taken, t);
}

/* ---- All ------------------------------------------------------------------------------------ */

struct taking_all { store_notes_taken *done; void *arg; };

static void on_all_taken(void *arg, enum mh_err err, const redisReply *reply)
{
    struct taking_all *t = arg;
    json_t            *ids = json_array();

    if (err == MH_OK && reply->type != REDIS_REPLY_ARRAY)
        err = MH_UNAVAILABLE;
    for (size_t i = 0; err == MH_OK && i < reply->elements; i++)
        json_array_append_new(ids, json_string(reply->element[i]->str));
    t->done(t->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE, err == MH_OK ? ids : NULL);
    json_decref(ids);
    free(t);
}

void store_notes_take(struct store *s, const char *kind, store_notes_taken *done, void *arg)
{
    struct taking_all *t = mem_alloc(sizeof *t);

    *t = (struct taking_all){ done, arg };
    take(s, kind, NULL, on_all_taken, t);
}

/* ---- Dropping ---------------------------------------------------------------------------------- */

struct dropping { store_done *done; void *arg; };

static void on_dropped(void *arg, enum mh_err err, const redisReply *reply)
{
    struct dropping *d = arg;

    (void)reply;
    d->done(d->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE);
    free(d);
}

void store_note_drop(struct store *s, const char *kind, const char *id, store_done *done, void *arg)
{
    struct dropping *d = mem_alloc(sizeof *d);

    *d = (struct dropping){ done, arg };
    redis_sendf(s->redis, on_dropped, d, "HDEL %s:{c}:%s %s", s->prefix, store_notes_of(kind), id);
}
