/* event.c - see event.h. */
#include "core/event.h"

#include "base/clock.h"
#include "base/util.h"
#include "io/crypto.h"
#include "io/json_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum plain_field { PLAIN_EVENT, PLAIN_DATA, PLAIN_ID, PLAIN_ORG, PLAIN_FIELDS };

const struct json_field event_fields[] = {
    [PLAIN_EVENT] = { "event",  JSON_IS_STRING, true },
    [PLAIN_DATA]  = { "data",   JSON_IS_OBJECT, true },
    [PLAIN_ID]    = { "id",     JSON_IS_STRING, false },
    [PLAIN_ORG]   = { "org_id", JSON_IS_STRING, false },
};
const size_t event_field_count = PLAIN_FIELDS;

static const struct json_field cloudevent_fields[] = {
    { "specversion", JSON_IS_STRING, true },
    { "type",        JSON_IS_STRING, true },
    { "source",      JSON_IS_STRING, true },
    { "id",          JSON_IS_STRING, true },
    { "data",        JSON_IS_OBJECT, true },
    { "time",        JSON_IS_STRING, false },
    { "subject",     JSON_IS_STRING, false },
    { "datacontenttype", JSON_IS_STRING, false },
    { "dataschema",  JSON_IS_STRING, false },
};

bool event_type_valid(const char *type)
{
    size_t len = strlen(type);
    return len >= 1 && len < EVENT_TYPE_BYTES && type[0] >= 'a' && type[0] <= 'z' &&
           strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == len;
}

/* Writes the envelope of an event whose other fields are set. None of them needs
 * escaping; `data` is JSON text already. */
static void write_envelope(struct event *e, struct json_span data)
{
    char at[CLOCK_TEXT_BYTES];

    clock_format(e->accepted_ms, at);
    e->envelope = mem_printf("{\"id\":\"%s\",\"event\":\"%s\",\"timestamp\":\"%s\","
                             "\"org_id\":\"%s\",\"data\":%.*s}", e->id, e->type, at, e->org,
                             (int)data.bytes, data.text);
    e->envelope_bytes = strlen(e->envelope);
}

static enum mh_err check_names(const char *type, const char *org, const char *id,
                               struct json_fault *fault)
{
    if (!event_type_valid(type))
        return json_fault(fault, "/event", "must be 1 to 63 of a-z 0-9 _ - . and start with a letter");
    if (!id_valid(org))
        return json_fault(fault, "/org_id", "must be 1 to 64 of A-Z a-z 0-9 _ - :");
    if (id != NULL && !id_valid(id))
        return json_fault(fault, "/id", "must be 1 to 64 of A-Z a-z 0-9 _ - : (no dot)");
    return MH_OK;
}

static struct event *event_new(const char *type, const char *org, const char *id, int64_t now_ms)
{
    struct event *e = mem_alloc(sizeof *e);

    e->refs = 1;
    e->accepted_ms = now_ms;
    e->own_id = id != NULL;
    if (id != NULL)
        snprintf(e->id, sizeof e->id, "%s", id);
    else
        id_new("evt", e->id);
    snprintf(e->type, sizeof e->type, "%s", type);
    snprintf(e->org, sizeof e->org, "%s", org);
    return e;
}

/* A member whose name was written with escapes has no span: its value is written anew. */
static void add_data(struct event *e, struct json_span text, const json_t *body)
{
    struct json_span data;
    size_t           bytes = 0;
    char            *rewritten = NULL;

    if (json_member_span(text.text, text.bytes, "data", &data) != MH_OK) {
        rewritten = json_text(json_object_get(body, "data"), &bytes);
        data = (struct json_span){ rewritten ? rewritten : "null", rewritten ? bytes : 4 };
    }
    write_envelope(e, data);
    free(rewritten);
}

static enum mh_err from_plain(const json_t *body, const char *org, int64_t now_ms,
                              struct event **out, struct json_fault *fault)
{
    enum mh_err err = json_check(body, event_fields, event_field_count, fault);
    if (err != MH_OK)
        return err;
    const char *type = json_text_of(body, "event", "");
    const char *id = json_text_of(body, "id", NULL);
    org = json_text_of(body, "org_id", org);
    err = check_names(type, org, id, fault);
    if (err == MH_OK)
        *out = event_new(type, org, id, now_ms);
    return err;
}

/* "evt_" and 40 hex digits of SHA-256 over source, NUL, id. */
static void cloudevent_id(const char *source, const char *id, char out[MH_ID_BYTES])
{
    unsigned char digest[SHA256_BYTES];
    char          hex[2 * SHA256_BYTES + 1];
    char         *both = mem_printf("%s%c%s", source, 0, id);

    crypto_sha256(both, strlen(source) + 1 + strlen(id), digest);
    free(both);
    crypto_hex(digest, sizeof digest, hex);
    snprintf(out, MH_ID_BYTES, "evt_%.40s", hex);
}

