/* endpoint.h - one webhook endpoint: an address that gets events as signed POSTs. */
#pragma once

#include "core/dispatch.h"
#include "core/vault.h"
#include "io/http_client.h"
#include "webhook/filter.h"
#include "webhook/gate.h"
#include "webhook/health.h"
#include "webhook/keyring.h"

enum { ENDPOINT_MAX_HEADERS = 20, ENDPOINT_MAX_EVENTS = 50, ENDPOINT_MAX_URL_BYTES = 2048 };

struct endpoints;

/* What the other engines know of a gate: when a pause ends, when the circuit is probed
 * (monotonic; 0: no pause, a closed circuit). */
struct endpoint_shared { int64_t pause_ms, probe_ms; };

struct endpoint {
    struct target     target;               /* its id is the endpoint's */
    struct endpoints *owner;
    json_t           *json;                 /* {"url","events","description","headers","active",..} */
    struct keyring    keys;
    struct schedule   schedule;             /* its own, where it has one */
    int64_t           timeout_ms;
    struct gate       gate;                 /* life.c works on these four */
    struct health     health;
    struct timer      wake;                 /* when the gate opens */
    struct endpoint_shared shared;          /* of the gate: share.c's */
    bool              active;
    bool              deleting;             /* until Redis has answered nothing may store it */
    int64_t           revision;             /* of what memory has (store.h) */
    struct list       changes;              /* on their way to Redis: endpoints_change.c's own */
    unsigned          changes_waiting;
};

/* What the operator of the engine set: an endpoint may take less. */
struct endpoint_most {
    int64_t                timeout_ms;
    unsigned               concurrency;
    const struct schedule *schedule;        /* of one that has none of its own */
};

extern const struct json_field endpoint_fields[];   /* what POST and PATCH take */
extern const size_t            endpoint_field_count;

/* Checks `given` over `before` (NULL: a new one) and gives the merged object, which
 * the caller owns. MH_UNPROCESSABLE with a pointer. */
MH_MUST_USE enum mh_err endpoint_check(const json_t *given, const json_t *before,
                                       const struct endpoint_most *most, json_t **out,
                                       struct json_fault *fault);

/* Takes over what e->json says, which went through endpoint_check() once, maybe under an
 * engine that allowed more. */
void endpoint_apply(struct endpoint *e, const struct endpoint_most *most);

/* Does one of the patterns ("alert", "sla_*", "*") of an endpoint's `json` match the event's
 * type, and its filter the content? If not and `why` is not NULL, it gets a sentence. */
bool endpoint_wants(const json_t *json, struct event *event, char why[FILTER_WHY_BYTES]);

/* As REST shows it, without secrets; caller owns. */
json_t *endpoint_describe(const struct endpoint *e);
/* As Redis keeps it, secrets sealed; caller owns. */
json_t *endpoint_stored(struct endpoint *e, const struct vault *vault);
