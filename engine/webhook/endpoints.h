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
    const struct schedule *schedule;
    int64_t                timeout_ms;
    unsigned               concurrency;
};

struct endpoints *endpoints_new(const struct endpoints_spec *spec);
void              endpoints_free(struct endpoints *es);
void              endpoints_load(struct endpoints *es, store_done *done, void *arg);
const struct endpoints_spec *endpoints_spec(const struct endpoints *es);

/* `answer` (borrowed) on MH_OK; else NULL. */
typedef void endpoints_done(void *arg, enum mh_err err, json_t *answer);

/* `merged` (taken) went through endpoint_check(). The answer has the secret. */
void endpoints_create(struct endpoints *es, const char *org, json_t *merged, endpoints_done *done,
                      void *arg);
void endpoints_update(struct endpoints *es, struct endpoint *e, json_t *merged,
                      endpoints_done *done, void *arg);
void endpoints_delete(struct endpoints *es, struct endpoint *e, endpoints_done *done, void *arg);

/* Those of one org, or of every org for NULL; array, caller owns. */
json_t *endpoints_describe(const struct endpoints *es, const char *org);
/* NULL if there is none of this id in this org (NULL: any). */
struct endpoint *endpoints_find(const struct endpoints *es, const char *org, const char *id);

/* The receiver said 410: no more deliveries until an operator activates it. */
void endpoints_disable(struct endpoint *e, const char *reason);
