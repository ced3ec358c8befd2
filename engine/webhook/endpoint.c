/* endpoint.c - see endpoint.h. */
#include "webhook/endpoint.h"

#include "base/clock.h"
#include "core/policy.h"
#include "webhook/headers.h"
#include "webhook/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 500, MAX_HEADER_BYTES = 1000, MIN_TIMEOUT_MS = 100, MAX_RATE_PER_S = 10000 };
static const double MIN_RATE_PER_S = 0.01;

const struct json_field endpoint_fields[] = {
    { "url",         JSON_IS_STRING, false },
    { "events",      JSON_IS_ARRAY,  false },
    { "org_id",      JSON_IS_STRING, false },
    { "active",      JSON_IS_BOOL,   false },
    { "description", JSON_IS_STRING, false },
    { "headers",     JSON_IS_OBJECT, false },
    { "rate_limit",  JSON_IS_ANY,    false },       /* this one and the next three: null for */
    { "concurrency", JSON_IS_ANY,    false },       /* what the server has */
    { "timeout_ms",  JSON_IS_ANY,    false },
    { "retry_schedule", JSON_IS_ANY, false },
    { "ed25519",     JSON_IS_BOOL,   false },
    { "filter",      JSON_IS_ARRAY,  false },
};
const size_t endpoint_field_count = ARRAY_LEN(endpoint_fields);

static const char *const own_headers[] = { "host", "content-length", "transfer-encoding",
                                           "content-type", "connection", "webhook-id",
                                           "webhook-timestamp", "webhook-signature" };

/* A type, or its beginning and a star. */
static bool pattern_valid(const char *pattern)
{
    size_t len = strlen(pattern);
    return len > 0 && len < EVENT_TYPE_BYTES &&
           strspn(pattern, "abcdefghijklmnopqrstuvwxyz0123456789_-.") + (pattern[len - 1] == '*') == len;
}

static enum mh_err check_events(const json_t *events, struct json_fault *fault)
{
    size_t count = json_array_size(events);

    if (count == 0 || count > ENDPOINT_MAX_EVENTS)
        return json_fault(fault, "/events", "must name 1 to %d event types or patterns",
                          ENDPOINT_MAX_EVENTS);
    for (size_t i = 0; i < count; i++) {
        const char *pattern = json_string_value(json_array_get(events, i));
        char        pointer[32];
        snprintf(pointer, sizeof pointer, "/events/%zu", i);
        if (pattern == NULL || !pattern_valid(pattern))
            return json_fault(fault, pointer, "must be an event type, a beginning and *, or *");
    }
    return MH_OK;
}

static bool header_name_free(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > 100 || strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                              "0123456789-_") != len)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(own_headers); i++)
        if (strcasecmp(own_headers[i], name) == 0)
            return false;
    return strncasecmp(name, "x-mission-control-", 18) != 0;
}

static bool header_value_valid(const char *value)
{
    if (value == NULL || strlen(value) > MAX_HEADER_BYTES)
        return false;
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7f)
            return false;
    return true;
}

static enum mh_err check_headers(const json_t *headers, struct json_fault *fault)
{
    const char *name;
    json_t     *value;
    char        pointer[128];

    if (json_object_size(headers) > ENDPOINT_MAX_HEADERS)
        return json_fault(fault, "/headers", "must be at most %d", ENDPOINT_MAX_HEADERS);
    json_object_foreach((json_t *)headers, name, value) {
        snprintf(pointer, sizeof pointer, "/headers/%.100s", name);
        if (!header_name_free(name))
            return json_fault(fault, pointer, "is no header name, or one that moonhook sets itself");
        if (!header_value_valid(json_string_value(value)))
            return json_fault(fault, pointer, "must be text of at most %d bytes in one line",
                              MAX_HEADER_BYTES);
    }
    return MH_OK;
}

static enum mh_err check_url(const json_t *object, struct json_fault *fault)
{
    const char       *url = json_text_of(object, "url", NULL), *why;
    struct policy_url parsed;

