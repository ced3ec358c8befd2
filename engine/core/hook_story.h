/* hook_story.h - what a hook call leaves in its delivery's record (Q7): its error, the
 * limits that it reached, its log lines. */
#pragma once

#include "core/sandbox.h"

struct hook_failure {
    enum mh_err err;
    enum limit  limit;                      /* LIMIT_NONE where it is about none */
    const char *message, *trace;            /* trace: may be NULL or empty */
    bool        killed;                     /* it ended the process */
};

/* The limit that an error is about by its kind, or LIMIT_NONE. */
enum limit hook_limit_of(enum mh_err err);

/* The limit by which `call` was refused something, or LIMIT_NONE: its process says that this
 * is what it failed of, and the engine knows of which. */
enum limit hook_limit_refused(const struct hook_call *call);

/* "error":{"code","message","killed"?,...} as delivery_facts() writes it; of a limit it
 * names plugin, hook, limit and event. The caller frees it. */
char *hook_error_facts(const char *plugin, const struct hook_call *call,
                       const struct hook_failure *f);

/* Keeps a line with the call, if there is room; `text` is counted. */
void hook_keep_log(struct hook_call *call, const char *level, json_t *text, size_t bytes);

/* Adds to r->facts what was gathered during the call, which is emptied. */
void hook_add_story(struct hook_call *call, struct hook_result *r);

const char *hook_event_id(const struct hook_call *call);    /* "" of a call without an event */
