/* crypto.h - what moonhook needs of OpenSSL; the only module that includes it.
 *
 * Pure but for crypto_random() and the nonces of crypto_seal(); safe to call
 * from any thread. An OpenSSL that fails on our own valid input ends the process
 * with one line in the log: no result is ever "almost" signed or sealed. Data
 * with 0 bytes may be NULL; none may have more than 2 GiB. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SHA256_BYTES       = 32,
    ED25519_KEY_BYTES  = 32,                /* the seed of a private key, and a public key */
    ED25519_SIG_BYTES  = 64,
    SEAL_KEY_BYTES     = 32,
    SEAL_EXTRA_BYTES   = 12 + 16,           /* nonce in front, tag behind */
};

void crypto_random(void *out, size_t bytes);

/* "sha1", "sha256", "sha512", "md5": MH_INVALID for another name. *out_bytes is set. */
MH_MUST_USE enum mh_err crypto_digest(const char *algorithm, const void *data, size_t bytes,
                                      unsigned char out[64], size_t *out_bytes);
MH_MUST_USE enum mh_err crypto_hmac(const char *algorithm, const void *key, size_t key_bytes,
                                    const void *data, size_t bytes, unsigned char out[64],
                                    size_t *out_bytes);

void crypto_sha256(const void *data, size_t bytes, unsigned char out[SHA256_BYTES]);

/* HMAC-SHA256 over the parts in order, without copying them together. */
struct crypto_part { const void *data; size_t bytes; };
void crypto_hmac_sha256(const void *key, size_t key_bytes, const struct crypto_part *parts,
                        size_t count, unsigned char out[SHA256_BYTES]);

MH_MUST_USE enum mh_err crypto_ed25519_sign(const unsigned char seed[ED25519_KEY_BYTES],
                                            const void *data, size_t bytes,
                                            unsigned char out[ED25519_SIG_BYTES]);
bool crypto_ed25519_verify(const unsigned char public_key[ED25519_KEY_BYTES], const void *data,
                           size_t bytes, const unsigned char signature[ED25519_SIG_BYTES]);
MH_MUST_USE enum mh_err crypto_ed25519_public(const unsigned char seed[ED25519_KEY_BYTES],
                                              unsigned char public_key[ED25519_KEY_BYTES]);

/* Takes the same time wherever the bytes differ. */
bool crypto_equal(const void *a, const void *b, size_t bytes);

/* AES-256-GCM: out = nonce, ciphertext, tag (bytes + SEAL_EXTRA_BYTES). `about`
 * is authenticated and not stored: what was sealed about one thing does not
 * open about another. */
void crypto_seal(const unsigned char key[SEAL_KEY_BYTES], const char *about, const void *data,
                 size_t bytes, unsigned char *out);
/* `bytes` counts all of `sealed`; `out` has room for bytes - SEAL_EXTRA_BYTES.
 * MH_DENIED when the key, `about` or any byte is not the one it was sealed with;
 * what then stands in `out` is zeroes. */
MH_MUST_USE enum mh_err crypto_open(const unsigned char key[SEAL_KEY_BYTES], const char *about,
                                    const unsigned char *sealed, size_t bytes,
                                    unsigned char *out, size_t *out_bytes);

/* `out` has 2 * bytes + 1 characters. */
void crypto_hex(const void *data, size_t bytes, char *out);

/* Standard alphabet, padded. `out` has room for 4 * ((bytes + 2) / 3) + 1. */
void crypto_base64(const void *data, size_t bytes, char *out);
/* Strict: standard alphabet, padded, no blanks, no bits set in the padding, so
 * that no two texts mean the same bytes. MH_INVALID; MH_TOO_LARGE past out_max. */
MH_MUST_USE enum mh_err crypto_base64_decode(const char *text, size_t bytes, unsigned char *out,
                                             size_t out_max, size_t *out_bytes);

/* The URL-safe alphabet without padding (RFC 7515 2, "base64url"); the same rules. */
void crypto_base64url(const void *data, size_t bytes, char *out);
MH_MUST_USE enum mh_err crypto_base64url_decode(const char *text, size_t bytes, unsigned char *out,
                                                size_t out_max, size_t *out_bytes);
