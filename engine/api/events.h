/* events.h - what POST /api/events and its batch form share. */
#pragma once

#include "api/api.h"

/* The event that `text` says, of the caller's org or of any for an admin. As event_parse(), and
 * MH_FORBIDDEN. */
MH_MUST_USE enum mh_err events_make(const struct api_call *c, enum event_form form,
                                    struct json_span text, struct event **out,
                                    struct json_fault *fault);

/* The body as it came; borrowed as long as the call. */
struct json_span events_body(const struct api_call *c);

/* Answers 429 where too much is waiting (Q6); true: it did. */
bool events_refuse_full(struct api_call *c);
