/* keyring.c - see keyring.h. */
#include "webhook/keyring.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void keyring_init(struct keyring *k)
{
    *k = (struct keyring){ .count = 1 };
    signer_new_secret(k->secret[0].text);
}

void keyring_wipe(struct keyring *k) { explicit_bzero(k, sizeof *k); }

static bool lives(const struct live_secret *s, int64_t now_ms)
{
    return s->until_ms == 0 || s->until_ms > now_ms;
}

enum mh_err keyring_rotate(struct keyring *k, int64_t overlap_ms, int64_t now_ms)
{
    struct keyring rotated = *k;

    rotated.count = 1;
    for (size_t i = 0; i < k->count; i++) {
        struct live_secret old = k->secret[i];
        if (old.until_ms == 0 || old.until_ms > now_ms + overlap_ms)
            old.until_ms = now_ms + overlap_ms;
        if (!lives(&old, now_ms))
            continue;
        if (rotated.count == KEYRING_SECRETS) {
            keyring_wipe(&rotated);
            return MH_CONFLICT;
        }
        rotated.secret[rotated.count++] = old;
    }
    rotated.secret[0].until_ms = 0;
    signer_new_secret(rotated.secret[0].text);
    *k = rotated;
    keyring_wipe(&rotated);
    return MH_OK;
}

void keyring_set_ed25519(struct keyring *k, bool wanted)
{
    if (wanted == (k->private_key[0] != '\0'))
        return;
    explicit_bzero(k->private_key, sizeof k->private_key);
    k->public_key[0] = '\0';
    if (wanted)
        signer_new_keys(k->private_key, k->public_key);
}

/* Appends one signature. Bounded: KEYRING_SECRETS + 1 of them fit. */
static void add(char out[KEYRING_HEADER_BYTES], const struct signature *s)
{
    size_t used = strlen(out);
    snprintf(out + used, KEYRING_HEADER_BYTES - used, "%s%s", used ? " " : "", s->text);
}

enum mh_err keyring_sign(const struct keyring *k, const struct signed_bytes *what, int64_t now_ms,
                         char out[KEYRING_HEADER_BYTES])
{
    struct signature s;
    enum mh_err      err = MH_OK;

    out[0] = '\0';
    for (size_t i = 0; err == MH_OK && i < k->count; i++) {
        if (!lives(&k->secret[i], now_ms))
            continue;
        err = signer_sign(k->secret[i].text, what, &s);
        if (err == MH_OK)
            add(out, &s);
    }
    if (err != MH_OK || k->private_key[0] == '\0')
        return err;
    err = signer_sign_ed25519(k->private_key, what, &s);
    if (err == MH_OK)
        add(out, &s);
    return err;
}

/* ---- At rest ----------------------------------------------------------------------- */

static json_t *sealed(const struct vault *v, const char *id, const char *secret)
{
    char   *text = vault_seal(v, id, secret);
    json_t *json = json_string(text);

    free(text);
    return json;
}

void keyring_store(const struct keyring *k, const struct vault *v, const char *id, json_t *stored)
{
    json_t *older = json_array();

    json_put(stored, "secret", sealed(v, id, k->secret[0].text));
    for (size_t i = 1; i < k->count; i++)
        json_array_append_new(older, json_pack("{s:o, s:I}", "secret",
                                               sealed(v, id, k->secret[i].text), "until_ms",
                                               (json_int_t)k->secret[i].until_ms));
    json_put(stored, "older_secrets", older);
    if (k->private_key[0] != '\0')
        json_put(stored, "private_key", sealed(v, id, k->private_key));
}

static enum mh_err unseal(const struct vault *v, const char *id, const char *sealed_text, char *out,
                          size_t out_bytes)
{
    char       *text = NULL;
    enum mh_err err = vault_unseal(v, id, sealed_text, &text);

    if (err != MH_OK)
        return MH_DENIED;
    snprintf(out, out_bytes, "%s", text);
    explicit_bzero(text, strlen(text));
    free(text);
    return MH_OK;
}

static enum mh_err load_secret(struct keyring *k, const struct vault *v, const char *id,
                               const json_t *entry)
{
    struct live_secret *s = &k->secret[k->count++];

    s->until_ms = json_int_of(entry, "until_ms", 0);
    return unseal(v, id, json_text_of(entry, "secret", ""), s->text, sizeof s->text);
}

enum mh_err keyring_load(struct keyring *k, const struct vault *v, const char *id,
                         const json_t *stored)
{
    const json_t *older = json_object_get(stored, "older_secrets");
    const char   *private_key = json_text_of(stored, "private_key", NULL);

    *k = (struct keyring){ .count = 0 };
    enum mh_err err = load_secret(k, v, id, stored);
    for (size_t i = 0; err == MH_OK && i < json_array_size(older) && k->count < KEYRING_SECRETS; i++)
        err = load_secret(k, v, id, json_array_get(older, i));
    if (err == MH_OK && private_key != NULL)
        err = unseal(v, id, private_key, k->private_key, sizeof k->private_key);
    if (err == MH_OK && private_key != NULL)
        err = signer_public_key(k->private_key, k->public_key);
    if (err != MH_OK)
        keyring_wipe(k);
    return err == MH_OK ? MH_OK : MH_DENIED;
}

void keyring_describe(const struct keyring *k, int64_t now_ms, json_t *described)
{
    json_t *secrets = json_array();
    char    at[CLOCK_TEXT_BYTES];

    for (size_t i = 0; i < k->count; i++) {
        if (!lives(&k->secret[i], now_ms))
            continue;
        if (k->secret[i].until_ms != 0)
            clock_format(k->secret[i].until_ms, at);
        json_array_append_new(secrets, json_pack("{s:s?}", "ends_at",
                                                 k->secret[i].until_ms ? at : NULL));
    }
    json_put(described, "secrets", secrets);
    json_put(described, "public_key", k->public_key[0] ? json_string(k->public_key) : NULL);
}