    if (url == NULL)
        return json_fault(fault, "/url", "is required");
    if (strlen(url) > ENDPOINT_MAX_URL_BYTES)
        return json_fault(fault, "/url", "must be at most %d bytes", ENDPOINT_MAX_URL_BYTES);
    if (policy_url_parse(url, &parsed, &why) != MH_OK)
        return json_fault(fault, "/url", "%s", why);
    return MH_OK;
}

static enum mh_err check_rate(const json_t *object, struct json_fault *fault)
{
    const json_t *rate = json_object_get(object, "rate_limit");
    double        per_s = json_number_value(rate);

    if (json_is_null(rate) || (per_s >= MIN_RATE_PER_S && per_s <= MAX_RATE_PER_S))
        return MH_OK;
    return json_fault(fault, "/rate_limit", "must be %g to %d attempts a second, or null for no limit",
                      MIN_RATE_PER_S, MAX_RATE_PER_S);
}

static enum mh_err check_within(const json_t *object, const char *name, int64_t min, int64_t max,
                                struct json_fault *fault)
{
    const json_t *value = json_object_get(object, name);
    char          pointer[32];

    if (json_is_null(value) || (json_is_integer(value) && json_integer_value(value) >= min &&
                                json_integer_value(value) <= max))
        return MH_OK;
    snprintf(pointer, sizeof pointer, "/%s", name);
    return json_fault(fault, pointer, "must be %lld to %lld, the server's own, or null for that",
                      (long long)min, (long long)max);
}

static enum mh_err check_schedule(const json_t *object, struct json_fault *fault)
{
    const json_t   *value = json_object_get(object, "retry_schedule");
    struct schedule unused;

    if (json_is_null(value) ||
        (json_is_string(value) && schedule_parse(json_string_value(value), &unused) == MH_OK))
        return MH_OK;
    return json_fault(fault, "/retry_schedule", "must be up to %d delays such as \"0s,5s,5m\", or null "
                      "for the server's own", SCHEDULE_MAX);
}

static enum mh_err check_pace(const json_t *object, const struct endpoint_most *most,
                              struct json_fault *fault)
{
    enum mh_err err = check_rate(object, fault);
    if (err == MH_OK)
        err = check_within(object, "concurrency", 1, most->concurrency, fault);
    if (err == MH_OK)
        err = check_within(object, "timeout_ms", MIN_TIMEOUT_MS, most->timeout_ms, fault);
    if (err == MH_OK)
        err = check_schedule(object, fault);
    return err;
}

/* What an endpoint is that says nothing about it. */
static json_t *defaults(void)
{
    return json_pack("{s:[s], s:b, s:s, s:{}, s:n, s:n, s:n, s:n, s:b, s:[]}", "events", "*",
                     "active", 1, "description", "", "headers", "rate_limit", "concurrency",
                     "timeout_ms", "retry_schedule", "ed25519", 0, "filter");
}

static enum mh_err check_all(const json_t *merged, const struct endpoint_most *most,
                             struct json_fault *fault)
{
    enum mh_err err = check_url(merged, fault);
    if (err == MH_OK)
        err = check_events(json_object_get(merged, "events"), fault);
    if (err == MH_OK)
        err = check_headers(json_object_get(merged, "headers"), fault);
    if (err == MH_OK)
        err = check_pace(merged, most, fault);
    if (err == MH_OK)
        err = filter_check(json_object_get(merged, "filter"), fault);
    if (err == MH_OK && strlen(json_text_of(merged, "description", "")) > MAX_TEXT)
        err = json_fault(fault, "/description", "must be at most %d bytes", MAX_TEXT);
    return err;
}

static enum mh_err keep_masked_headers(json_t *merged, const json_t *given, const json_t *before,
                                       struct json_fault *fault)
{
    const json_t *headers = json_object_get(given, "headers");
    json_t       *kept = NULL;

