/* signer.c - see signer.h. Standard Webhooks 1.0, symmetric signatures ("v1"). */
#include "webhook/signer.h"

#include "io/crypto.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    NEW_KEY_BYTES = 32, MIN_KEY_BYTES = 24, MAX_KEY_BYTES = 64,
    TOLERANCE_S = 300,
};

static const char secret_prefix[] = "whsec_";
static const char version_prefix[] = "v1,";

struct key { unsigned char bytes[MAX_KEY_BYTES]; size_t count; };

void signer_new_secret(char out[SECRET_TEXT_BYTES])
{
    unsigned char key[NEW_KEY_BYTES];
    const size_t  prefix_chars = sizeof secret_prefix - 1;

    crypto_random(key, sizeof key);
    memcpy(out, secret_prefix, prefix_chars);
    crypto_base64(key, sizeof key, out + prefix_chars);
    explicit_bzero(key, sizeof key);
}

/* Fills *key, which the caller wipes. */
static enum mh_err key_of(const char *secret, struct key *key)
{
    const size_t prefix_chars = sizeof secret_prefix - 1;

    if (strncmp(secret, secret_prefix, prefix_chars) != 0)
        return MH_INVALID;
    secret += prefix_chars;
    if (crypto_base64_decode(secret, strlen(secret), key->bytes, sizeof key->bytes,
                             &key->count) != MH_OK)
        return MH_INVALID;
    return key->count >= MIN_KEY_BYTES ? MH_OK : MH_INVALID;
}

/* A dot in the id would let bytes move between id and timestamp unnoticed. */
static bool id_can_be_signed(const char *id) { return *id != '\0' && strchr(id, '.') == NULL; }

static void sign_with(const struct key *key, const struct signed_bytes *what,
                      struct signature *out)
{
    char          sent_at[32];
    unsigned char mac[SHA256_BYTES];
    int           digits = snprintf(sent_at, sizeof sent_at, ".%" PRId64 ".", what->sent_at_s);
    const struct crypto_part parts[] = {
        { what->id, strlen(what->id) },
        { sent_at, (size_t)digits },
        { what->body, what->body_bytes },
    };

    crypto_hmac_sha256(key->bytes, key->count, parts, sizeof parts / sizeof parts[0], mac);
    memcpy(out->text, version_prefix, sizeof version_prefix);
    crypto_base64(mac, sizeof mac, out->text + sizeof version_prefix - 1);
}

enum mh_err signer_sign(const char *secret, const struct signed_bytes *what,
                        struct signature *out)
{
    struct key  key;
    enum mh_err err = id_can_be_signed(what->id) ? key_of(secret, &key) : MH_INVALID;

    if (err == MH_OK)
        sign_with(&key, what, out);
    explicit_bzero(&key, sizeof key);
    return err;
}

/* Whether one of the signatures in `header` is `expected`. An unknown version
 * has another length or other bytes, so it needs no case of its own. */
static bool header_has(const char *header, const char *expected)
{
    size_t expected_chars = strlen(expected);
    bool   found = false;

    while (*header != '\0') {
        size_t chars = strcspn(header, " ");
        if (chars == expected_chars && crypto_equal(header, expected, chars))
            found = true;
        header += chars;
        header += *header == ' ';
    }
    return found;
}

enum mh_err signer_verify(const char *secret, const struct signed_bytes *what,
                          const char *header, int64_t now_s)
{
    struct signature expected;
    enum mh_err      err = signer_sign(secret, what, &expected);

    if (err != MH_OK)
        return err;
    if (what->sent_at_s < now_s - TOLERANCE_S || what->sent_at_s > now_s + TOLERANCE_S)
        return MH_DENIED;
    return header_has(header, expected.text) ? MH_OK : MH_DENIED;
}

enum mh_err signer_body_hex(const char *secret, const void *body, size_t body_bytes,
                            char out[65])
{
    unsigned char            mac[SHA256_BYTES];
    const struct crypto_part part = { body, body_bytes };

    if (*secret == '\0')
        return MH_INVALID;
    crypto_hmac_sha256(secret, strlen(secret), &part, 1, mac);
    crypto_hex(mac, sizeof mac, out);
    return MH_OK;
}
