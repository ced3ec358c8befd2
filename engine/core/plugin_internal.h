/* plugin_internal.h - what plugin.c (a target and its process) and plugin_trial.c (one
 * version beside another) share, and nobody else sees. */
#pragma once

#include "core/plugin.h"

enum { REASON_BYTES = 512 };

struct plugin {
    struct target         target;
    struct plugin_spec    spec;
    struct plugin_version version, tried_version, before;    /* of before, files may be NULL */
    struct instance      *instance, *tried;
    struct instance      *warm;             /* runs `before`, with the calls it had at most */
    unsigned              state;
    plugin_tried         *tried_done;
    void                 *tried_arg;
    struct timer          restart, again, idle, cool;
    struct start_turn     turn;             /* until its process has loaded it */
    struct list           stuck;            /* runs that could not be sent */
    int64_t               ready_since_ms, used_ms;
    unsigned              deaths;           /* in a row, without a steady minute between */
    char                  reason[REASON_BYTES];
    json_t               *logs;
    uint64_t              calls, failures, restarts;
    uint64_t              breaches[LIMIT_COUNT];
    double                busy_ms;
};

/* plugin.c: `instance`, or where that is NULL a new one, serves from now on. */
void plugin_switched(struct plugin *p);
void plugin_on_logged(void *arg, struct hook_call *call, const char *level, const char *text);
void plugin_on_breached(void *arg, enum limit which);

/* plugin_trial.c: the warm instance has been so for long enough. */
void plugin_on_cool(struct timer *timer);
