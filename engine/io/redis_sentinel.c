/* redis_sentinel.c - which of several servers is the master: asked of sentinels.
 *
 * One of the sentinels that the URL names is asked every second, also while all is well:
 * a master that was demoted, or cut off from the others, does not say so itself. When a
 * sentinel or the master cannot be reached, the next sentinel is asked. What a sentinel
 * names must say ROLE master itself before anything is sent to it (redis_link.c). */
#include "io/redis_internal.h"

#include "base/util.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000, LOOK_DOWN_MS = 200 };

struct redis_sentinel {
    struct redis      *r;
    struct redis_node *node;                /* the sentinel that is asked; NULL at first */
    size_t             turn;                /* which is next */
    bool               asking, doubt;       /* doubt: ask another one */
    struct timer       look;
    struct log_limit   log;
};

static void open_next(struct redis_sentinel *s)
{
    const struct redis_url  *url = &s->r->url;
    const struct redis_host *host = &url->hosts[s->turn++ % url->host_count];

    if (s->node != NULL)
        redis_close_node(s->r, s->node);
    s->doubt = false;
    s->node = redis_open_node(s->r, host->name, host->port, &url->sentinel_login, false);
}

static void take_master(struct redis_sentinel *s, const char *host, const char *port)
{
    struct redis *r = s->r;
    char          text[300];

    if (r->node != NULL && redis_node_is(r->node, host, port))
        return;
    if (r->node != NULL)
        redis_close_node(r, r->node);
    r->node = redis_open_node(r, host, port, &r->url.login, true);
    if (r->node != NULL)
        LOG_INFO("redis_master_named", "master=%s sentinel=%s",
                 log_quote(redis_node_name(r->node), text, sizeof text), redis_node_name(s->node));
    redis_set_up(r, false, "the sentinels name another master");
}

static bool is_address(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[0]->type == REDIS_REPLY_STRING &&
           reply->element[1]->type == REDIS_REPLY_STRING;
}

static void on_master(void *arg, enum mh_err err, const redisReply *reply)
{
    struct redis_sentinel *s = arg;

    s->asking = false;
    if (s->r->closing)
        return;
    if (err == MH_OK && is_address(reply)) {
        take_master(s, reply->element[0]->str, reply->element[1]->str);
        return;
    }
    s->doubt = true;
    if (log_allowed(&s->log))
        LOG_WARN("redis_master_unknown", "sentinel=%s hint=\"is the master's name in --redis right?\"",
                 s->node != NULL ? redis_node_name(s->node) : "none");
}

static void ask(struct redis_sentinel *s)
{
    const char *argv[] = { "SENTINEL", "get-master-addr-by-name", s->r->url.master };

    if (s->asking || s->node == NULL || !redis_node_is_up(s->node))
        return;
    s->asking = true;
    redis_tell_node(s->r, s->node, ARRAY_LEN(argv), argv, on_master, s);
}

static void on_look(struct timer *look)
{
    struct redis_sentinel *s = container_of(look, struct redis_sentinel, look);

    if (s->node == NULL || s->doubt)
        open_next(s);
    else
        ask(s);
    timer_start(&s->look, s->r->up ? LOOK_MS : LOOK_DOWN_MS);
}

void redis_sentinel_open(struct redis *r)
{
    struct redis_sentinel *s = mem_alloc(sizeof *s);

    s->r = r;
    r->sentinel = s;
    r->open_handles++;
    timer_init(&s->look, r->loop, on_look);
    timer_start(&s->look, 0);
}

void redis_sentinel_node_up(struct redis *r) { ask(r->sentinel); }

void redis_sentinel_doubt(struct redis *r)
{
    r->sentinel->doubt = true;
    timer_hasten(&r->sentinel->look, LOOK_DOWN_MS);
}

static void look_closed(struct timer *look)
{
    struct redis_sentinel *s = container_of(look, struct redis_sentinel, look);

    redis_part_closed(s->r);
    free(s);
}

void redis_sentinel_close(struct redis *r)
{
    if (r->sentinel->node != NULL)
        redis_close_node(r, r->sentinel->node);
    r->sentinel->node = NULL;
    timer_close(&r->sentinel->look, look_closed);
}
