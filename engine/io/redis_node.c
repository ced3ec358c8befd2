/* redis_node.c - see redis_node.h. */
#include "io/redis_node.h"

#include "base/util.h"
#include "io/tls_bridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 1000 };

struct redis_node {
    uv_loop_t             *loop;
    struct redis_node_spec spec;            /* of which host and port are ours */
    char                  *host, *port, *name;
    struct tls_bridge     *bridge;          /* NULL without TLS */
    struct redis_link     *link;            /* NULL while there is no connection */
    bool                   up, closing;
    uv_getaddrinfo_t       lookup;
    size_t                 address_turn;    /* which of the host's addresses is next */
    bool                   more_addresses;  /* before it is worth a word and a pause */
    struct timer           retry;
    int64_t                retry_ms;
    unsigned               open_handles;    /* and requests: libuv still has our memory */
};

static void connect_now(struct redis_node *n);

static void on_retry(struct timer *retry)
{
    connect_now(container_of(retry, struct redis_node, retry));
}

static int64_t next_delay(struct redis_node *n)
{
    int64_t delay = n->retry_ms;
    n->retry_ms = delay * 2 < RETRY_MAX_MS ? delay * 2 : RETRY_MAX_MS;
    return delay;
}

static void down(struct redis_node *n, const char *why)
{
    bool was_up = n->up;
    bool silent = !was_up && n->more_addresses;

    n->up = false;
    timer_start(&n->retry, silent ? 0 : next_delay(n));
    if (!silent)
        n->spec.ops->down(n->spec.owner, n, was_up, why);
}

/* ---- What the link tells ---------------------------------------------------------- */

static void on_lost(void *owner, const char *why, struct list *unanswered)
{
    struct redis_node *n = owner;

    n->link = NULL;
    for (struct list *node; (node = list_pop_front(unanswered)) != NULL;)
        n->spec.ops->unanswered(n->spec.owner, container_of(node, struct redis_command, node));
    bool tls_failed = n->bridge != NULL && tls_bridge_why(n->bridge)[0] != '\0';
    down(n, tls_failed ? tls_bridge_why(n->bridge) : why);
}

static void on_up(void *owner)
{
    struct redis_node *n = owner;

    n->up = true;
    n->retry_ms = RETRY_FIRST_MS;
    n->spec.ops->up(n->spec.owner, n);
}

static void on_answered(void *owner, struct redis_command *c, const redisReply *reply)
{
    struct redis_node *n = owner;
    n->spec.ops->answered(n->spec.owner, n, c, reply);
}

static const struct redis_link_ops link_ops = {
    .up = on_up, .answered = on_answered, .lost = on_lost,
};

/* ---- Connecting --------------------------------------------------------------------- */

static void open_link(struct redis_node *n, const struct sockaddr *to)
{
    struct redis_link_spec spec = { .to = to, .path = n->spec.path, .login = n->spec.login,
                                    .master = n->spec.master };
    char                   why[LINK_WHY_BYTES];

    if (n->bridge != NULL) {
        tls_bridge_aim(n->bridge, to);
        spec.path = tls_bridge_path(n->bridge);
        spec.to = NULL;
    }
    if (redis_link_open(n->loop, &spec, &link_ops, n, why, &n->link) != MH_OK)
        down(n, why);
}

/* Each attempt takes the next address: "localhost" may be ::1 and 127.0.0.1. */
static const struct addrinfo *next_address(struct redis_node *n, const struct addrinfo *all)
{
    const struct addrinfo *found = all;
    size_t                 count = 0;

    for (const struct addrinfo *a = all; a != NULL; a = a->ai_next)
        count++;
    size_t turn = n->address_turn++ % count;
    n->more_addresses = turn + 1 < count;
    for (size_t i = 0; i < turn; i++)
        found = found->ai_next;
    return found;
}

static void maybe_free(struct redis_node *n)
{
    if (--n->open_handles > 0)
        return;
    free(n->host);
    free(n->port);
    free(n->name);
    free(n);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *all)
{
    struct redis_node *n = container_of(lookup, struct redis_node, lookup);

    if (!n->closing && status == 0)
        open_link(n, next_address(n, all)->ai_addr);
    else if (!n->closing) {
        n->more_addresses = false;
        down(n, uv_strerror(status));
    }
    uv_freeaddrinfo(all);
    maybe_free(n);
}

static void connect_now(struct redis_node *n)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

    if (n->spec.path != NULL) {
        open_link(n, NULL);
        return;
    }
    int err = uv_getaddrinfo(n->loop, &n->lookup, on_looked_up, n->host, n->port, &hints);
    if (err == 0)
        n->open_handles++;
    else
        down(n, uv_strerror(err));
}

/* ---- Interface ------------------------------------------------------------------------ */

static char *name_of(const struct redis_node_spec *spec)
{
    if (spec->path != NULL)
        return mem_strdup(spec->path);
    bool v6 = strchr(spec->host, ':') != NULL;
    return mem_printf("%s%s%s:%s", v6 ? "[" : "", spec->host, v6 ? "]" : "", spec->port);
}

enum mh_err redis_node_open(uv_loop_t *loop, const struct redis_node_spec *spec,
                            struct redis_node **out)
{
    struct redis_node *n = mem_alloc(sizeof *n);
    enum mh_err        err = MH_OK;

    if (spec->tls)
        err = tls_bridge_open(loop, spec->host, spec->ca_file, &n->bridge);
    if (err != MH_OK) {
        free(n);
        return err;
    }
    n->loop = loop;
    n->spec = *spec;
    n->host = mem_strdup(spec->host);
    n->port = mem_strdup(spec->port);
    n->name = name_of(spec);
    n->retry_ms = RETRY_FIRST_MS;
    n->open_handles = 1;
    timer_init(&n->retry, loop, on_retry);
    timer_start(&n->retry, 0);
    *out = n;
    return MH_OK;
}

static void retry_closed(struct timer *retry)
{
    maybe_free(container_of(retry, struct redis_node, retry));
}

void redis_node_close(struct redis_node *n, struct list *unanswered)
{
    n->closing = true;
    n->up = false;
    if (n->link != NULL)
        redis_link_close(n->link, unanswered);
    n->link = NULL;
    if (n->bridge != NULL)
        tls_bridge_close(n->bridge);
    n->bridge = NULL;
    uv_cancel((uv_req_t *)&n->lookup);      /* fails when none is waiting: its end is awaited */
    timer_close(&n->retry, retry_closed);
}

bool        redis_node_is_up(const struct redis_node *n) { return n->up; }
const char *redis_node_host(const struct redis_node *n) { return n->host; }
const char *redis_node_name(const struct redis_node *n) { return n->name; }

bool redis_node_is(const struct redis_node *n, const char *host, const char *port)
{
    return n->host != NULL && strcmp(n->host, host) == 0 && strcmp(n->port, port) == 0;
}

bool redis_node_send(struct redis_node *n, struct redis_command *c)
{
    return n->up && redis_link_send(n->link, c, c->text, c->bytes);
}

void redis_node_want_master(struct redis_node *n) { n->spec.master = true; }

void redis_node_drop(struct redis_node *n, const char *why)
{
    if (n->link != NULL)
        redis_link_drop(n->link, why);
}
