/* redis.h - a pipelined way to Redis: one server, the master that sentinels name, or the
 * masters of a cluster, to which each command goes by the slot of its first key.
 *
 * Commands given in one turn of the loop travel together. After a loss the
 * connection comes back by itself (first retry after 50 ms, then up to 1 s), and
 * after a fail-over to the new master.
 * While it is away, commands fail at once with MH_UNAVAILABLE: nothing is queued
 * behind the caller's back. In a cluster that is said of each master for itself: while one
 * is away, commands for the slots of the others go on. A command whose answer was lost also ends with
 * MH_UNAVAILABLE; whether Redis carried it out is then unknown. A peer that owes
 * an answer and sends nothing for some 5 s counts as lost. */
#pragma once

#include "io/loop.h"

#include <hiredis/hiredis.h>

struct redis;

enum { REDIS_MAX_NEEDS = 80 };

struct redis_spec {
    const char *url;        /* as redis_url.h says */
    const char *ca_file;    /* PEM added to the system's, for rediss://; NULL for none */
    /* The state changed; it is down at first. up: authenticated and answering PING; in a
     * cluster: the masters of all `needs` are. There it is also called when no more than
     * redis_reaches() of one of them changed.
     * Commands that a loss ends get to know after this. May be NULL. */
    void (*state)(void *arg, bool up, const char *why);
    void  *arg;
    /* What the owner keeps in a cluster: a key of each slot, at most REDIS_MAX_NEEDS of them.
     * Ends with NULL; borrowed for its life. */
    const char *const *needs;
    /* What redis_wait() asks for; see there. */
    int64_t wait_replicas, wait_ms;
};

/* MH_INVALID: a URL that cannot be read; MH_TLS: ca_file cannot be used (the log
 * says what is wrong). Connecting itself goes on in the background. SIGPIPE is
 * ignored from now on. */
MH_MUST_USE enum mh_err redis_open(uv_loop_t *loop, const struct redis_spec *spec,
                                   struct redis **out);
/* Pending commands end with MH_CANCELLED before this returns, and nothing is called
 * after it; frees on a later turn of the loop. */
void redis_close(struct redis *r);
bool redis_is_up(const struct redis *r);
/* Why it is not up, and what to do about it; "" while it is up. Borrowed until the state changes. */
const char *redis_why(const struct redis *r);

/* Commands for this key are sent now: it is up; in a cluster: the master of the key's slot
 * is reached. */
bool redis_reaches(const struct redis *r, const char *key);

/* `reply` is borrowed during the callback, NULL if there was no answer. An error
 * that Redis itself answered is MH_IO (or MH_STALE when its text begins with
 * "STALE", MH_UNAVAILABLE for LOADING, READONLY, OOM, MISCONF, MASTERDOWN,
 * CLUSTERDOWN, NOREPLICAS, TRYAGAIN, BUSY), with the reply, so that its text can be
 * logged. */
typedef void redis_done(void *arg, enum mh_err err, const redisReply *reply);

struct redis_args {                         /* binary safe; borrowed during the call */
    const char **argv;
    size_t      *lens;                      /* NULL: all are NUL-terminated */
    int          argc;
};

/* `done` (may be NULL) comes exactly once, never inside this call. MH_TOO_LARGE past
 * 64 MiB. */
void redis_send(struct redis *r, const struct redis_args *args, redis_done *done, void *arg);

/* printf-like convenience in hiredis's format: "HGET %s %b". */
void redis_sendf(struct redis *r, redis_done *done, void *arg, const char *format, ...);

/* A script kept in a file of its own, known to Redis by its SHA-1. */
struct redis_script { const char *name, *source; char sha1[41]; };

/* EVALSHA; when Redis does not know the script (fresh, restarted, flushed), it
 * is sent again with its source, once. `args` holds numkeys, keys, arguments. */
void redis_eval(struct redis *r, struct redis_script *script, const struct redis_args *args,
                redis_done *done, void *arg);

/* Whether wait_replicas is more than 0. */
bool redis_waits(const struct redis *r);

/* Only within a redis_done of a write that Redis confirmed: sends WAIT behind it, to the
 * server that answered. MH_OK once wait_replicas replicas have the write; MH_UNAVAILABLE
 * when fewer said so within wait_ms, or the connection was lost: the write is done then,
 * but a fail-over may undo it. The connection's later commands wait as well. */
void redis_wait(struct redis *r, redis_done *done, void *arg);
