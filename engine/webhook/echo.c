/* echo.c - see echo.h. */
#include "webhook/echo.h"

#include "core/delivery.h"
#include "io/crypto.h"
#include "webhook/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_PREFIX "whsec_"
enum { KEY_CHARS = 43,                      /* base64 of 32 bytes without its padding */
       MOST_BYTES = 256 * 1024 };           /* of a masked text; a head or a body has 16 KiB */

/* A text with a value in it that was not looked for would be recorded. */
_Static_assert(KEYRING_SECRETS + 2 * ENDPOINT_MAX_HEADERS <= (int)VAULT_MAX_SECRETS,
               "two values a header");

void echo_init(struct echo *x, const struct keyring *keys, const json_t *headers)
{
    *x = (struct echo){ .keys = keys, .headers = headers };
}

void echo_deinit(struct echo *x) { seals_deinit(&x->seals); }

/* ---- What is looked for ------------------------------------------------------------------ */

static void add(struct echo *x, const char *value)
{
    if (seals_add_mask(&x->seals, value) != MH_OK)
        abort();                            /* there is room: see above */
}

/* "user:password", of which the encoded credentials are a spelling, and the password. */
static bool add_basic(struct echo *x, const char *encoded)
{
    size_t chars = strlen(encoded), bytes = 0;
    char  *plain = mem_alloc(chars + 1);
    bool   decoded = crypto_base64_decode(encoded, chars, (unsigned char *)plain, chars, &bytes) == MH_OK;
    char  *colon = decoded ? memchr(plain, ':', bytes) : NULL;

    if (colon != NULL) {
        add(x, plain);
        add(x, colon + 1);
    }
    explicit_bzero(plain, chars);
    free(plain);
    return colon != NULL;
}

/* Behind a scheme stands what is secret, and may be shown alone. */
static void add_header(struct echo *x, const char *value)
{
    static const char *const schemes[] = { "Basic ", "Bearer ", "Token ", "ApiKey ", "Key " };

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(value, schemes[i], len) != 0)
            continue;
        const char *rest = value + len;
        if (i > 0 || !add_basic(x, rest))
            add(x, rest);
        return;
    }
    add(x, value);
}

static void add_key(struct echo *x, const char *secret)
{
    char key[SECRET_TEXT_BYTES];

    snprintf(key, sizeof key, "%s", secret + strlen(KEY_PREFIX));
    key[strcspn(key, "=")] = '\0';
    add(x, key);
    explicit_bzero(key, sizeof key);
}

static void add_all(struct echo *x)
{
    const char *name;
    json_t     *value;

    for (size_t i = 0; i < x->keys->count; i++)
        add_key(x, x->keys->secret[i].text);
    json_object_foreach((json_t *)x->headers, name, value)
        add_header(x, json_string_value(value));
}

/* ---- Masking ------------------------------------------------------------------------------- */

static bool has_long_word(const char *text, size_t bytes)
{
    size_t length = 0;

    for (size_t i = 0; i < bytes && length < KEY_CHARS; i++)
        length = text[i] == ' ' || text[i] == '\n' ? 0 : length + 1;
    return length >= KEY_CHARS;
}

void echo_write(struct echo *x, struct json_writer *w, const char *name, const char *text, size_t bytes)
{
    static const char unsearched[] = "(too long to be searched for secrets)";
    struct buf        out;

    if (json_object_size(x->headers) == 0 && !has_long_word(text, bytes)) {
        delivery_write_text(w, name, text, bytes);
        return;
    }
    if (x->seals.count == 0)
        add_all(x);
    buf_init(&out, MOST_BYTES);
    if (seals_conceal(&x->seals, text, bytes, &out) == MH_OK)
        delivery_write_text(w, name, out.data ? out.data : "", out.len);
    else
        delivery_write_text(w, name, unsearched, sizeof unsearched - 1);
    buf_deinit(&out);
}
