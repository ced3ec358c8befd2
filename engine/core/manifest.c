/* manifest.c - reading a manifest and what it permits. */
#include "core/manifest.h"

#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct hook_row hooks[] = {
    { "alert",              "on_alert",              "alerts:read" },
    { "anomaly_detected",   "on_anomaly_detected",   "anomalies:read" },
    { "anomaly",            "on_anomaly_detected",   "anomalies:read" },
    { "sla_breach",         "on_sla_breach",         "sla:read" },
    { "thread_created",     "on_thread_created",     "threads:read" },
    { "execution_complete", "on_execution_complete", "executions:read" },
    { "error",              "on_error",              "errors:read" },
};
static const struct hook_row any_event = { NULL, "on_event", "events:read" };

static const char *const plain_permissions[] = {
    "alerts:read", "anomalies:read", "sla:read", "threads:read", "executions:read", "errors:read",
    "events:read", "storage", "events:emit", "webhooks:send", "endpoints", "dashboard", "jit",
};
static const char *const reaching_permissions[] = { "http:", "smtp:" };

static const struct json_field manifest_fields[] = {
    { "name",        JSON_IS_STRING, true },
    { "version",     JSON_IS_STRING, true },
    { "author",      JSON_IS_STRING, false },
    { "description", JSON_IS_STRING, false },
    { "categories",  JSON_IS_ARRAY,  false },
    { "permissions", JSON_IS_ARRAY,  false },
    { "config",      JSON_IS_OBJECT, false },
    { "limits",      JSON_IS_OBJECT, false },
    { "fail",        JSON_IS_STRING, false },
    { "hooks",       JSON_IS_ARRAY,  false },
    { "endpoints",   JSON_IS_OBJECT, false },
    { "setup",       JSON_IS_BOOL,   false },
    { "setup_at",    JSON_IS_STRING, false },
    { "jail",        JSON_IS_ARRAY,  false },
};

const struct hook_row *manifest_hook_of(const char *event_type)
{
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
        if (strcmp(hooks[i].event, event_type) == 0)
            return &hooks[i];
    return &any_event;
}

bool manifest_name_valid(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= 40 && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static bool array_has(const json_t *array, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *item = json_string_value(json_array_get(array, i));
        if (item != NULL && strcmp(item, text) == 0)
            return true;
    }
    return false;
}

static bool permission_valid(const char *permission)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_permissions); i++)
        if (strcmp(permission, plain_permissions[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(reaching_permissions); i++) {
        size_t len = strlen(reaching_permissions[i]);
        if (strncmp(permission, reaching_permissions[i], len) == 0 && permission[len] != '\0')
            return strpbrk(permission, " \t\r\n/\\@") == NULL;
    }
    return false;
}

static enum mh_err check_permissions(const json_t *list, struct json_fault *fault)
{
    if (json_array_size(list) > MANIFEST_MAX_PERMISSIONS)
        return json_fault(fault, "/permissions", "must be at most %d", MANIFEST_MAX_PERMISSIONS);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *permission = json_string_value(json_array_get(list, i));
        if (permission == NULL || !permission_valid(permission))
            return json_fault(fault, "/permissions", "item %zu is no permission that moonhook knows",
                              i + 1);
    }
    return MH_OK;
}

static enum mh_err check_fields(const json_t *config, struct json_fault *fault)
{
    static const char *const kinds[] = { "string", "number", "integer", "boolean", "array",
                                         "object" };
    const char *name;
    json_t     *field;

    if (json_object_size(config) > MANIFEST_MAX_FIELDS)
        return json_fault(fault, "/config", "must be at most %d fields", MANIFEST_MAX_FIELDS);
    json_object_foreach((json_t *)config, name, field) {
        bool        known = false;
        const char *type = json_text_of(field, "type", "string");
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            known = known || strcmp(type, kinds[i]) == 0;
        if (json_bool_of(field, "secret", false) && strcmp(type, "string") != 0)
            return json_fault(fault, "/config", "field '%.40s' is secret, so it must be a string",
                              name);
        if (known && json_is_object(field))
            continue;
        return json_fault(fault, "/config", "field '%.40s' has a type that moonhook does not know",
                          name);
    }
    return MH_OK;
}

