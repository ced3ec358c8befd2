/* dispatch.h - which target takes an event, and whose attempt is next.
 *
 * Holds the deliveries that this engine owns until their attempt ends. Per target:
 * a bounded number of attempts at once, first attempts before retries; one target
 * that hangs keeps none of another's places. */
#pragma once

#include "core/queues.h"

struct dispatch;

/* The queue's callbacks (owned, find_target, dropped, written, crowded) for a dispatch as their arg. */
void           dispatch_owned(void *arg, struct delivery *d);
struct target *dispatch_find_target(void *arg, const char *id);
void           dispatch_dropped(void *arg, struct delivery *d);
void           dispatch_written(void *arg);
bool           dispatch_crowded(void *arg, struct queue *q, struct target *t, int64_t *again_ms);

/* `most_attempts`: under way at once at all webhook endpoints together (turns.h). */
struct dispatch *dispatch_new(size_t most_attempts);
void             dispatch_free(struct dispatch *x);
void             dispatch_set_queues(struct dispatch *x, struct queues *qs);

/* Both take no reference; a target is removed before it is released. Removing
 * ends every delivery that waits for it as cancelled. */
void dispatch_add_target(struct dispatch *x, struct target *t);
void dispatch_remove_target(struct dispatch *x, struct target *t);

/* The targets that want `e`: at most `max`; the number that there are. */
size_t dispatch_match(struct dispatch *x, struct event *e, struct target **out, size_t max);
size_t dispatch_target_count(const struct dispatch *x);

/* The targets that `e` has no delivery for, with the reason that today's configuration
 * gives: array of {"target":{"kind","id"},"why"}, at most DISPATCH_MAX_EXPLAINED; the caller
 * owns it. `deliveries`: array of records. */
enum { DISPATCH_MAX_EXPLAINED = 200 };
json_t *dispatch_explain(struct dispatch *x, struct event *e, const json_t *deliveries);

/* ---- Accepting ------------------------------------------------------------------- */

/* `done`: MH_OK or MH_CONFLICT (accepted before), MH_BUSY, MH_UNAVAILABLE;
 * `deliveries` is their number on MH_OK. */
typedef void dispatch_accepted(void *arg, enum mh_err err, size_t deliveries);
void dispatch_accept(struct dispatch *x, struct event *e, dispatch_accepted *done, void *arg);

/* Waits for the first result of every plugin hook of an event accepted next, or
 * for `wait_ms`. `results`: borrowed array of {"plugin","status","result"|"error",
 * "duration_ms"}; NULL unless err is MH_OK. */
typedef void dispatch_results(void *arg, enum mh_err err, size_t deliveries, json_t *results);
void dispatch_accept_wait(struct dispatch *x, uv_loop_t *loop, struct event *e, int64_t wait_ms,
                          dispatch_results *done, void *arg);

/* Accepts an event for one target only, whatever it wants (its test). */
void dispatch_accept_for(struct dispatch *x, struct event *e, struct target *t,
                         dispatch_accepted *done, void *arg);

/* ---- For targets ----------------------------------------------------------------------- */

/* The target can take attempts (again), or no longer. */
void dispatch_pause(struct dispatch *x, struct target *t, bool paused);

struct outcome {
    enum mh_err err;                        /* MH_OK: delivered */
    bool        never;                      /* no retry will help */
    bool        cancel;                     /* the target is disabled: ends as cancelled */
    bool        uncharged;                  /* not this delivery's fault: tried again at once */
    bool        killed;                     /* it ended its plugin's process: twice, and it is dead */
    int64_t     retry_after_ms;             /* -1: as the schedule says */
    char       *facts;                      /* taken; see delivery_facts(); may be NULL */
};

/* Ends the attempt that target_ops.attempt began. Takes `d`. */
void dispatch_done(struct dispatch *x, struct delivery *d, struct outcome *o);

struct dispatch_counts {
    uint64_t accepted, duplicates, delivered, dead, cancelled, poison;
    uint64_t failed[MH_ERR_COUNT];          /* attempts, by their error */
};
const struct dispatch_counts *dispatch_counts(const struct dispatch *x);
/* Attempts under way and waiting, for a clean stop. */
size_t dispatch_in_flight(const struct dispatch *x);
void   dispatch_quiesce(struct dispatch *x);        /* starts no further attempt */
