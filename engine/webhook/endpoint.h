/* endpoint.h - one webhook endpoint: an address that gets events as signed POSTs. */
#pragma once

#include "core/dispatch.h"
#include "core/vault.h"
#include "io/http_client.h"
#include "webhook/signer.h"

enum { ENDPOINT_MAX_HEADERS = 20, ENDPOINT_MAX_EVENTS = 50, ENDPOINT_MAX_URL_BYTES = 2048 };

struct endpoints;

struct endpoint {
    struct target     target;               /* its id is the endpoint's */
    struct endpoints *owner;
    json_t           *json;                 /* {"url","events","description","headers","active",..} */
    char              secret[SECRET_TEXT_BYTES];
    struct timer      pause;                /* ends what a receiver asked for by Retry-After */
    bool              active;
    bool              deleting;             /* until Redis has answered nothing may store it */
};

extern const struct json_field endpoint_fields[];   /* what POST and PATCH take */
extern const size_t            endpoint_field_count;

/* Checks `given` over `before` (NULL: a new one) and gives the merged object, which
 * the caller owns. MH_UNPROCESSABLE with a pointer. */
MH_MUST_USE enum mh_err endpoint_check(const json_t *given, const json_t *before, json_t **out,
                                       struct json_fault *fault);

/* Does one of its patterns ("alert", "sla_*", "*") match the type? */
bool endpoint_wants(const struct endpoint *e, const char *event_type);

/* As REST shows it, without the secret; caller owns. */
json_t *endpoint_describe(const struct endpoint *e);
/* As Redis keeps it, the secret sealed; caller owns. */
json_t *endpoint_stored(const struct endpoint *e, const struct vault *vault);
