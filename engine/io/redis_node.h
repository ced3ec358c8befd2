/* redis_node.h - one Redis server and the way to it; private to redis.c and its ways of
 * finding servers (redis_sentinel.c, redis_cluster.c).
 *
 * Keeps one link (redis_link.h), and opens the next when it is lost: host name looked
 * up, its addresses tried in turn, first after 50 ms, then up to 1 s. It owns no
 * command: what a lost link leaves goes to the owner. */
#pragma once

#include "io/redis_link.h"

struct redis_node;

struct redis_node_ops {                     /* the node may be closed inside each */
    void (*up)(void *owner, struct redis_node *n);
    /* Lost, or a try to connect failed (was_up tells which). */
    void (*down)(void *owner, struct redis_node *n, bool was_up, const char *why);
    void (*answered)(void *owner, struct redis_node *n, struct redis_command *c,
                     const redisReply *reply);
    /* Ends without an answer. Before `down`; never inside redis_node_send(). */
    void (*unanswered)(void *owner, struct redis_command *c);
};

struct redis_node_spec {
    const char               *host, *port;  /* copied */
    const char               *path;         /* of a Unix socket, instead; borrowed for its life */
    bool                      tls;
    const char               *ca_file;      /* borrowed during the call */
    const struct redis_login *login;        /* borrowed for its life */
    bool                      master;       /* a replica is as good as lost */
    const struct redis_node_ops *ops;
    void                     *owner;
};

/* MH_TLS, MH_IO: no way to speak TLS; the log says why. Connecting goes on in the
 * background. */
MH_MUST_USE enum mh_err redis_node_open(uv_loop_t *loop, const struct redis_node_spec *spec,
                                        struct redis_node **out);
/* What waits for an answer goes to `unanswered`; nothing is called any more. Frees on a
 * later turn of the loop. */
void redis_node_close(struct redis_node *n, struct list *unanswered);

bool        redis_node_is_up(const struct redis_node *n);
bool        redis_node_is(const struct redis_node *n, const char *host, const char *port);
const char *redis_node_host(const struct redis_node *n);
const char *redis_node_name(const struct redis_node *n);   /* "host:port" or a path, for logs */

/* Sends c->text. Takes `c` unless it returns false: the node is away, or has too much queued. */
MH_MUST_USE bool redis_node_send(struct redis_node *n, struct redis_command *c);

/* From the next link on, as redis_node_spec.master says. */
void redis_node_want_master(struct redis_node *n);

/* Its link is no good: the next one is opened. */
void redis_node_drop(struct redis_node *n, const char *why);
