/* keyring.h - what one endpoint's messages are signed with: its live secrets, newest first,
 * and an Ed25519 key where it has one. No clock, no I/O but the vault's cryptography.
 *
 * A rotation makes a new secret; the older ones live for a while longer, so that receivers can
 * change over without losing a message: during that time every message has one signature
 * per live secret. At most KEYRING_SECRETS live at once; a rotation beyond that is refused
 * rather than end one early. */
#pragma once

#include "core/vault.h"
#include "webhook/signer.h"

enum { KEYRING_SECRETS = 5, KEYRING_HEADER_BYTES = 512 };

struct live_secret { char text[SECRET_TEXT_BYTES]; int64_t until_ms; };    /* Unix; 0: no end */

struct keyring {
    struct live_secret secret[KEYRING_SECRETS];     /* the newest first; only it has no end */
    size_t             count;
    char               private_key[SIGNER_KEY_BYTES];   /* "whsk_.."; "" for none */
    char               public_key[SIGNER_KEY_BYTES];    /* "whpk_.." */
};

void keyring_init(struct keyring *k);       /* one new secret, no Ed25519 key */
void keyring_wipe(struct keyring *k);

/* A new secret; every older one ends `overlap_ms` from now, or when it would have before that.
 * MH_CONFLICT where KEYRING_SECRETS would be exceeded; nothing is changed then. */
MH_MUST_USE enum mh_err keyring_rotate(struct keyring *k, int64_t overlap_ms, int64_t now_ms);

/* Makes a key where it has none; or destroys it. */
void keyring_set_ed25519(struct keyring *k, bool wanted);

/* The value of webhook-signature: "v1,.." for each secret that lives at `now_ms`, newest first,
 * then "v1a,..". MH_INVALID as signer_sign(). */
MH_MUST_USE enum mh_err keyring_sign(const struct keyring *k, const struct signed_bytes *what,
                                     int64_t now_ms, char out[KEYRING_HEADER_BYTES]);

/* "secret", "older_secrets" and "private_key" of what Redis keeps, each sealed about `id`. */
void keyring_store(const struct keyring *k, const struct vault *v, const char *id, json_t *stored);
/* MH_DENIED: not readable with this master key; *k is then of no use. */
MH_MUST_USE enum mh_err keyring_load(struct keyring *k, const struct vault *v, const char *id,
                                     const json_t *stored);

/* Adds "secrets" ([{"ends_at":time|null}], no values) and "public_key". */
void keyring_describe(const struct keyring *k, int64_t now_ms, json_t *described);
