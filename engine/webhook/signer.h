/* signer.h - signs the bytes of one outgoing webhook. Pure: no I/O, no clock.
 *
 * Standard Webhooks 1.0: the signed text is "<id>.<sent_at_s>.<body>"; the key
 * is what base64 decodes to behind "whsec_"; the result is "v1,<base64>".
 * X-Mission-Control-Signature is hex HMAC-SHA256 of the body, keyed by the
 * secret as it is shown (DESIGN 4). */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { SECRET_TEXT_BYTES = 96 };            /* "whsec_" + base64 of 64 bytes, with NUL */

struct signature { char text[128]; };       /* NUL-terminated */

struct signed_bytes {
    const char *id;                         /* no dot in it */
    int64_t     sent_at_s;                  /* Unix time in seconds, of this attempt */
    const void *body;
    size_t      body_bytes;
};

/* A new secret: "whsec_" + base64 of 32 random bytes. */
void signer_new_secret(char out[SECRET_TEXT_BYTES]);

/* MH_INVALID unless `secret` is "whsec_" + base64 of 24 to 64 bytes, and for an
 * id that is empty or has a dot in it; `out` is then untouched. Borrows every
 * pointer. */
MH_MUST_USE enum mh_err signer_sign(const char *secret, const struct signed_bytes *what,
                                    struct signature *out);            /* "v1,..." */

/* The receiving side (moonhook listen). `header` is a webhook-signature value:
 * several, separated by one blank; unknown versions are passed over. MH_INVALID
 * as above; MH_DENIED when none matches or |now_s - sent_at_s| > 300. Compares
 * in constant time. */
MH_MUST_USE enum mh_err signer_verify(const char *secret, const struct signed_bytes *what,
                                      const char *header, int64_t now_s);

/* 64 hex characters. MH_INVALID for an empty secret. */
MH_MUST_USE enum mh_err signer_body_hex(const char *secret, const void *body, size_t body_bytes,
                                        char out[65]);