static enum mh_err check_texts(const json_t *json, struct json_fault *fault)
{
    const char *fail = json_text_of(json, "fail", "retry");

    if (!manifest_name_valid(json_text_of(json, "name", "")))
        return json_fault(fault, "/name", "must be 1 to 40 of a-z 0-9 - and begin with a letter");
    if (strcmp(fail, "retry") != 0 && strcmp(fail, "drop") != 0)
        return json_fault(fault, "/fail", "must be \"retry\" or \"drop\"");
    return MH_OK;
}

/* ---- How much ---------------------------------------------------------------------------- */

static enum mh_err check_length(const json_t *text, const char *pointer, size_t most,
                                struct json_fault *fault)
{
    if (text != NULL && !json_is_string(text))
        return json_fault(fault, pointer, "must be text");
    if (json_string_length(text) > most)
        return json_fault(fault, pointer, "must be at most %zu bytes, not %zu", most,
                          json_string_length(text));
    return MH_OK;
}

/* `rest`: what of a table's pointer is behind `value`, which `at` leads to. */
static enum mh_err check_below(const json_t *value, const char *at, const char *rest, size_t most,
                               struct json_fault *fault);

static enum mh_err check_each(const json_t *all, const char *at, const char *rest, size_t most,
                              struct json_fault *fault)
{
    char        pointer[128];
    const char *name;
    json_t     *value;
    size_t      i;
    enum mh_err err = MH_OK;

    json_object_foreach((json_t *)all, name, value) {
        snprintf(pointer, sizeof pointer, "%s/%.64s", at, name);
        if (err == MH_OK)
            err = check_below(value, pointer, rest, most, fault);
    }
    json_array_foreach(all, i, value) {
        snprintf(pointer, sizeof pointer, "%s/%zu", at, i);
        if (err == MH_OK)
            err = check_below(value, pointer, rest, most, fault);
    }
    return err;
}

static enum mh_err check_below(const json_t *value, const char *at, const char *rest, size_t most,
                               struct json_fault *fault)
{
    char   pointer[160], name[32];
    size_t chars = strcspn(rest + (*rest == '/'), "/");

    if (*rest == '\0' || value == NULL)
        return check_length(value, at, most, fault);
    if (rest[1] == '*')
        return check_each(value, at, rest + 2, most, fault);
    snprintf(name, sizeof name, "%.*s", (int)chars, rest + 1);
    snprintf(pointer, sizeof pointer, "%s/%s", at, name);
    return check_below(json_object_get(value, name), pointer, rest + 1 + chars, most, fault);
}

static enum mh_err check_counts(const json_t *json, struct json_fault *fault)
{
    const char *name;
    json_t     *field;
    size_t      bytes = 0;

    if (json_array_size(json_object_get(json, "categories")) > LIMITS_CATEGORIES)
        return json_fault(fault, "/categories", "must be at most %d", LIMITS_CATEGORIES);
    json_object_foreach(json_object_get(json, "config"), name, field)
        if (strlen(name) > LIMITS_FIELD_NAME_BYTES)
            return json_fault(fault, "/config", "the name of field '%.20s...' must be at most %d bytes",
                              name, LIMITS_FIELD_NAME_BYTES);
    free(json_text(json, &bytes));
    if (bytes > LIMITS_MANIFEST_BYTES)
        return json_fault(fault, "", "must be at most %d KiB as JSON, not %zu",
                          LIMITS_MANIFEST_BYTES / 1024, bytes / 1024);
    return MH_OK;
}

static enum mh_err check_sizes(const json_t *json, struct json_fault *fault)
{
    static const struct { const char *pointer; size_t most; } rows[] = {
#define X(pointer, most) { pointer, most },
        MH_MANIFEST_TEXTS(X)
#undef X
    };
    enum mh_err err = MH_OK;

