/* redis_url.h - where a Redis is, read from a URL. Pure.
 *
 *     redis://[[user]:password@]host[:port][/db]     rediss://... the same over TLS
 *     unix:/path/to/redis.sock                       no password: the path is the key
 *
 * Host names, IPv4, and IPv6 in brackets; user and password percent-encoded. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { REDIS_DEFAULT_PORT = 6379, REDIS_URL_WHY_BYTES = 128 };

struct redis_url {
    char *path;                             /* of a Unix socket; NULL for TCP */
    char *host, port[6];
    bool  tls;
    char *user, *password;                  /* NULL for none */
    int   db;
    char *shown;                            /* the URL with its password masked, for logs */
};

/* Fills *out, which redis_url_deinit() empties. MH_INVALID: `why` is a sentence
 * that never holds the password; *out is then empty. */
MH_MUST_USE enum mh_err redis_url_parse(const char *text, struct redis_url *out,
                                        char why[REDIS_URL_WHY_BYTES]);
void redis_url_deinit(struct redis_url *url);           /* wipes the password */
