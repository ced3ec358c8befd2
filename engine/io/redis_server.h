/* redis_server.h - the engine's own redis-server: a child on a private Unix socket.
 *
 * Configuration is generated into DATA/redis/redis.conf: no TCP port, socket and
 * directory 0700, append-only file on, `noeviction`. A lock file (DATA/lock, held
 * with flock by the engine) refuses a data directory in use by another engine. A
 * server left over by a crashed engine is adopted: it is the same data, on the
 * same socket; if it does not answer it is ended first. If the server dies, it is
 * started again (after 0, 100 ms, then up to 2 s), forever, with one log line
 * each time. While its disk has no room it is not started: it would end again with
 * its first write. */
#pragma once

#include "io/loop.h"

struct redis_server;

struct redis_server_spec {
    const char *data_dir;                   /* exists, 0700 */
    const char *program;                    /* "redis-server", looked up in PATH */
    const char *fsync;                      /* "always" or "everysec" */
    int64_t     max_memory_bytes;           /* 0: no limit */
};

/* MH_CONFLICT: another engine uses the data directory. MH_NOT_FOUND: there is no
 * redis-server to run. MH_IO. In each case the log says what to do. */
MH_MUST_USE enum mh_err redis_server_start(uv_loop_t *loop, const struct redis_server_spec *spec,
                                           struct redis_server **out);
const char *redis_server_url(const struct redis_server *s);     /* "unix:/data/redis/redis.sock" */
/* Why it is not even started: there is no room on its disk. "" where that is not so. */
const char *redis_server_trouble(const struct redis_server *s);
int         redis_server_pid(const struct redis_server *s);     /* 0 while it is down */

/* SIGTERM, waits at most 10 s for it to write its data, calls `stopped`, frees. */
void redis_server_stop(struct redis_server *s, void (*stopped)(void *arg), void *arg);
