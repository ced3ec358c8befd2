/* outcome.h - how a call failed, made of whatever value the plugin raised: always
 * text, always bounded. */
#pragma once

#include "base/buf.h"
#include "trace.h"

#include <lua.h>
#include <stdbool.h>

enum { OUTCOME_MESSAGE_BYTES = 4096 };

#define OUTCOME_RETRY "moonhook.retry"      /* in the registry: the metatable of retry.* */

struct outcome {
    enum mh_err err;
    double      after_s;                    /* -1 where the plugin did not say */
    bool        never;
    bool        too_large;                  /* the result was */
    size_t      message_bytes;
    char        message[OUTCOME_MESSAGE_BYTES];
    char        trace[TRACE_BYTES];
};

/* A failure that the host found; no trace. */
void outcome_set(struct outcome *o, enum mh_err err, const char *message);

/* lua_cpcall() on L returned `status`; pops its message. */
void outcome_protected(struct outcome *o, lua_State *L, int status);

/* The coroutine ended with `status` and its error value on top. May run the plugin's
 * __tostring, so the watchdog should still be on. */
void outcome_from(struct outcome *o, lua_State *co, int status);

/* Appends "code":..,"message":..,"trace":.. and "retry", without braces. */
MH_MUST_USE enum mh_err outcome_write(const struct outcome *o, struct buf *out);
