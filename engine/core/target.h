/* target.h - what takes events: a plugin or a webhook endpoint.
 *
 * The pipeline knows targets only by this interface, so that one queue, one
 * retry rule and one record serve both. A target is owned by its module
 * (core/plugin, webhook/endpoint), which embeds it, and is counted: deliveries
 * hold references, `release` comes when the last one is gone. */
#pragma once

#include "base/id.h"
#include "base/list.h"
#include "core/event.h"
#include "core/schedule.h"

struct delivery;
struct target;

enum { TARGET_WHY_BYTES = 512 };

enum target_kind { TARGET_PLUGIN, TARGET_WEBHOOK };

struct target_ops {
    enum target_kind kind;
    const char      *kind_name;             /* "plugin", "webhook" */
    bool (*wants)(struct target *t, struct event *e);     /* active, and it matches */
    bool (*active)(const struct target *t);
    bool (*matches)(struct target *t, struct event *e);   /* were it active */
    /* Why wants() says no, in a sentence. */
    void (*why_not)(struct target *t, struct event *e, char why[TARGET_WHY_BYTES]);
    /* Begins one attempt; dispatch_done() follows exactly once, maybe inside. */
    void (*attempt)(struct target *t, struct delivery *d);
    void (*release)(struct target *t);
    /* A delivery waits for a paused target: one that sleeps gets up. May be NULL. */
    void (*wake)(struct target *t);
    /* A delivery waits, a place is free: may its attempt begin now? Where not, the target calls
     * dispatch_pause() when it may. NULL: always. */
    bool (*may_begin)(struct target *t);
};

struct target {
    const struct target_ops *ops;
    char        id[MH_ID_BYTES];            /* plugin name or endpoint id */
    char        org[EVENT_ORG_BYTES];       /* "" for a plugin: it serves every org */
    unsigned    refs;
    unsigned    in_flight, max_in_flight;
    struct { int64_t since_ms; int64_t ended, per_s; } pace;   /* of attempts; per_s 0: not known */
    size_t      waiting;                    /* deliveries in the two lines below */
    size_t      bytes;                      /* of their events, and of those under way */
    size_t      typical_bytes;              /* of its events, lately: the largest, fading */
    struct { size_t count, bytes; } coming; /* being read from Redis: the queue's */
    bool        pumping;                    /* attempts are being started: dispatch's own */
    bool        paused;                     /* deliveries wait; none is started */
    bool        retired;                    /* uninstalled or deleted: none will be */
    const struct schedule *schedule;
    struct list turn;                       /* in line for a place: core/turns's, like the next */
    int64_t     turn_until_ms;
    struct list first, retries;             /* deliveries waiting here; first attempts go first */
};

void target_init(struct target *t, const struct target_ops *ops, const char *id,
                 const char *org);
struct target *target_ref(struct target *t);
void           target_unref(struct target *t);
