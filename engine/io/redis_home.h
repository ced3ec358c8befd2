/* redis_home.h - what lies in DATA/redis, where the engine's own redis-server
 * lives: its configuration, its socket, its log, and perhaps itself, left over
 * by an engine that crashed.
 *
 * The server runs with this folder as its working directory, so its configuration
 * names files without paths and needs no quoting. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_home {
    char *dir;                              /* DATA/redis, absolute, without links */
    char *socket;                           /* a path to redis.sock that fits sun_path */
    char *shortcut;                         /* made for that, in /tmp; NULL if not needed */
};

/* Makes the folder (0700). MH_IO; the log says what to do. */
MH_MUST_USE enum mh_err redis_home_open(const char *data_dir, struct redis_home *out);
void redis_home_close(struct redis_home *home);

/* Writes redis.conf; *changed: it is not what it was. fsync:
 * "always" or "everysec". MH_IO; the log says why. */
MH_MUST_USE enum mh_err redis_home_configure(const struct redis_home *home, const char *fsync,
                                             int64_t max_memory_bytes, bool *changed);

/* There is no room for Redis to write (of 1 MiB). Looks at the disk, which may take a moment. */
bool redis_home_is_full(const struct redis_home *home);

/* The last line of redis.log, quoted; "" quoted if there is none. Returns `out`. */
const char *redis_home_last_line(const struct redis_home *home, char *out, size_t size);

/* The pid of a server that runs here, 0 for none: its working directory tells,
 * which also finds one that had no time to write a pid file. */
int redis_home_find_server(const struct redis_home *home, const char *program);
