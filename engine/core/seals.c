/* seals.c - the tokens of one plugin: values in on the way out. Declared in vault.h; the
 * way back is in conceal.c. */
#include "core/vault.h"

#include "base/util.h"
#include "io/crypto.h"

#include <stdlib.h>
#include <string.h>

/* NULL past VAULT_MAX_SECRETS. Its token is to be filled in. */
static struct seal *add_value(struct seals *s, const char *value)
{
    if (s->count == VAULT_MAX_SECRETS)
        return NULL;
    struct seal *seal = &s->item[s->count++];
    seal->value = mem_strdup(value);
    spellings_add(s, (unsigned)(s->count - 1));
    return seal;
}

const char *seals_add(struct seals *s, const char *value)
{
    unsigned char random[16];
    struct seal  *seal = add_value(s, value);

    if (seal == NULL)
        return NULL;
    crypto_random(random, sizeof random);
    memcpy(seal->token, "mhs_", 4);
    crypto_hex(random, sizeof random, seal->token + 4);
    return seal->token;
}

enum mh_err seals_add_mask(struct seals *s, const char *value)
{
    struct seal *seal = add_value(s, value);

    if (seal == NULL)
        return MH_TOO_LARGE;
    memcpy(seal->token, "***", 4);
    return MH_OK;
}

void seals_deinit(struct seals *s)
{
    for (size_t i = 0; i < s->count; i++) {
        explicit_bzero(s->item[i].value, strlen(s->item[i].value));
        free(s->item[i].value);
    }
    s->count = 0;
    spellings_free(s->spellings);
    s->spellings = NULL;
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