    if (headers == NULL)
        return MH_OK;
    enum mh_err err = headers_keep(headers, json_object_get(before, "headers"), &kept, fault);
    if (err == MH_OK)
        json_put(merged, "headers", kept);
    return err;
}

enum mh_err endpoint_check(const json_t *given, const json_t *before,
                           const struct endpoint_most *most, json_t **out,
                           struct json_fault *fault)
{
    enum mh_err err = json_check(given, endpoint_fields, endpoint_field_count, fault);
    if (err != MH_OK)
        return err;
    json_t *merged = before ? json_deep_copy(before) : defaults();
    json_object_update(merged, (json_t *)given);
    json_object_del(merged, "org_id");
    if (json_bool_of(merged, "active", true)) {
        json_object_del(merged, "disabled_reason");
        json_object_del(merged, "disabled_at");
    }
    err = keep_masked_headers(merged, given, before, fault);
    if (err == MH_OK)
        err = check_all(merged, most, fault);
    if (err == MH_OK)
        *out = merged;
    else
        json_decref(merged);
    return err;
}

/* A value of the endpoint's own, or the server's. */
static int64_t within(const json_t *json, const char *name, int64_t most)
{
    int64_t own = json_int_of(json, name, most);
    return own < most ? own : most;
}

void endpoint_apply(struct endpoint *e, const struct endpoint_most *most)
{
    json_t     *otherwise = defaults();
    const char *own = json_text_of(e->json, "retry_schedule", "");

    json_object_update_missing(e->json, otherwise);     /* stored before there was such a field */
    json_decref(otherwise);
    e->active = json_bool_of(e->json, "active", true);
    e->target.max_in_flight = (unsigned)within(e->json, "concurrency", most->concurrency);
    e->timeout_ms = within(e->json, "timeout_ms", most->timeout_ms);
    e->gate.per_s = json_number_value(json_object_get(e->json, "rate_limit"));
    e->target.schedule = schedule_parse(own, &e->schedule) == MH_OK ? &e->schedule : most->schedule;
}

static bool pattern_matches(const char *pattern, const char *type)
{
    size_t len = strlen(pattern);
    return pattern[len - 1] == '*' ? strncmp(pattern, type, len - 1) == 0
                                   : strcmp(pattern, type) == 0;
}

static bool wants_type(const json_t *json, const char *type)
{
    const json_t *events = json_object_get(json, "events");

    for (size_t i = 0; i < json_array_size(events); i++)
        if (pattern_matches(json_string_value(json_array_get(events, i)), type))
            return true;
    return false;
}

/* The event is read as JSON only where a filter asks for it. */
bool endpoint_wants(const json_t *json, struct event *event, char why[FILTER_WHY_BYTES])
{
    const json_t *filter = json_object_get(json, "filter");

    if (wants_type(json, event->type))
        return json_array_size(filter) == 0 || filter_matches(filter, event_json(event), why);
    if (why != NULL)
        snprintf(why, FILTER_WHY_BYTES, "none of its event patterns matches the type \"%s\"",
                 event->type);
    return false;
}

json_t *endpoint_describe(const struct endpoint *e)
{
    json_t *described = json_pack("{s:s, s:s}", "id", e->target.id, "org_id", e->target.org);

    json_object_update(described, e->json);
    json_put(described, "headers", headers_masked(json_object_get(e->json, "headers")));
    keyring_describe(&e->keys, clock_now_ms(), described);
    life_describe(e, described);
    return described;
}

json_t *endpoint_stored(struct endpoint *e, const struct vault *vault)
{
    json_t *json = json_copy(e->json);
    json_t *stored = json_pack("{s:s, s:o}", "org_id", e->target.org, "endpoint", json);

    json_put(json, "headers", headers_seal(vault, e->target.id, json_object_get(e->json, "headers")));
    keyring_store(&e->keys, vault, e->target.id, stored);
    life_stored(e, stored);
    return stored;
}
