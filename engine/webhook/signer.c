/* signer.c - see signer.h. Standard Webhooks 1.0: symmetric signatures ("v1") and Ed25519 ("v1a"). */
#include "webhook/signer.h"

#include "base/buf.h"
#include "io/crypto.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NEW_KEY_BYTES = 32, MIN_KEY_BYTES = 24, MAX_KEY_BYTES = 64,
    TOLERANCE_S = 300,
};

static const char secret_prefix[] = "whsec_";
static const char version_prefix[] = "v1,";
static const char private_prefix[] = "whsk_", public_prefix[] = "whpk_";
static const char ed25519_prefix[] = "v1a,";

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

/* What base64 decodes to behind a prefix. */
static enum mh_err decode(const char *text, const char *prefix, unsigned char *out, size_t out_max,
                          size_t *out_bytes)
{
    size_t prefix_chars = strlen(prefix);

    if (strncmp(text, prefix, prefix_chars) != 0)
        return MH_INVALID;
    text += prefix_chars;
    enum mh_err err = crypto_base64_decode(text, strlen(text), out, out_max, out_bytes);
    return err == MH_OK ? MH_OK : MH_INVALID;
}

/* Fills *key, which the caller wipes. */
static enum mh_err key_of(const char *secret, struct key *key)
{
    enum mh_err err = decode(secret, secret_prefix, key->bytes, sizeof key->bytes, &key->count);

    return err == MH_OK && key->count < MIN_KEY_BYTES ? MH_INVALID : err;
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

/* ---- Ed25519 ------------------------------------------------------------------- */

static void public_text(const unsigned char key[ED25519_KEY_BYTES], char out[SIGNER_KEY_BYTES])
{
    memcpy(out, public_prefix, sizeof public_prefix);
    crypto_base64(key, ED25519_KEY_BYTES, out + sizeof public_prefix - 1);
}

void signer_new_keys(char private_key[SIGNER_KEY_BYTES], char public_key[SIGNER_KEY_BYTES])
{
    unsigned char both[2 * ED25519_KEY_BYTES];  /* seed, public key */

    crypto_random(both, ED25519_KEY_BYTES);
    if (crypto_ed25519_public(both, both + ED25519_KEY_BYTES) != MH_OK)
        abort();                            /* any 32 bytes are a seed */
    memcpy(private_key, private_prefix, sizeof private_prefix);
    crypto_base64(both, sizeof both, private_key + sizeof private_prefix - 1);
    public_text(both + ED25519_KEY_BYTES, public_key);
    explicit_bzero(both, sizeof both);
}

/* Fills seed and public key, which the caller wipes; they must belong together. */
static enum mh_err private_of(const char *text, unsigned char both[2 * ED25519_KEY_BYTES])
{
    unsigned char real[ED25519_KEY_BYTES];
    size_t        bytes = 0;

    enum mh_err err = decode(text, private_prefix, both, 2 * ED25519_KEY_BYTES, &bytes);
    if (err != MH_OK || bytes != 2 * ED25519_KEY_BYTES)
        return MH_INVALID;
    err = crypto_ed25519_public(both, real);
    if (err != MH_OK)
        return err;
    return crypto_equal(real, both + ED25519_KEY_BYTES, sizeof real) ? MH_OK : MH_INVALID;
}

enum mh_err signer_public_key(const char *private_key, char public_key[SIGNER_KEY_BYTES])
{
    unsigned char both[2 * ED25519_KEY_BYTES];
    enum mh_err   err = private_of(private_key, both);

    if (err == MH_OK)
        public_text(both + ED25519_KEY_BYTES, public_key);
    explicit_bzero(both, sizeof both);
    return err;
}

/* The signed text in one piece, which Ed25519 wants; the caller owns it. */
static enum mh_err signed_text(const struct signed_bytes *what, struct buf *out)
{
    buf_init(out, what->body_bytes + 256);
    if (!id_can_be_signed(what->id))
        return MH_INVALID;
    enum mh_err err = buf_printf(out, "%s.%" PRId64 ".", what->id, what->sent_at_s);
    return err == MH_OK ? buf_append(out, what->body, what->body_bytes) : err;
}

enum mh_err signer_sign_ed25519(const char *private_key, const struct signed_bytes *what,
                                struct signature *out)
{
    unsigned char both[2 * ED25519_KEY_BYTES], mac[ED25519_SIG_BYTES];
    struct buf    text;

    enum mh_err err = signed_text(what, &text);
    if (err == MH_OK)
        err = private_of(private_key, both);
    if (err == MH_OK)
        err = crypto_ed25519_sign(both, text.data, text.len, mac);
    if (err == MH_OK) {
        memcpy(out->text, ed25519_prefix, sizeof ed25519_prefix);
        crypto_base64(mac, sizeof mac, out->text + sizeof ed25519_prefix - 1);
    }
    buf_deinit(&text);
    explicit_bzero(both, sizeof both);
    return err;
}

/* ---- Verifying ------------------------------------------------------------------ */

static bool in_time(const struct signed_bytes *what, int64_t now_s)
{
    return what->sent_at_s >= now_s - TOLERANCE_S && what->sent_at_s <= now_s + TOLERANCE_S;
}

/* One signature of a header: "v1a," and base64 of 64 bytes. */
static bool is_signature_of(const unsigned char key[ED25519_KEY_BYTES], const struct buf *text,
                            const char *word, size_t chars)
{
    const size_t  prefix_chars = sizeof ed25519_prefix - 1;
    unsigned char mac[ED25519_SIG_BYTES];
    size_t        bytes = 0;

    return chars > prefix_chars && strncmp(word, ed25519_prefix, prefix_chars) == 0 &&
           crypto_base64_decode(word + prefix_chars, chars - prefix_chars, mac, sizeof mac,
                                &bytes) == MH_OK &&
           bytes == sizeof mac && crypto_ed25519_verify(key, text->data, text->len, mac);
}

enum mh_err signer_verify_ed25519(const char *public_key, const struct signed_bytes *what,
                                  const char *header, int64_t now_s)
{
    unsigned char key[ED25519_KEY_BYTES];
    size_t        bytes = 0;
    struct buf    text;
    bool          found = false;

    enum mh_err err = signed_text(what, &text);
    if (err == MH_OK)
        err = decode(public_key, public_prefix, key, sizeof key, &bytes);
    if (err == MH_OK && bytes != sizeof key)
        err = MH_INVALID;
    for (; err == MH_OK && *header != '\0' && in_time(what, now_s); header += *header == ' ') {
        size_t chars = strcspn(header, " ");
        found = found || is_signature_of(key, &text, header, chars);
        header += chars;
    }
    buf_deinit(&text);
    return err == MH_OK && !found ? MH_DENIED : err;
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
    if (!in_time(what, now_s))
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
