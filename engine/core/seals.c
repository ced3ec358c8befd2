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

/* ---- Concealing: one pass, so that what was put in is not searched again, and the
 * longest value first, so that one which begins another leaves nothing of it ---------- */

struct form { struct buf text; const char *token; };

struct forms {                              /* every value, as written in every place */
    struct form item[3 * VAULT_MAX_SECRETS];
    size_t      count;
    bool        begins[256];                /* some form begins with this byte */
};

static enum mh_err add_form(struct forms *f, const struct seal *seal, enum seal_place place)
{
    struct form *form = &f->item[f->count];

    form->token = seal->token;
    buf_init(&form->text, MH_MIB);
    enum mh_err err = put_value(&form->text, place, seal->value);
    if (err != MH_OK || form->text.len < SHORTEST_CONCEALED) {
        buf_deinit(&form->text);
        return err;
    }
    f->begins[(unsigned char)form->text.data[0]] = true;
    f->count++;
    return MH_OK;
}

static enum mh_err add_forms(struct forms *f, const struct seals *s)
{
    static const enum seal_place places[] = { SEAL_RAW, SEAL_JSON, SEAL_URL };
    enum mh_err                  err = MH_OK;

    f->count = 0;
    memset(f->begins, 0, sizeof f->begins);
    for (size_t i = 0; err == MH_OK && i < s->count * ARRAY_LEN(places); i++)
        err = add_form(f, &s->item[i / ARRAY_LEN(places)], places[i % ARRAY_LEN(places)]);
    return err;
}

static void forms_deinit(struct forms *f)
{
    for (size_t i = 0; i < f->count; i++) {
        explicit_bzero(f->item[i].text.data, f->item[i].text.len);
        buf_deinit(&f->item[i].text);
    }
}

static const struct form *form_at(const struct forms *f, const char *text, size_t bytes)
{
    const struct form *longest = NULL;

    if (!f->begins[(unsigned char)text[0]])
        return NULL;
    for (size_t i = 0; i < f->count; i++) {
        const struct form *form = &f->item[i];
        if (form->text.len <= bytes && (longest == NULL || form->text.len > longest->text.len) &&
            memcmp(text, form->text.data, form->text.len) == 0)
            longest = form;
    }
    return longest;
}

enum mh_err seals_conceal(const struct seals *s, const char *text, size_t bytes, struct buf *out)
{
    struct forms forms;
    size_t       copied = 0, at = 0;
    enum mh_err  err = add_forms(&forms, s);

    while (err == MH_OK && forms.count > 0 && at < bytes) {
        const struct form *form = form_at(&forms, text + at, bytes - at);
        if (form == NULL) {
            at++;
            continue;
        }
        err = buf_append(out, text + copied, at - copied);
        if (err == MH_OK)
            err = buf_puts(out, form->token);
        at += form->text.len;
        copied = at;
    }
    if (err == MH_OK && copied < bytes)
        err = buf_append(out, text + copied, bytes - copied);
    forms_deinit(&forms);
    return err;
}
