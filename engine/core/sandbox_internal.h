/* sandbox_internal.h - what the files of one sandbox share, and nobody else sees: sandbox.c
 * (its life), sandbox_receive.c (what it says), sandbox_calls.c (its calls), sandbox_turns.c
 * (whose time runs). */
#pragma once

#include "base/bucket.h"
#include "core/sandbox.h"

enum { DETAIL_BYTES = 512 };

struct sandbox {
    struct sandbox_spec spec;
    char            plugin[MH_ID_BYTES];
    struct child   *child;
    struct channel *channel;
    struct timer    deadline;
    struct list     calls, turns;
    size_t          call_count;
    unsigned        layers, stray_logs;     /* stray: of no call */
    uint32_t        next_id;
    int64_t         head_since_us, started_us, loaded_us;
    int64_t         cpu_us;                 /* of the process, when the last turn ended */
    struct bucket   log_lines, log_bytes;
    bool            loaded, finishing;
    bool            closed;                 /* its end of the socket */
    bool            ending;                 /* killed, or gone */
    bool            stopped;                /* by its owner, who hears no more of it */
    enum mh_err     why;                    /* MH_OK until something is wrong */
    char            detail[DETAIL_BYTES];
};

struct hook_failure;

/* ---- sandbox.c ---- */

/* Kills the process, once; its end ends the calls: the head's with `why` and `detail` (copied). */
void sandbox_kill(struct sandbox *s, enum mh_err why, const char *detail);

/* ---- sandbox_receive.c ---- */

void sandbox_received(void *arg, const struct frame *f);    /* channel_ops.received; arg: the sandbox */

/* ---- sandbox_calls.c ---- */

/* Takes r->facts; what else the call's story has is added to them. */
void sandbox_end_call(struct sandbox *s, struct hook_call *call, struct hook_result *r);
void sandbox_fail_call(struct sandbox *s, struct hook_call *call, enum mh_err err, enum limit limit,
                       const char *message);
void sandbox_end_calls(struct sandbox *s);      /* the head's is charged; the others end uncharged */

/* As hook_error_facts(); counts the limit that it is about. The caller frees it. */
char *sandbox_error_facts(struct sandbox *s, struct hook_call *call, const struct hook_failure *f);

/* ---- sandbox_turns.c ---- */

struct hook_call *sandbox_head(const struct sandbox *s);    /* what runs now; NULL: nothing */
int64_t sandbox_cpu_us(const struct sandbox *s);
void sandbox_begin_turn(struct sandbox *s, struct hook_call *call);
void sandbox_end_turn(struct sandbox *s, struct hook_call *call);   /* the head's answer came */
void sandbox_on_deadline(struct timer *deadline);
