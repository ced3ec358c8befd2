/* broker_sign.h - HMAC, digests, comparing and JWT for plugins, whose process has no
 * cryptography. Pure: no I/O, time is an argument.
 *
 * Where a key may stand, a secret's token is replaced by its value: in keys, and in both
 * sides of `equal`. Nowhere else: digests, what an HMAC is made of and a JWT's claims
 * take a token as the text that it is, or a plugin could read the secret out of them.
 *
 * What a plugin can find out so about a secret that it holds the token of: whether a
 * guess is right, by `equal` one at a time, or by an HMAC of a text that it knows at the
 * speed of its own CPU. A secret that is hard to guess stays one; a PIN does not. Results
 * are not searched for secrets: they are digests, or what the plugin itself sent. */
#pragma once

#include "core/broker.h"

enum {
    SIGN_MAX_KEY_BYTES = 64 * 1024,
    SIGN_MAX_TEXT_BYTES = 1024 * 1024,      /* some milliseconds of the engine's one thread */
    SIGN_MAX_CLAIMS_BYTES = 64 * 1024,
    SIGN_MAX_LEEWAY_S = 24 * 3600,
};

struct broker_sign_call {
    const struct sign_row *row;
    const char            *algorithm;       /* "sha256" */
    const char            *encoding;        /* "hex", "base64", "base64url", "raw" */
    int64_t                leeway_s;
    struct buf             key;             /* with secrets in it */
    struct buf             text;            /* of `equal` as well */
};

/* *why: a sentence (static) on MH_INVALID and MH_TOO_LARGE. *out is to be deinitialised
 * in any case. */
MH_MUST_USE enum mh_err broker_sign_prepare(const struct seals *seals, const json_t *head,
                                            const struct frame *frame,
                                            struct broker_sign_call *out, const char **why);
void broker_sign_deinit(struct broker_sign_call *c);

/* Carries it out: members of the REPLY's head go to `head`, its body to `out`. */
MH_MUST_USE enum mh_err broker_sign_run(const struct broker_sign_call *c, int64_t now_ms, json_t *head,
                                        struct buf *out, const char **why);
