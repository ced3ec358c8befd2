/* signer.h - signs the bytes of one outgoing webhook. Pure: no I/O, no clock.
 *
 * Standard Webhooks 1.0: the signed text is "<id>.<sent_at_s>.<body>"; the key
 * is what base64 decodes to behind "whsec_"; the result is "v1,<base64>". With an Ed25519
 * key the same text is signed as "v1a,<base64>": a private key is "whsk_" + base64 of seed and
 * public key, a public key "whpk_" + base64.
 * X-Mission-Control-Signature is hex HMAC-SHA256 of the body, keyed by the
 * secret as it is shown (DESIGN 4). */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { SECRET_TEXT_BYTES = 96,              /* "whsec_" + base64 of 64 bytes, with NUL */
       SIGNER_KEY_BYTES = 96 };             /* "whsk_" + base64 of 64 bytes, with NUL */

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

/* A new Ed25519 key, and its public half. */
void signer_new_keys(char private_key[SIGNER_KEY_BYTES], char public_key[SIGNER_KEY_BYTES]);
/* The public half of a private key; MH_INVALID when it is none. */
MH_MUST_USE enum mh_err signer_public_key(const char *private_key,
                                          char public_key[SIGNER_KEY_BYTES]);
/* "v1a,..". MH_INVALID when it is no private key, or the id cannot be signed; MH_NOMEM. */
MH_MUST_USE enum mh_err signer_sign_ed25519(const char *private_key, const struct signed_bytes *what,
                                            struct signature *out);
/* As signer_verify(), by a public key. */
MH_MUST_USE enum mh_err signer_verify_ed25519(const char *public_key,
                                              const struct signed_bytes *what,
                                              const char *header, int64_t now_s);

/* The receiving side (moonhook listen). `header` is a webhook-signature value:
 * several, separated by one blank; unknown versions are passed over. MH_INVALID
 * as above; MH_DENIED when none matches or |now_s - sent_at_s| > 300. Compares
 * in constant time. */
MH_MUST_USE enum mh_err signer_verify(const char *secret, const struct signed_bytes *what,
                                      const char *header, int64_t now_s);

/* 64 hex characters. MH_INVALID for an empty secret. */
MH_MUST_USE enum mh_err signer_body_hex(const char *secret, const void *body, size_t body_bytes,
                                        char out[65]);
