/* api.c - see api.h. */
#include "api/api.h"

#include "api/routes.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Answering ----------------------------------------------------------------------- */

static void call_free(struct api_call *c)
{
    json_decref(c->body);
    key_unref(c->key);
    free(c);
}

void api_answer_text(struct api_call *c, unsigned status, const char *content_type, char *body,
                     size_t bytes)
{
    http_respond(c->http, status, content_type, body, bytes, NULL);
    call_free(c);
}

void api_answer(struct api_call *c, unsigned status, json_t *body)
{
    size_t bytes = 0;
    char  *text = json_text(body, &bytes);

    json_decref(body);
    api_answer_text(c, status, "application/json", text, bytes);
}

void api_answer_tagged(struct api_call *c, unsigned status, json_t *body, int64_t revision)
{
    char               tag[32];
    struct http_header headers[] = { { revision ? "ETag" : NULL, tag }, { NULL, NULL } };
    size_t             bytes = 0;
    char              *text = json_text(body, &bytes);

    snprintf(tag, sizeof tag, "\"%lld\"", (long long)revision);
    json_decref(body);
    http_respond(c->http, status, "application/json", text, bytes, headers);
    call_free(c);
}

static json_t *problem_json(enum mh_err err, const char *detail)
{
    json_t *text = detail ? json_string(detail) : NULL;     /* NULL where it is no UTF-8 */

    return json_pack("{s:s, s:s, s:i, s:s, s:o}", "type", "about:blank", "title", err_text(err),
                     "status", err_http_status(err), "code", err_code(err), "detail",
                     text ? text : json_string(err_text(err)));
}

char *api_problem_text(enum mh_err err, const char *detail)
{
    json_t *problem = problem_json(err, detail);
    char   *text = json_text(problem, &(size_t){ 0 });

    json_decref(problem);
    return text;
}

/* The header that tells a client what to do about it; empty for most errors. */
static struct http_header advice_of(enum mh_err err)
{
    int status = err_http_status(err);

    if (status == 503 || status == 429)
        return (struct http_header){ "Retry-After", "1" };
    if (status == 401)
        return (struct http_header){ "WWW-Authenticate", "Bearer" };
    return (struct http_header){ NULL, NULL };
}

static void respond_problem(struct http_request *http, enum mh_err err, json_t *problem,
                            const char *allow)
{
    size_t             bytes = 0;
    char              *text = json_text(problem, &bytes);
    struct http_header headers[] = { advice_of(err), { NULL, NULL } };

    if (allow != NULL)
        headers[0] = (struct http_header){ "Allow", allow };
    json_decref(problem);
    http_respond(http, (unsigned)err_http_status(err), "application/problem+json", text, bytes,
                 headers);
}

void api_problem(struct api_call *c, enum mh_err err, const char *detail)
{
    respond_problem(c->http, err, problem_json(err, detail), NULL);
    call_free(c);
}

void api_problem_json(struct api_call *c, enum mh_err err, const json_t *problem)
{
    json_t *whole = problem_json(err, json_text_of(problem, "detail", NULL));
    json_t *errors = json_object_get(problem, "errors");

    if (errors != NULL)
        json_put(whole, "errors", json_incref(errors));
    respond_problem(c->http, err, whole, NULL);
    call_free(c);
}

void api_fault(struct api_call *c, enum mh_err err, const struct json_fault *fault)
{
    json_t *problem = fault->pointer[0] == '\0'
        ? json_pack("{s:s}", "detail", fault->text)
        : json_pack("{s:o, s:[{s:s, s:s}]}", "detail",
                    json_sprintf("%s: %s", fault->pointer, fault->text), "errors", "pointer",
                    fault->pointer, "detail", fault->text);
    api_problem_json(c, err, problem);
    json_decref(problem);
}

void api_answer_or_problem(void *call, enum mh_err err, json_t *answer)
{
    struct api_call *c = call;

    if (err == MH_OK)
        api_answer(c, c->route->success, json_incref(answer));
    else
        api_problem_json(c, err, answer);
}

/* ---- Conditions --------------------------------------------------------------------------- */

bool api_is_conditional(const struct api_call *c)
{
    const char *tags = http_request_header(c->http, "If-Match");
    return tags != NULL && strcmp(tags, "*") != 0;
}

/* The strong comparison of RFC 9110 13.1.1: W/"..." matches nothing. */
bool api_if_match(const struct api_call *c, int64_t revision)
{
    const char *at = http_request_header(c->http, "If-Match");
    char        tag[32];
    int         bytes = snprintf(tag, sizeof tag, "\"%lld\"", (long long)revision);

    if (!api_is_conditional(c))
        return true;
    for (; *at != '\0'; at += strcspn(at, ",")) {
        at += strspn(at, ", \t");
        if (strncmp(at, tag, (size_t)bytes) == 0 && strchr(", \t", at[bytes]) != NULL)
            return true;
    }
    return false;
}

