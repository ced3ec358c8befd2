/* redis_url.h - where a Redis is, read from a URL. Pure.
 *
 *     redis://[[user]:password@]host[:port][/db]     rediss://... the same over TLS
 *     redis+sentinel://[[user]:password@]host[:port],host[:port]/master[/db][?query]
 *     redis+cluster://[[user]:password@]host[:port],host[:port]
 *     unix:/path/to/redis.sock                       no password: the path is the key
 *
 * Host names, IPv4, and IPv6 in brackets; user and password percent-encoded. With
 * sentinels, user and password are for the master that they name; sentinels that want
 * some of their own get them by sentinel_user=..&sentinel_password=.. in the query.
 * rediss+sentinel:// and rediss+cluster:// speak TLS to every server. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REDIS_DEFAULT_PORT = 6379, SENTINEL_DEFAULT_PORT = 26379, REDIS_URL_WHY_BYTES = 128,
       REDIS_URL_MAX_HOSTS = 16 };

enum redis_kind {
    REDIS_ONE,                              /* one server */
    REDIS_SENTINEL,                         /* the hosts are sentinels, who know the master */
    REDIS_CLUSTER,                          /* the hosts are some nodes of a cluster */
};

struct redis_host { char *name, port[6]; };

/* What a connection says first; borrowed wherever it is handed on. */
struct redis_login { char *user, *password; int db; };      /* NULL for none */

struct redis_url {
    enum redis_kind    kind;
    char              *path;                /* of a Unix socket; NULL for TCP */
    struct redis_host  hosts[REDIS_URL_MAX_HOSTS];
    size_t             host_count;          /* 1 for REDIS_ONE over TCP */
    bool               tls;
    struct redis_login login, sentinel_login;
    char              *master;              /* its name among the sentinels */
    char              *shown;               /* the URL with its password masked, for logs */
};

/* Fills *out, which redis_url_deinit() empties. MH_INVALID: `why` is a sentence
 * that never holds the password; *out is then empty. */
MH_MUST_USE enum mh_err redis_url_parse(const char *text, struct redis_url *out,
                                        char why[REDIS_URL_WHY_BYTES]);
void redis_url_deinit(struct redis_url *url);           /* wipes the passwords */
