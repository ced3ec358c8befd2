/* sandbox.h - one moonhook-sandbox process, as the engine sees it: load a plugin,
 * call its hooks, answer its requests, kill it when it must be.
 *
 * Time is charged to the hook that uses it. The sandbox takes frames in order and
 * answers each resumption before it begins the next (proto/message.h), so the
 * oldest CALL or REPLY without an answer - the head of `turns` - is what runs now.
 * A hook's clock runs while it is the head and while it waits for a request; not
 * while it waits behind others. CPU time is the kernel's count for the process: what
 * it grew by during a turn is the head's. When the head's time or CPU time is over by
 * more than a moment, in which it may still say where it was, the process is killed,
 * the head's call fails with MH_TIMEOUT or MH_CPU, and every other call ends uncharged,
 * to be tried again. */
#pragma once

#include "base/list.h"
#include "core/manifest.h"
#include "io/channel.h"
#include "io/child.h"
#include "proto/layer.h"

struct sandbox;
struct hook_call;

struct hook_result {
    enum mh_err err;
    bool        uncharged;                  /* the process ended for another's fault */
    bool        killed;                     /* the process ended for this one's */
    bool        never;                      /* retry.never() */
    int64_t     retry_after_ms;             /* -1: not said */
    const char *message;                    /* of an error; borrowed */
    char       *facts;                      /* result or error, and logs, as delivery_facts() writes
                                             * them; `done` takes it */
};

struct hook_call {
    /* The caller's; valid until `done`. */
    const char         *hook, *delivery_id;
    const struct event *event;              /* NULL for setup: the hook gets ctx alone */
    unsigned            attempt;
    void              (*done)(struct hook_call *, const struct hook_result *);
    void               *arg;
    /* The sandbox's. */
    struct list         node, turn;         /* in calls; in turns while an answer is due */
    uint32_t            id, request_id;     /* request_id: of its last REQUEST */
    int64_t             left_us, cpu_left_us;       /* of its time; of its CPU time */
    json_t             *logs;
    size_t              log_bytes;
    unsigned            breached;           /* a bit per limit */
    unsigned            log_lines;          /* that came, kept or not */
    void               *request;            /* of the broker, while suspended */
    unsigned            emitted;            /* events, so far: the broker's */
};

struct sandbox_ops {
    void (*loaded)(void *arg, json_t *manifest);                    /* borrowed */
    void (*failed)(void *arg, const char *message);                 /* load refused; ended follows */
    /* A suspended hook asks for something; sandbox_reply() answers, once. `head`: that of
     * `frame`; both borrowed. */
    void (*request)(void *arg, struct hook_call *call, const struct frame *frame,
                    const json_t *head);
    /* The call ends while its request is open. */
    void (*abort)(void *arg, struct hook_call *call);
    void (*logged)(void *arg, struct hook_call *call, const char *level, const char *text);
    /* A limit was reached: counted once per call and limit. */
    void (*breached)(void *arg, enum limit which);
    /* The process is gone and every call has been ended. Frees the sandbox. */
    void (*ended)(void *arg, enum mh_err why, const char *detail);
};

struct sandbox_spec {
    uv_loop_t    *loop;
    const char   *program, *plugin;
    struct limits limits;
    bool          jit, manifest_only;
    unsigned      required_layers;          /* of the jail, besides those that must hold */
    const json_t *files;                    /* name to source; borrowed during the call */
    const json_t *config;                   /* what Lua sees; borrowed during the call */
    const struct sandbox_ops *ops;
    void         *arg;
};

MH_MUST_USE enum mh_err sandbox_start(const struct sandbox_spec *spec, struct sandbox **out);

/* Ends it without `ended`; calls under way are ended uncharged first. */
void sandbox_stop(struct sandbox *s);

/* Ends it when its last call has ended (at once if there is none); `ended` comes, with
 * MH_OK. */
void sandbox_finish(struct sandbox *s);

/* `call->done` comes exactly once, not inside. MH_BUSY: try again, it has not read yet what it
 * was sent. */
MH_MUST_USE enum mh_err sandbox_call(struct sandbox *s, struct hook_call *call);
size_t sandbox_calls(const struct sandbox *s);
int    sandbox_pid(const struct sandbox *s);
unsigned sandbox_layers(const struct sandbox *s);    /* of the jail; none before LOADED */
double sandbox_start_ms(const struct sandbox *s);   /* from spawn to LOADED */

int64_t hook_call_left_ms(const struct hook_call *call);

/* Notes that `call` (NULL: none) reached a limit: in its story, the log and ops->breached. */
void sandbox_breach(struct sandbox *s, struct hook_call *call, enum limit which);

/* Answers the open request of `call`; `head` is JSON text. When the call's time is
 * over it ends with MH_TIMEOUT instead. */
void sandbox_reply(struct sandbox *s, struct hook_call *call, const char *head,
                   const void *body, size_t body_bytes);
