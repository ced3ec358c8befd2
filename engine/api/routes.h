/* routes.h - every route in one table: the single source of routing, of the scope
 * that a key needs, of the fields that a body may have, and of /openapi.json. */
#pragma once

#include "api/api.h"

/* maybe: JSON, or none and the handler gets {}; raw: the handler reads it */
enum body_kind { BODY_NONE, BODY_JSON, BODY_MAYBE, BODY_RAW };

struct route {
    const char              *method, *path;             /* "/api/events/{id}" */
    const char              *scope;                     /* NULL: no key is needed */
    void                   (*handle)(struct api_call *c);
    enum body_kind           body;
    const struct json_field *fields;                    /* of the body; NULL: any object */
    const size_t            *field_count;
    unsigned                 success;                   /* the status when all is well */
    const char              *summary;
    const char              *query;                     /* "wait: what it does; If-Match: .." */
};

extern const struct route routes[];
extern const size_t       route_count;

/* The route of a method and a path; its {id} is copied. MH_NOT_FOUND; MH_METHOD, with
 * the methods that the path takes in `allow` ("GET, POST"). */
MH_MUST_USE enum mh_err route_find(const char *method, const char *path, const struct route **out,
                                   char *id, size_t id_bytes, char *allow, size_t allow_bytes);

/* Handlers, by the file that has them. */
void events_post(struct api_call *c);               /* events.c */
void events_batch(struct api_call *c);
void events_list(struct api_call *c);
void events_get(struct api_call *c);
void webhooks_post(struct api_call *c);             /* webhooks.c */
void webhooks_list(struct api_call *c);
void webhooks_get(struct api_call *c);
void webhooks_patch(struct api_call *c);
void webhooks_delete(struct api_call *c);
void webhooks_test(struct api_call *c);
void webhooks_rotate(struct api_call *c);
void webhooks_filter_test(struct api_call *c);      /* filter_test.c */
void webhooks_deliveries(struct api_call *c);
void deliveries_list(struct api_call *c);           /* deliveries.c */
void deliveries_get(struct api_call *c);
void deliveries_retry(struct api_call *c);
void webhooks_replay(struct api_call *c);           /* replays.c */
void plugins_replay(struct api_call *c);
void replays_get_list(struct api_call *c);
void replays_get(struct api_call *c);
void replays_delete(struct api_call *c);
void plugins_get_available(struct api_call *c);     /* plugins.c */
void plugins_get_installed(struct api_call *c);
void plugins_post_install(struct api_call *c);
void plugins_put_config(struct api_call *c);
void plugins_delete(struct api_call *c);
void plugins_post_reload(struct api_call *c);
void plugins_post_rollback(struct api_call *c);
void plugins_post_enable(struct api_call *c);
void plugins_post_disable(struct api_call *c);
void plugins_get_logs(struct api_call *c);
void plugins_get_metrics(struct api_call *c);
void plugins_get_deliveries(struct api_call *c);
void keys_get(struct api_call *c);                  /* api_keys.c */
void keys_post(struct api_call *c);
void keys_delete(struct api_call *c);
void keys_rotate_master(struct api_call *c);
void health_live(struct api_call *c);               /* health.c */
void health_ready(struct api_call *c);
void health_metrics(struct api_call *c);
void openapi_get(struct api_call *c);               /* openapi.c */

/* The endpoint of the path, if the key may see it; NULL when the problem was answered. */
struct endpoint *webhooks_endpoint(struct api_call *c);

extern const struct json_field install_fields[], key_fields[], rotate_fields[],
                               filter_test_fields[], replay_fields_taken[];
extern const size_t            install_field_count, key_field_count, rotate_field_count,
                               filter_test_field_count, replay_field_count;
