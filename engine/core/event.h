/* event.h - one event: what a producer sent, checked, and the text that targets get.
 *
 * The envelope is written once, at acceptance; the same bytes are stored, signed,
 * posted to endpoints and handed to plugins:
 *   {"id":"evt_..","event":"alert","timestamp":"2026-..Z","org_id":"acme","data":{..}} */
#pragma once

#include "base/id.h"
#include "io/json.h"

#define EVENT_TEST_TYPE "webhook.test"      /* made for one target, whatever others want */

enum {
    EVENT_TYPE_BYTES = 64,
    EVENT_ORG_BYTES  = MH_ID_BYTES,
    EVENT_MAX_BYTES  = 1 << 20,             /* of an envelope */
};

struct event {
    unsigned refs;
    char     id[MH_ID_BYTES];
    char     type[EVENT_TYPE_BYTES];
    char     org[EVENT_ORG_BYTES];
    int64_t  accepted_ms;                   /* Unix time */
    bool     own_id;                        /* the producer chose the id (Q3) */
    unsigned held;                          /* deliveries in memory: core/held's */
    void    *waiter;                        /* of core/waiter: who waits for its results */
    unsigned hops;                          /* emitted for an event that was emitted for ...: how often */
    char     caused_by[2 * MH_ID_BYTES];    /* the delivery whose hook emitted it; "" of a producer's */
    size_t   envelope_bytes;
    char    *envelope;                      /* NUL-terminated */
    json_t  *json;                          /* event_json()'s; NULL most of the time */
};

extern const struct json_field event_fields[];      /* what POST /api/events takes */
extern const size_t            event_field_count;

/* Lower-case letters, digits, '_', '-' and '.', starting with a letter. */
bool event_type_valid(const char *type);

enum event_form {
    EVENT_PLAIN,                            /* {"event","data","id"?,"org_id"?} */
    /* CloudEvents 1.0, structured JSON. The id is made from source and id, which
     * together are unique (CloudEvents 1.0, "source"). */
    EVENT_CLOUDEVENT,
};

/* Checks `text` and makes the event, with one reference. `data` goes on as the bytes
 * that were sent. `org` is whose event it is when the text does not say. MH_INVALID,
 * MH_UNPROCESSABLE with a pointer in *fault. */
MH_MUST_USE enum mh_err event_parse(enum event_form form, struct json_span text, const char *org,
                                    int64_t now_ms, struct event **out, struct json_fault *fault);

/* An event of moonhook's own making, with one reference: `data` is the text of a JSON
 * object that json_parse() took. `id` NULL: a new one. MH_UNPROCESSABLE. */
MH_MUST_USE enum mh_err event_make(const char *type, const char *org, const char *id,
                                   struct json_span data, int64_t now_ms, struct event **out,
                                   struct json_fault *fault);

/* One that is stored and was not read: nothing but its name. */
struct event *event_unread(const char *org, const char *id);

/* An event that was stored: its envelope, copied. MH_INVALID when it is none. */
MH_MUST_USE enum mh_err event_from_envelope(const char *envelope, size_t bytes,
                                            struct event **out);

/* The envelope as JSON; borrowed until event_forget_json(). Read when it is first asked for,
 * and kept, so that any number of filters costs one reading. NULL when it cannot be read. */
const json_t *event_json(struct event *e);
void          event_forget_json(struct event *e);

struct event *event_ref(struct event *e);
void          event_unref(struct event *e);         /* NULL is fine */
