/* manifest_config.c - configurations checked against a manifest's fields, and the
 * three faces of one: masked for people, with tokens for Lua, plain for the broker. */
#include "core/manifest.h"

#include "base/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MASK "***"

struct check {
    const json_t *fields, *before;
    json_t       *out, *faults;
};

static void add_fault(struct check *c, const char *field, const char *detail)
{
    char pointer[160];

    snprintf(pointer, sizeof pointer, "/%.150s", field);
    json_array_append_new(c->faults, json_pack("{s:s, s:s}", "pointer", pointer, "detail", detail));
}

bool manifest_is_secret(const struct manifest *m, const char *field)
{
    const json_t *fields = json_object_get(m->json, "config");
    return json_bool_of(json_object_get(fields, field), "secret", false);
}

static bool has_type(const json_t *value, const char *type)
{
    static const struct { const char *name; int a, b; } types[] = {
        { "string",  JSON_STRING,  JSON_STRING }, { "number", JSON_REAL, JSON_INTEGER },
        { "integer", JSON_INTEGER, JSON_INTEGER }, { "boolean", JSON_TRUE, JSON_FALSE },
        { "array",   JSON_ARRAY,   JSON_ARRAY },  { "object", JSON_OBJECT, JSON_OBJECT },
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, type) == 0)
            return (int)json_typeof(value) == types[i].a || (int)json_typeof(value) == types[i].b;
    return false;
}

static bool in_enum(const json_t *allowed, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(allowed); i++)
        if (json_equal(json_array_get(allowed, i), value))
            return true;
    return false;
}

static bool in_enum_or_items(const json_t *field, const json_t *value)
{
    const json_t *allowed = json_object_get(field, "enum");

    if (allowed == NULL)
        return true;
    if (!json_is_array(value))
        return in_enum(allowed, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!in_enum(allowed, json_array_get(value, i)))
            return false;
    return true;
}

/* A sentence about what is wrong with the value; NULL when nothing is. */
static const char *fault_of(const json_t *field, const json_t *value)
{
    struct policy_url url;
    const char       *why, *type = json_text_of(field, "type", "string");

    if (!has_type(value, type))
        return "has the wrong type";
    if (json_bool_of(field, "secret", false) && json_string_length(value) > VAULT_SECRET_BYTES)
        return "is longer than 64 KiB";
    if (!in_enum_or_items(field, value))
        return "is not one of the allowed values";
    if (json_is_string(value) && strcmp(json_text_of(field, "format", ""), "uri") == 0 &&
        policy_url_parse(json_string_value(value), &url, &why) != MH_OK)
        return why;
    const json_t *least = json_object_get(field, "minimum"), *most = json_object_get(field, "maximum");
    if (json_is_number(value) && json_is_number(least) &&
        json_number_value(value) < json_number_value(least))
        return "is below the minimum";
    if (json_is_number(value) && json_is_number(most) &&
        json_number_value(value) > json_number_value(most))
        return "is above the maximum";
    return NULL;
}

static const json_t *value_of(const struct check *c, const char *name, const json_t *field,
                              const json_t *given)
{
    const json_t *value = json_object_get(given, name);
    const char   *text = json_string_value(value);

    if (text != NULL && strcmp(text, MASK) == 0 && json_bool_of(field, "secret", false))
        return json_object_get(c->before, name);
    if (value == NULL || json_is_null(value))
        return json_object_get(field, "default");
    return value;
}

static void check_field(struct check *c, const char *name, const json_t *field,
                        const json_t *given)
{
    const json_t *value = value_of(c, name, field, given);

    if (value == NULL) {
        if (json_bool_of(field, "required", false))
            add_fault(c, name, "is required");
        return;
    }
    const char *fault = fault_of(field, value);
    if (fault != NULL)
        add_fault(c, name, fault);
    else
        json_put(c->out, name, json_deep_copy(value));
}

enum mh_err manifest_config(const struct manifest *m, const json_t *given, const json_t *before,
                            json_t **out, json_t **faults)
{
    struct check c = { json_object_get(m->json, "config"), before, json_object(), json_array() };
    const char  *name;
    json_t      *item;

    if (given != NULL && !json_is_object(given))
        add_fault(&c, "", "must be an object");
    json_object_foreach((json_t *)c.fields, name, item)
        check_field(&c, name, item, given);
    json_object_foreach((json_t *)given, name, item)
        if (json_object_get(c.fields, name) == NULL)
            add_fault(&c, name, "unknown field");
    if (json_array_size(c.faults) > 0) {
        json_decref(c.out);
        *faults = c.faults;
        return MH_UNPROCESSABLE;
    }
    json_decref(c.faults);
    *out = c.out;
    return MH_OK;
}

json_t *manifest_mask(const struct manifest *m, const json_t *config)
{
    json_t     *masked = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)config, name, value)
        json_put(masked, name, manifest_is_secret(m, name) ? json_string(MASK) : json_incref(value));
    return masked;
}

json_t *manifest_tokens(const struct manifest *m, const json_t *config, struct seals *seals)
{
    json_t     *shown = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)config, name, value) {
        const char *token = NULL;
        if (manifest_is_secret(m, name) && json_is_string(value))
            token = seals_add(seals, json_string_value(value));
        if (manifest_is_secret(m, name))
            json_put(shown, name, token ? json_string(token) : json_null());
        else
            json_put(shown, name, json_incref(value));
    }
    return shown;
}
