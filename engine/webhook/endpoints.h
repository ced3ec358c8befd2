/* endpoints.h - all webhook endpoints: kept in Redis, held in memory, served as
 * targets. What is answered with MH_OK is in Redis. */
#pragma once

#include "core/store.h"
#include "webhook/endpoint.h"

struct endpoints_spec {
    uv_loop_t             *loop;
    struct http_client    *http;
    struct dispatch       *dispatch;
    struct store          *store;
    struct vault          *vault;
    struct endpoint_most   most;
    int64_t                probe_after_ms;      /* see breaker.h */
    int64_t                disable_after_ms;    /* of failure; 0: never */
    int64_t                overlap_ms;          /* of secrets, where a rotation names none */
};

struct endpoints *endpoints_new(const struct endpoints_spec *spec);
void              endpoints_free(struct endpoints *es);
void              endpoints_load(struct endpoints *es, store_done *done, void *arg);
store_heard       endpoints_heard;          /* of "webhooks", with the endpoints as its arg */
store_heard       endpoints_heard_gate;     /* of "gates", the same */
const struct endpoints_spec *endpoints_spec(const struct endpoints *es);

/* All borrowed. `json` and `revision` on MH_OK, `fault` on MH_UNPROCESSABLE. */
struct endpoints_answer { json_t *json; int64_t revision; const struct json_fault *fault; };
typedef void endpoints_done(void *arg, enum mh_err err, const struct endpoints_answer *answer);

/* `merged` (taken) went through endpoint_check(). The answer has the secret. */
void endpoints_create(struct endpoints *es, const char *org, json_t *merged, endpoints_done *done,
                      void *arg);

/* Changes of one endpoint are made one after the other, each of what the one before left, also
 * where another engine made that. MH_UNPROCESSABLE; MH_NOT_FOUND: it was deleted meanwhile;
 * MH_BUSY: too many wait; MH_CONFLICT: other engines were faster, again and again. */
enum { ENDPOINTS_ANY = 0 };
/* `only_if`: MH_PRECONDITION if it is another revision. With "active":true in `given` the
 * operator says that the endpoint is well, whatever it was. */
void endpoints_update(struct endpoint *e, const json_t *given, int64_t only_if, endpoints_done *done,
                      void *arg);
/* A new secret, shown in the answer; the older ones live for `overlap_ms` more. MH_CONFLICT
 * also where KEYRING_SECRETS live already. */
void endpoints_rotate(struct endpoint *e, int64_t overlap_ms, endpoints_done *done, void *arg);
void endpoints_delete(struct endpoints *es, struct endpoint *e, endpoints_done *done, void *arg);

/* What an endpoint's secrets are sealed about (vault.h): its id; its headers, see headers.h. */
void endpoints_secret_about(const char *id, const char *field, char out[VAULT_ABOUT_BYTES]);

/* Those of one org, or of every org for NULL; array, caller owns. */
json_t *endpoints_describe(const struct endpoints *es, const char *org);
/* NULL if there is none of this id in this org (NULL: any). */
struct endpoint *endpoints_find(const struct endpoints *es, const char *org, const char *id);

/* Writes down what the engine itself learned of it, in line with operators' changes. A loss
 * is logged. */
void endpoints_store(struct endpoint *e);

struct endpoints_counts { uint64_t opened, disabled, recovered; };   /* circuits, endpoints */
struct endpoints_counts *endpoints_counts(struct endpoints *es);
/* How many endpoints have their circuit in each state; `out` by enum breaker_state. */
void endpoints_circuits(const struct endpoints *es, size_t out[3]);
