/* broker_emit.h - events that plugins emit. They are accepted as a producer's are, for the
 * org of the event that the hook runs for, and are answered when they are stored (Q1).
 *
 * Ids: the n-th event that one delivery emits has, if it is of the same type, the same id
 * in every attempt; an id that the plugin gives is made into one together with its name, so
 * that it can neither take nor guess another's. A repeated id is accepted once (Q3), and a
 * hook that is tried again emits nothing twice.
 *
 * Loops: an event says how many hooks stand between it and a producer's; the last of
 * EMIT_MAX_HOPS emits nothing. It is stored with the event and so holds over retries,
 * restarts and other engines. */
#pragma once

#include "core/broker.h"

enum { EMIT_MAX_HOPS = 8, EMIT_MAX_DATA_BYTES = EVENT_MAX_BYTES - 1024 };

/* The event that the REQUEST asks for, emitted by `plugin` in `call` as the number-th (from
 * 1) of that call; the caller owns it. MH_INVALID, MH_TOO_LARGE or MH_LIMIT with a sentence
 * in *fault. Pure. */
MH_MUST_USE enum mh_err broker_emit_prepare(const char *plugin, const struct hook_call *call,
                                            unsigned number, const json_t *head,
                                            const struct frame *frame, int64_t now_ms,
                                            struct event **out, struct json_fault *fault);
