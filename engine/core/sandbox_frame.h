/* sandbox_frame.h - what comes from a sandbox, held against what an honest one sends.
 *
 * An honest sandbox is our own C, which bounds what a plugin makes it send. More than that
 * comes only from one that was taken over, and is refused before anything is made of it:
 * a mebibyte of JSON costs some thirty as a tree. */
#pragma once

#include "core/sandbox.h"
#include "proto/frame.h"

enum {
    SANDBOX_LOGS_PER_CALL = 64,             /* and once more, to say that some are left out */
    SANDBOX_LOG_BYTES = 2048,
};

/* The head of a frame, an object, which the caller owns. MH_PROTOCOL: `why` is a sentence;
 * static. */
MH_MUST_USE enum mh_err sandbox_frame_read(const struct frame *f, json_t **head, const char **why);

/* The level of a LOG; NULL where it is none. Static. */
const char *sandbox_frame_level(const json_t *head);

/* The layers that LOADED names, as a set of proto/layer.h; what is no layer is passed over. */
unsigned sandbox_frame_layers(const json_t *head);

/* What a failed RESULT says of the next attempt: r->never, r->retry_after_ms. */
void sandbox_frame_retry(const json_t *head, struct hook_result *r);

/* The body of a RESULT, held against the grammar, then kept in r->facts as the text that it
 * is. MH_RESULT with the fault. */
MH_MUST_USE enum mh_err sandbox_frame_value(const struct frame *f, struct hook_result *r,
                                            struct json_fault *fault);
