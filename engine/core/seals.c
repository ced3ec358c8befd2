/* seals.c - the tokens of one plugin: values in on the way out, tokens in on the
 * way back. Declared in vault.h. */
#include "core/vault.h"

#include "base/util.h"
#include "io/crypto.h"

#include <stdlib.h>
#include <string.h>

enum { SHORTEST_CONCEALED = 4 };            /* shorter values would eat ordinary text */

const char *seals_add(struct seals *s, const char *value)
{
    unsigned char random[16];

    if (s->count == VAULT_MAX_SECRETS)
        return NULL;
    struct seal *seal = &s->item[s->count++];
    crypto_random(random, sizeof random);
    memcpy(seal->token, "mhs_", 4);
    crypto_hex(random, sizeof random, seal->token + 4);
    seal->value = mem_strdup(value);
    return seal->token;
}

void seals_deinit(struct seals *s)
{
    for (size_t i = 0; i < s->count; i++) {
        explicit_bzero(s->item[i].value, strlen(s->item[i].value));
        free(s->item[i].value);
    }
    s->count = 0;
}

/* ---- Writing a value for a place --------------------------------------------------- */

static bool unreserved(unsigned char c)     /* RFC 3986 2.3 */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static enum mh_err put_percent(struct buf *out, const char *value)
{
    enum mh_err err = MH_OK;
    for (; err == MH_OK && *value != '\0'; value++)
        err = unreserved((unsigned char)*value) ? buf_append(out, value, 1)
                                                : buf_printf(out, "%%%02X", (unsigned char)*value);
    return err;
}

static enum mh_err put_json(struct buf *out, const char *value)
{
    size_t  bytes = 0;
    json_t *string = json_string(value);
    char   *text = string ? json_text(string, &bytes) : NULL;

    enum mh_err err = text ? buf_append(out, text + 1, bytes - 2) : MH_INVALID;
    free(text);
    json_decref(string);
    return err;
}

static enum mh_err put_value(struct buf *out, enum seal_place place, const char *value)
{
    switch (place) {
    case SEAL_URL:
    case SEAL_FORM: return put_percent(out, value);
    case SEAL_JSON: return put_json(out, value);
    case SEAL_RAW:  break;
    }
    return buf_puts(out, value);
}

/* ---- Finding ---------------------------------------------------------------------------- */

static const struct seal *token_at(const struct seals *s, const char *text, size_t bytes)
{
    if (bytes < VAULT_TOKEN_CHARS || memcmp(text, "mhs_", 4) != 0)
        return NULL;
    for (size_t i = 0; i < s->count; i++)
        if (memcmp(text, s->item[i].token, VAULT_TOKEN_CHARS) == 0)
            return &s->item[i];
    return NULL;
}

enum mh_err seals_reveal(const struct seals *s, enum seal_place place, const char *text,
                         size_t bytes, struct buf *out)
{
    enum mh_err err = MH_OK;
    size_t      copied = 0, at = 0;

    while (err == MH_OK && at < bytes) {
        const struct seal *seal = token_at(s, text + at, bytes - at);
        if (seal == NULL) {
            at++;
            continue;
        }
        err = buf_append(out, text + copied, at - copied);
        if (err == MH_OK)
            err = put_value(out, place == SEAL_URL && at == 0 ? SEAL_RAW : place, seal->value);
        at += VAULT_TOKEN_CHARS;
        copied = at;
    }
    return err == MH_OK ? buf_append(out, text + copied, bytes - copied) : err;
}

/* Replaces every `from` in *text (owned, replaced by a new buffer) by `to`. */
static enum mh_err replace_all(struct buf *text, const char *from, const char *to)
{
    struct buf  fresh;
    size_t      from_bytes = strlen(from), copied = 0;
    const char *hit;
    enum mh_err err = MH_OK;

    if (from_bytes < SHORTEST_CONCEALED || text->len < from_bytes)
        return MH_OK;
    if (memmem(text->data, text->len, from, from_bytes) == NULL)
        return MH_OK;
    buf_init(&fresh, text->max_bytes);
    while (err == MH_OK &&
           (hit = memmem(text->data + copied, text->len - copied, from, from_bytes)) != NULL) {
        err = buf_append(&fresh, text->data + copied, (size_t)(hit - text->data) - copied);
        if (err == MH_OK)
            err = buf_puts(&fresh, to);
        copied = (size_t)(hit - text->data) + from_bytes;
    }
    if (err == MH_OK)
        err = buf_append(&fresh, text->data + copied, text->len - copied);
    buf_deinit(text);
    *text = fresh;
    return err;
}

static enum mh_err conceal_one(struct buf *text, const struct seal *seal)
{
    static const enum seal_place places[] = { SEAL_RAW, SEAL_JSON, SEAL_URL };
    enum mh_err                  err = MH_OK;

    for (size_t i = 0; err == MH_OK && i < ARRAY_LEN(places); i++) {
        struct buf written;
        buf_init(&written, MH_MIB);
        err = put_value(&written, places[i], seal->value);
        if (err == MH_OK && written.len > 0)
            err = replace_all(text, written.data, seal->token);
        buf_deinit(&written);
    }
    return err;
}

enum mh_err seals_conceal(const struct seals *s, const char *text, size_t bytes, struct buf *out)
{
    struct buf  copy;
    enum mh_err err;

    buf_init(&copy, out->max_bytes);
    err = buf_append(&copy, text, bytes);
    for (size_t i = 0; err == MH_OK && i < s->count; i++)
        err = conceal_one(&copy, &s->item[i]);
    if (err == MH_OK)
        err = buf_append(out, copy.data, copy.len);
    buf_deinit(&copy);
    return err;
}
