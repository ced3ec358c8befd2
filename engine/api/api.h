/* api.h - REST: from a request to the handler of its route and back.
 *
 * api_handle() finds the route, checks the key and its scope, parses the body
 * against the route's fields, and calls the handler. A handler answers its call
 * exactly once, at once or later, with one of the functions below; the call is
 * then gone. Errors are RFC 9457 problem details. */
#pragma once

#include "api/keys.h"
#include "core/dispatch.h"
#include "core/plugins.h"
#include "core/replay.h"
#include "core/rotation.h"
#include "io/http_server.h"
#include "io/redis_server.h"
#include "webhook/endpoints.h"

struct api {                                /* what handlers work on; all borrowed */
    uv_loop_t        *loop;
    struct keys      *keys;
    struct queues    *queues;
    struct dispatch  *dispatch;
    struct replays   *replays;
    struct plugins   *plugins;
    struct endpoints *endpoints;
    struct broker    *broker;
    struct rotation  *rotation;
    struct redis     *redis;
    const struct redis_server *redis_server;        /* the engine's own; NULL: none */
    const struct jail *jail;
    int64_t           replay_rate;          /* of one that names none, deliveries a second */
    bool              ready;                /* everything is loaded */
    bool              draining;
};

struct route;

struct api_call {
    struct api          *api;
    struct http_request *http;
    const struct route  *route;
    struct api_key      *key;               /* NULL on routes without a scope */
    json_t              *body;              /* checked; NULL where the route takes none */
    char                 id[DELIVERY_KEY_BYTES];    /* the {id} of the path */
    char                 org[EVENT_ORG_BYTES];      /* the key's, or ?org_id= for an admin */
    void                *data;              /* the handler's own */
};

/* An http_server_spec.handle, with a struct api as its arg. */
void api_handle(struct http_request *request, void *api);
/* An http_server_spec.problem. */
char *api_problem_text(enum mh_err err, const char *detail);

/* ---- Answering ---------------------------------------------------------------------- */

void api_answer(struct api_call *c, unsigned status, json_t *body);         /* steals body */
/* With an ETag; 0: without. */
void api_answer_tagged(struct api_call *c, unsigned status, json_t *body, int64_t revision);
void api_answer_text(struct api_call *c, unsigned status, const char *content_type, char *body,
                     size_t bytes);                                         /* takes body */
/* `detail` NULL: the error's own sentence. */
void api_problem(struct api_call *c, enum mh_err err, const char *detail);
void api_fault(struct api_call *c, enum mh_err err, const struct json_fault *fault);
/* `problem`: {"detail","errors"?}, borrowed. */
void api_problem_json(struct api_call *c, enum mh_err err, const json_t *problem);

/* For callbacks of the form (arg, err, answer): answers 200 or the problem. */
void api_answer_or_problem(void *call, enum mh_err err, json_t *answer);

/* If-Match: does the request name a state, other than *; does it take this one. One that
 * names none takes any. */
bool api_is_conditional(const struct api_call *c);
bool api_if_match(const struct api_call *c, int64_t revision);

/* The org that a body names, or the call's own. MH_FORBIDDEN when the key may not act
 * for it; the problem is then answered. */
MH_MUST_USE enum mh_err api_org(struct api_call *c, const char **org);

/* A time in the query (RFC 3339); `otherwise` where there is none. MH_UNPROCESSABLE: the
 * problem is answered. */
MH_MUST_USE enum mh_err api_query_time(struct api_call *c, const char *name, int64_t otherwise,
                                       int64_t *unix_ms);

/* A number in the query, within bounds. */
int64_t api_query_int(const struct api_call *c, const char *name, int64_t otherwise, int64_t min,
                      int64_t max);
