/* headers.c - see headers.h. */
#include "webhook/headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

json_t *headers_masked(const json_t *headers)
{
    json_t     *masked = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)headers, name, value)
        json_put(masked, name, json_string(HEADERS_MASK));
    return masked;
}

static json_t *value_of(const json_t *headers, const char *wanted)
{
    json_t     *value;
    const char *name;

    json_object_foreach((json_t *)headers, name, value)
        if (strcasecmp(name, wanted) == 0)
            return value;
    return NULL;
}

enum mh_err headers_keep(const json_t *given, const json_t *before, json_t **out,
                         struct json_fault *fault)
{
    json_t     *kept = json_object(), *value;
    const char *name;
    char        pointer[128];

    json_object_foreach((json_t *)given, name, value) {
        const char *text = json_string_value(value);
        if (text != NULL && strcmp(text, HEADERS_MASK) == 0)
            value = value_of(before, name);
        if (value == NULL) {
            json_decref(kept);
            snprintf(pointer, sizeof pointer, "/headers/%.100s", name);
            return json_fault(fault, pointer, "\"%s\" keeps the value that a header has, and there is no "
                              "header of this name", HEADERS_MASK);
        }
        json_put(kept, name, json_incref(value));
    }
    *out = kept;
    return MH_OK;
}

void headers_about(const char *id, char out[VAULT_ABOUT_BYTES])
{
    snprintf(out, VAULT_ABOUT_BYTES, "%s:headers", id);
}

bool headers_stored_plain(const json_t *stored) { return json_object_size(stored) > 0; }

json_t *headers_seal(const struct vault *v, const char *id, const json_t *headers)
{
    char   about[VAULT_ABOUT_BYTES];
    size_t bytes = 0;

    if (json_object_size(headers) == 0)
        return json_object();
    headers_about(id, about);
    char   *plain = json_text(headers, &bytes);
    char   *text = vault_seal(v, about, plain ? plain : "{}");
    json_t *sealed = json_string(text);
    if (plain != NULL)
        explicit_bzero(plain, bytes);
    free(plain);
    free(text);
    return sealed;
}

enum mh_err headers_unseal(const struct vault *v, const char *id, const json_t *stored, json_t **out)
{
    struct json_fault fault;
    char              about[VAULT_ABOUT_BYTES], *text = NULL;

    if (!json_is_string(stored)) {
        *out = json_is_object(stored) ? json_deep_copy(stored) : json_object();
        return MH_OK;
    }
    headers_about(id, about);
    enum mh_err err = vault_unseal(v, about, json_string_value(stored), &text);
    if (err != MH_OK)
        return MH_DENIED;
    err = json_parse_stored(text, strlen(text), out, &fault);
    explicit_bzero(text, strlen(text));
    free(text);
    return err == MH_OK ? MH_OK : MH_DENIED;
}