    for (size_t i = 0; err == MH_OK && i < ARRAY_LEN(rows); i++)
        err = check_below(json, "", rows[i].pointer, rows[i].most, fault);
    return err == MH_OK ? check_counts(json, fault) : err;
}

enum mh_err manifest_read(json_t *json, struct manifest *out, struct json_fault *fault)
{
    enum mh_err err = json_check(json, manifest_fields, ARRAY_LEN(manifest_fields), fault);

    if (err == MH_OK)
        err = check_texts(json, fault);
    if (err == MH_OK)
        err = check_permissions(json_object_get(json, "permissions"), fault);
    if (err == MH_OK)
        err = check_fields(json_object_get(json, "config"), fault);
    if (err == MH_OK)
        err = check_sizes(json, fault);
    if (err == MH_OK)
        err = limits_check(json_object_get(json, "limits"), fault);
    if (err != MH_OK)
        return err;
    *out = (struct manifest){
        .json = json_incref(json),
        .name = json_text_of(json, "name", ""),
        .version = json_text_of(json, "version", ""),
        .limits = json_object_get(json, "limits"),
        .drop = strcmp(json_text_of(json, "fail", "retry"), "drop") == 0,
        .jit = array_has(json_object_get(json, "permissions"), "jit"),
        .setup = json_bool_of(json, "setup", false),
    };
    return MH_OK;
}

void manifest_deinit(struct manifest *m)
{
    json_decref(m->json);
    *m = (struct manifest){ 0 };
}

bool manifest_has_hook(const struct manifest *m, const char *hook)
{
    return array_has(json_object_get(m->json, "hooks"), hook);
}

bool manifest_permits(const struct manifest *m, const char *permission)
{
    return array_has(json_object_get(m->json, "permissions"), permission);
}

bool manifest_wants(const struct manifest *m, const char *event_type)
{
    const struct hook_row *row = manifest_hook_of(event_type);

    return manifest_has_hook(m, row->hook) && manifest_permits(m, row->permission);
}

bool manifest_same(const struct manifest *a, const struct manifest *b)
{
    static const char *const compared[] = { "name", "version", "permissions", "hooks", "config",
                                            "limits", "fail", "setup", "endpoints" };
    for (size_t i = 0; i < ARRAY_LEN(compared); i++) {
        json_t *x = json_object_get(a->json, compared[i]), *y = json_object_get(b->json, compared[i]);
        if ((x == NULL) != (y == NULL) || (x != NULL && !json_equal(x, y)))
            return false;
    }
    return true;
}

/* "${config.base_url}": the host and port of that configuration value. */
static bool config_host_matches(const char *pattern, const json_t *config,
                                const struct policy_url *url)
{
    char              field[64];
    const char       *end = strchr(pattern, '}'), *why;
    struct policy_url allowed;
    size_t            head = strlen("${config.");

    if (end == NULL || end[1] != '\0' || (size_t)(end - pattern) - head >= sizeof field)
        return false;
    memcpy(field, pattern + head, (size_t)(end - pattern) - head);
    field[(size_t)(end - pattern) - head] = '\0';
    const char *value = json_text_of(config, field, NULL);
    if (value == NULL || policy_url_parse(value, &allowed, &why) != MH_OK)
        return false;
    return strcmp(allowed.host, url->host) == 0 && allowed.port == url->port &&
           strcmp(allowed.scheme, url->scheme) == 0;
}

bool manifest_may_reach(const struct manifest *m, const json_t *config,
                        const struct policy_url *url)
{
    const json_t *list = json_object_get(m->json, "permissions");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *permission = json_string_value(json_array_get(list, i));
        if (permission == NULL || strncmp(permission, "http:", 5) != 0)
            continue;
        bool from_config = strncmp(permission + 5, "${config.", 9) == 0;
        if (from_config ? config_host_matches(permission + 5, config, url)
                        : policy_host_allowed(permission + 5, url))
            return true;
    }
    return false;
}