static enum mh_err from_cloudevent(const json_t *body, const char *org, int64_t now_ms,
                                   struct event **out, struct json_fault *fault)
{
    char id[MH_ID_BYTES];

    enum mh_err err = json_check(body, cloudevent_fields, ARRAY_LEN(cloudevent_fields), fault);
    if (err != MH_OK)
        return err;
    if (strcmp(json_text_of(body, "specversion", ""), "1.0") != 0)
        return json_fault(fault, "/specversion", "must be 1.0");
    const char *type = json_text_of(body, "type", "");
    if (!event_type_valid(type))
        return json_fault(fault, "/type", "must be 1 to 63 of a-z 0-9 _ - . and start with a letter");
    cloudevent_id(json_text_of(body, "source", ""), json_text_of(body, "id", ""), id);
    *out = event_new(type, org, id, now_ms);
    return MH_OK;
}

/* Copies a scanned string; false: it is too long for what it is. */
static bool copy_span(const struct json_span *span, char *out, size_t size)
{
    if (span->bytes >= size)
        return false;
    memcpy(out, span->text, span->bytes);
    out[span->bytes] = '\0';
    return true;
}

/* The common case without a tree. False: json_parse() has the word. */
static bool scan_plain(struct json_span text, const char *org, int64_t now_ms, struct event **out)
{
    struct json_span  spans[PLAIN_FIELDS];
    struct json_fault fault;
    char              type[EVENT_TYPE_BYTES], own_org[EVENT_ORG_BYTES], id[MH_ID_BYTES];

    if (!json_scan_fields(text, event_fields, PLAIN_FIELDS, spans))
        return false;
    bool has_org = spans[PLAIN_ORG].text != NULL, has_id = spans[PLAIN_ID].text != NULL;
    if (!copy_span(&spans[PLAIN_EVENT], type, sizeof type) ||
        (has_org && !copy_span(&spans[PLAIN_ORG], own_org, sizeof own_org)) ||
        (has_id && !copy_span(&spans[PLAIN_ID], id, sizeof id)))
        return false;
    return event_make(type, has_org ? own_org : org, has_id ? id : NULL, spans[PLAIN_DATA], now_ms,
                      out, &fault) == MH_OK;
}

enum mh_err event_parse(enum event_form form, struct json_span text, const char *org,
                        int64_t now_ms, struct event **out, struct json_fault *fault)
{
    json_t *body = NULL;

    if (form == EVENT_PLAIN && scan_plain(text, org, now_ms, out))
        return MH_OK;
    enum mh_err err = json_parse(text.text, text.bytes, &body, fault);
    if (err == MH_OK)
        err = (form == EVENT_PLAIN ? from_plain : from_cloudevent)(body, org, now_ms, out, fault);
    if (err == MH_OK)
        add_data(*out, text, body);
    json_decref(body);
    return err;
}

enum mh_err event_make(const char *type, const char *org, const char *id, struct json_span data,
                       int64_t now_ms, struct event **out, struct json_fault *fault)
{
    enum mh_err err = check_names(type, org, id, fault);

    if (err != MH_OK)
        return err;
    *out = event_new(type, org, id, now_ms);
    write_envelope(*out, data);
    return MH_OK;
}

struct event *event_unread(const char *org, const char *id) { return event_new("", org, id, 0); }

enum mh_err event_from_envelope(const char *envelope, size_t bytes, struct event **out)
{
    struct json_fault fault;
    json_t           *json = NULL;
    int64_t           at_ms = 0;

    enum mh_err err = json_parse_stored(envelope, bytes, &json, &fault);
    if (err != MH_OK)
        return MH_INVALID;
    const char *type = json_text_of(json, "event", ""), *org = json_text_of(json, "org_id", "");
    const char *id = json_text_of(json, "id", "");
    err = check_names(type, org, id, &fault);
    if (err == MH_OK)
        err = clock_parse(json_text_of(json, "timestamp", ""), &at_ms);
    if (err == MH_OK) {
        *out = event_new(type, org, id, at_ms);
        (*out)->envelope = mem_strndup(envelope, bytes);
        (*out)->envelope_bytes = bytes;
    }
    json_decref(json);
    return err == MH_OK ? MH_OK : MH_INVALID;
}

const json_t *event_json(struct event *e)
{
    struct json_fault fault;

    if (e->json == NULL &&
        json_parse_stored(e->envelope, e->envelope_bytes, &e->json, &fault) != MH_OK)
        e->json = NULL;
    return e->json;
}

void event_forget_json(struct event *e)
{
    json_decref(e->json);
    e->json = NULL;
}

struct event *event_ref(struct event *e)
{
    e->refs++;
    return e;
}

void event_unref(struct event *e)
{
    if (e == NULL || --e->refs > 0)
        return;
    event_forget_json(e);
    free(e->envelope);
    free(e);
}
