/* queue_layout.c - see queue_layout.h. */
#include "core/queue_layout.h"

#include "base/log.h"
#include "core/queue_internal.h"
#include "core/queues.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TRIES = 5 };                    /* others may change it at the same time */

struct agreement {
    struct redis       *redis;
    char               *number_key;
    const char         *prefix;
    size_t              shards;             /* wanted */
    size_t              found;              /* of the queue that Redis has */
    bool                unsaid;             /* that is an old one: no number is stored */
    size_t              looked;             /* shards of that one that are known to be empty */
    bool                held;               /* one of them is not */
    bool                changed;            /* the number is ours: they are looked at again */
    int                 tries;
    queue_layout_done  *done;
    void               *arg;
};

static void look(struct agreement *a);
static void read_number(struct agreement *a);

static void agreement_end(struct agreement *a, enum mh_err err)
{
    a->done(a->arg, err);
    free(a->number_key);
    free(a);
}

static void refuse(struct agreement *a)
{
    LOG_ERROR("queue_shards_differ", "setting=--queue-shards given=%zu stored=%zu do=\"start with "
              "--queue-shards %zu; how to change it is told in docs/redis.md\"", a->shards, a->found,
              a->found);
    agreement_end(a, MH_CONFLICT);
}

/* ---- Changing the number ---------------------------------------------------------------- */

static void set_number(struct agreement *a, size_t from, size_t to, redis_done *done)
{
    static struct redis_script script;
    struct command             c;

    if (script.source == NULL)
        script = queue_script("layout_set.lua");
    command_init(&c);
    command_text(&c, "1");
    command_text(&c, a->number_key);
    command_format(&c, "%zu", from);
    command_format(&c, "%zu", to);
    struct redis_args args = command_args(&c);
    redis_eval(a->redis, &script, &args, done, a);
    command_deinit(&c);
}

static void on_taken_back(void *arg, enum mh_err err, const redisReply *reply)
{
    struct agreement *a = arg;

    (void)reply;
    if (err == MH_OK)
        refuse(a);
    else
        agreement_end(a, MH_UNAVAILABLE);
}

static void on_set(void *arg, enum mh_err err, const redisReply *reply)
{
    struct agreement *a = arg;

    if (err != MH_OK || reply->type != REDIS_REPLY_INTEGER) {
        agreement_end(a, MH_UNAVAILABLE);
    } else if (reply->integer != 1) {       /* somebody else was first */
        read_number(a);
    } else if (a->shards == a->found) {
        agreement_end(a, MH_OK);
    } else {
        a->changed = true;
        a->looked = 0;
        look(a);
    }
}

/* ---- Is the former queue empty? ----------------------------------------------------------- */

static void on_looked(void *arg, enum mh_err err, const redisReply *reply)
{
    struct agreement *a = arg;

    if (err != MH_OK || reply->type != REDIS_REPLY_INTEGER) {
        agreement_end(a, MH_UNAVAILABLE);
        return;
    }
    a->held = reply->integer != 0;
    if (a->held && a->changed)
        set_number(a, a->shards, a->unsaid ? 0 : a->found, on_taken_back);
    else if (a->held)
        read_number(a);                     /* by one of ours, who changed the number meanwhile? */
    else if (++a->looked < a->found)
        look(a);
    else if (a->changed)
        agreement_end(a, MH_OK);
    else
        set_number(a, a->unsaid ? 0 : a->found, a->shards, on_set);
}

static void add_key(struct command *c, const char *keys, const char *name)
{
    command_format(c, "%s:%s", keys, name);
}

static void look(struct agreement *a)
{
    static struct redis_script script;
    char                       kind[QUEUES_KIND_BYTES], *keys;
    struct command             c;

    if (script.source == NULL)
        script = queue_script("layout_look.lua");
    keys = queues_keys(a->prefix, a->looked, a->found);
    queues_engine_kind(a->shards, kind);
    command_init(&c);
    command_text(&c, "4");
    add_key(&c, keys, "engines");
    add_key(&c, keys, "due");
    add_key(&c, keys, "orgs");
    add_key(&c, keys, "replays:open");
    command_format(&c, "%s_", kind);
    command_text(&c, a->changed ? "engines" : "all");
    struct redis_args args = command_args(&c);
    redis_eval(a->redis, &script, &args, on_looked, a);
    command_deinit(&c);
    free(keys);
}

/* ---- The number ------------------------------------------------------------------------------ */

static void on_number(void *arg, enum mh_err err, const redisReply *reply)
{
    struct agreement *a = arg;
    size_t number = err == MH_OK && reply->type == REDIS_REPLY_STRING
                  ? (size_t)strtoul(reply->str, NULL, 10) : 0;

    a->unsaid = number == 0;
    a->found = number == 0 ? 1 : number;
    if (err != MH_OK || a->tries++ == MOST_TRIES)
        agreement_end(a, MH_UNAVAILABLE);
    else if (number == a->shards)
        agreement_end(a, MH_OK);
    else if (a->found > QUEUE_MAX_SHARDS || a->held)
        refuse(a);
    else if (a->found == a->shards)
        set_number(a, 0, a->shards, on_set);
    else
        look(a);
}

static void read_number(struct agreement *a)
{
    a->looked = 0;
    redis_sendf(a->redis, on_number, a, "GET %s", a->number_key);
}

void queue_layout_agree(struct redis *redis, const char *prefix, size_t shards,
                        queue_layout_done *done, void *arg)
{
    struct agreement *a = mem_alloc(sizeof *a);

    *a = (struct agreement){ .redis = redis, .prefix = prefix, .shards = shards, .done = done,
                             .arg = arg, .number_key = mem_printf("%s:{c}:shards", prefix) };
    read_number(a);
}
