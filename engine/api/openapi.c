/* openapi.c - /openapi.json, made from the table that routes. */
#include "api/routes.h"

#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *kind_name(enum json_kind kind)
{
    static const char *const names[] = { "string", "integer", "boolean", "object", "array" };
    return kind == JSON_IS_ANY ? NULL : names[kind];
}

static json_t *body_schema(const struct route *r)
{
    json_t *properties = json_object(), *required = json_array();

    for (size_t i = 0; r->fields != NULL && i < *r->field_count; i++) {
        const char *kind = kind_name(r->fields[i].kind);
        json_put(properties, r->fields[i].name, kind ? json_pack("{s:s}", "type", kind)
                                                     : json_object());
        if (r->fields[i].required)
            json_array_append_new(required, json_string(r->fields[i].name));
    }
    json_t *schema = json_pack("{s:s, s:o}", "type", "object", "properties", properties);
    json_put(schema, "additionalProperties", json_boolean(r->fields == NULL));
    if (json_array_size(required) > 0)
        json_put(schema, "required", required);
    else
        json_decref(required);
    return schema;
}

static json_t *parameter(const char *name, const char *in, const char *what, bool required)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:{s:s}}", "name", name, "in", in, "description", what,
                     "required", (int)required, "schema", "type", "string");
}

/* "limit: how many; cursor: where" as query parameters; "If-Match: .." is a header. */
static void add_query(json_t *parameters, const char *query)
{
    char *copy = mem_strdup(query), *rest = copy, *item;

    while ((item = strsep(&rest, ";")) != NULL) {
        char *colon = strchr(item, ':');
        item += strspn(item, " ");
        if (colon == NULL)
            continue;
        *colon = '\0';
        const char *in = item[0] >= 'A' && item[0] <= 'Z' ? "header" : "query";
        json_array_append_new(parameters, parameter(item, in, colon + 1 + strspn(colon + 1, " "), false));
    }
    free(copy);
}

static json_t *parameters_of(const struct route *r)
{
    json_t *parameters = json_array();

    if (strstr(r->path, "{id}") != NULL)
        json_array_append_new(parameters, parameter("id", "path", "id or name", true));
    if (r->query != NULL)
        add_query(parameters, r->query);
    return parameters;
}

static json_t *responses_of(const struct route *r)
{
    char    status[8];
    json_t *responses = json_pack("{s:{s:s, s:{s:{s:{s:s}}}}}", "default", "description",
                                  "a problem (RFC 9457)", "content", "application/problem+json",
                                  "schema", "$ref", "#/components/schemas/problem");

    snprintf(status, sizeof status, "%u", r->success);
    json_put(responses, status, json_pack("{s:s}", "description", "done"));
    return responses;
}

/* "post" + "/api/webhooks/{id}/test" -> "post_api_webhooks_id_test" */
static json_t *operation_id(const struct route *r)
{
    char text[128];
    int  n = snprintf(text, sizeof text, "%s%s", r->method, r->path);

    size_t kept = 0;
    for (int i = 0; i < n && i < (int)sizeof text - 1; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c == '{' || c == '}')
            continue;
        text[kept++] = (c >= 'a' && c <= 'z') ? c : '_';
    }
    return json_stringn(text, kept);
}

static json_t *operation_of(const struct route *r)
{
    json_t *operation = json_pack("{s:o, s:s, s:o, s:o}", "operationId", operation_id(r), "summary",
                                  r->summary, "parameters", parameters_of(r), "responses",
                                  responses_of(r));
    if (r->scope != NULL)
        json_put(operation, "security", json_pack("[{s:[s]}]", "key", r->scope));
    if (r->body != BODY_NONE)
        json_put(operation, "requestBody",
                 json_pack("{s:b, s:{s:{s:o}}}", "required", r->body != BODY_MAYBE, "content",
                           "application/json", "schema", body_schema(r)));
    return operation;
}

static void lower_case(const char *method, char out[8])
{
    size_t i = 0;
    for (; method[i] != '\0' && i < 7; i++)
        out[i] = (char)(method[i] - 'A' + 'a');
    out[i] = '\0';
}

static json_t *paths(void)
{
    json_t *all = json_object();

    for (size_t i = 0; i < route_count; i++) {
        char    method[8];
        json_t *item = json_object_get(all, routes[i].path);
        if (item == NULL) {
            item = json_object();
            json_put(all, routes[i].path, item);
        }
        lower_case(routes[i].method, method);
        json_put(item, method, operation_of(&routes[i]));
    }
    return all;
}

static json_t *components(void)
{
    return json_pack("{s:{s:{s:s, s:s, s:s}}, s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s},"
                     " s:{s:s}, s:{s:s}}}}}",
                     "securitySchemes", "key", "type", "http", "scheme", "bearer", "description",
                     "an API key; the scope names what it must allow",
                     "schemas", "problem", "type", "object", "properties",
                     "type", "type", "string", "title", "type", "string", "status", "type",
                     "integer", "code", "type", "string", "detail", "type", "string", "errors",
                     "type", "array");
}

void openapi_get(struct api_call *c)
{
    api_answer(c, 200, json_pack("{s:s, s:{s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info",
                                 "title", "moonhook", "version", MH_VERSION, "paths", paths(),
                                 "components", components()));
}
