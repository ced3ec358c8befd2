/* redis_internal.h - what the parts of the Redis client share: redis.c (commands and how
 * they end), redis_sentinel.c and redis_cluster.c (which server they go to). */
#pragma once

#include "base/log.h"
#include "io/redis_node.h"
#include "io/redis_trouble.h"

struct redis_sentinel;
struct redis_cluster;

struct redis {
    uv_loop_t             *loop;
    struct redis_spec      spec;            /* of which url and ca_file are not used */
    struct redis_url       url;
    char                  *ca_file;
    struct redis_node     *node;            /* the one server, or the master that sentinels
                                             * name; NULL while none is known */
    struct redis_sentinel *sentinel;        /* REDIS_SENTINEL only */
    struct redis_cluster  *cluster;         /* REDIS_CLUSTER only */
    struct redis_node     *answering;       /* whose answer is being told */
    bool                   up, closing;
    uv_idle_t              turn;            /* runs while `ended` holds something */
    struct list            ended;
    unsigned               open_handles;    /* libuv still has our memory, or our parts' */
    struct log_limit       down_log, wait_log;
    char                   why[REDIS_TROUBLE_BYTES];        /* it is not up; "" while it is */
};

/* NULL when it cannot be opened; the log says why. */
struct redis_node *redis_open_node(struct redis *r, const char *host, const char *port,
                                   const struct redis_login *login, bool master);
void redis_close_node(struct redis *r, struct redis_node *n);

/* A command for one certain node. `done` as ever: once, never inside this call. */
void redis_tell_node(struct redis *r, struct redis_node *n, int argc, const char **argv,
                     redis_done *done, void *arg);

/* What servers are reached changed, or a try to reach one failed: tells the owner and the log. */
void redis_set_up(struct redis *r, bool up, const char *why);

/* As many as before are missing, but others: tells the owner. */
void redis_tell_state(struct redis *r, const char *why);

/* A part's last handle was closed. */
void redis_part_closed(struct redis *r);

/* ---- Sentinel: keeps r->node at the master ------------------------------------------- */

void redis_sentinel_open(struct redis *r);
void redis_sentinel_close(struct redis *r);
void redis_sentinel_node_up(struct redis *r);
void redis_sentinel_doubt(struct redis *r);             /* a sentinel or the master failed */

/* ---- Cluster: which node has a slot ---------------------------------------------------- */

void redis_cluster_open(struct redis *r);
void redis_cluster_close(struct redis *r, struct list *unanswered);
void redis_cluster_node_changed(struct redis *r, struct redis_node *n, const char *why);
void redis_cluster_doubt(struct redis *r);              /* a node sees the cluster down */

/* The node for a command; NULL where none is known. */
struct redis_node *redis_cluster_node(const struct redis *r, const struct redis_command *c);
bool redis_cluster_reaches(const struct redis *r, const char *key);

/* Where `from` sent a command: "MOVED 3999 host:port" or "ASK 3999 host:port". NULL if
 * that cannot be read or reached. */
struct redis_node *redis_cluster_redirect(struct redis *r, const struct redis_node *from,
                                          const char *answer);