/* ---- Asking --------------------------------------------------------------------------------- */

enum mh_err api_org(struct api_call *c, const char **org)
{
    *org = json_text_of(c->body, "org_id", c->org);
    if (c->key->admin || strcmp(*org, c->key->org) == 0)
        return MH_OK;
    api_problem(c, MH_FORBIDDEN, "the API key belongs to another org");
    return MH_FORBIDDEN;
}

enum mh_err api_query_time(struct api_call *c, const char *name, int64_t otherwise,
                           int64_t *unix_ms)
{
    const char *text = http_request_query(c->http, name);
    char        detail[120];

    *unix_ms = otherwise;
    if (text == NULL || clock_parse(text, unix_ms) == MH_OK)
        return MH_OK;
    snprintf(detail, sizeof detail, "%s: must be a time as RFC 3339 writes it: 2026-01-22T10:00:00Z",
             name);
    api_problem(c, MH_UNPROCESSABLE, detail);
    return MH_UNPROCESSABLE;
}

int64_t api_query_int(const struct api_call *c, const char *name, int64_t otherwise, int64_t min,
                      int64_t max)
{
    const char *text = http_request_query(c->http, name);
    char       *end;

    if (text == NULL || *text < '0' || *text > '9')
        return otherwise;
    long long value = strtoll(text, &end, 10);
    if (*end != '\0')
        return otherwise;
    return value < min ? min : value > max ? max : value;
}

/* ---- From request to handler -------------------------------------------------------------------- */

static void refuse(struct http_request *http, enum mh_err err, const char *detail, const char *allow)
{
    respond_problem(http, err, problem_json(err, detail), allow);
}

static enum mh_err check_key(struct api_call *c, char *why, size_t why_bytes)
{
    const char *asked = http_request_query(c->http, "org_id");

    if (c->route->scope == NULL)
        return MH_OK;
    c->key = keys_find(c->api->keys, http_request_header(c->http, "Authorization"));
    snprintf(why, why_bytes, "send Authorization: Bearer mh_... with a key of this server");
    if (c->key == NULL)
        return MH_UNAUTHORIZED;
    snprintf(why, why_bytes, "the API key has no scope %s", c->route->scope);
    if (!key_allows(c->key, c->route->scope))
        return MH_FORBIDDEN;
    snprintf(why, why_bytes, "the API key belongs to another org");
    if (asked != NULL && !c->key->admin && strcmp(asked, c->key->org) != 0)
        return MH_FORBIDDEN;
    snprintf(why, why_bytes, "org_id: is no valid org");
    if (asked != NULL && !id_valid(asked))
        return MH_INVALID;
    snprintf(c->org, sizeof c->org, "%s", asked ? asked : c->key->org);
    return MH_OK;
}

static enum mh_err read_body(struct api_call *c, struct json_fault *fault)
{
    size_t      bytes;
    const char *text = http_request_body(c->http, &bytes);

    if (c->route->body != BODY_JSON && c->route->body != BODY_MAYBE)
        return MH_OK;
    if (c->route->body == BODY_MAYBE && bytes == 0) {
        text = "{}";
        bytes = 2;
    }
    enum mh_err err = json_parse(text, bytes, &c->body, fault);
    if (err == MH_OK && c->route->fields != NULL)
        err = json_check(c->body, c->route->fields, *c->route->field_count, fault);
    return err;
}

static void run(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    char              why[160];

    enum mh_err err = check_key(c, why, sizeof why);
    if (err != MH_OK) {
        api_problem(c, err, why);
        return;
    }
    if ((!c->api->ready || c->api->draining) && c->route->scope != NULL) {
        api_problem(c, MH_UNAVAILABLE, c->api->draining ? "the engine is stopping" : NULL);
        return;
    }
    err = read_body(c, &fault);
    if (err != MH_OK)
        api_fault(c, err, &fault);
    else
        c->route->handle(c);
}

void api_handle(struct http_request *request, void *api)
{
    struct api_call *c = mem_alloc(sizeof *c);
    char             allow[64] = "";

    c->api = api;
    c->http = request;
    enum mh_err err = route_find(http_request_method(request), http_request_path(request),
                                 &c->route, c->id, sizeof c->id, allow, sizeof allow);
    if (err != MH_OK) {
        free(c);
        refuse(request, err, NULL, err == MH_METHOD ? allow : NULL);
        return;
    }
    run(c);
}
