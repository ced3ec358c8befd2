/* api_keys.c - /api/keys. */
#include "api/routes.h"

#include "base/util.h"

#include <stdio.h>
#include <string.h>

const struct json_field key_fields[] = {
    { "scopes", JSON_IS_ARRAY,  true },
    { "org_id", JSON_IS_STRING, false },
    { "name",   JSON_IS_STRING, false },
};
const size_t key_field_count = ARRAY_LEN(key_fields);

enum { MAX_NAME = 100 };

static void on_done(void *arg, enum mh_err err, json_t *answer)
{
    struct api_call *c = arg;

    if (err == MH_OK)
        api_answer(c, c->route->success, json_incref(answer));
    else
        api_problem(c, err, err == MH_NOT_FOUND ? "there is no such key in this org" : NULL);
}

void keys_get(struct api_call *c)
{
    json_t *all = keys_describe(c->api->keys, c->key->admin ? NULL : c->key->org);

    api_answer(c, 200, json_pack("{s:o, s:n}", "items", all, "next"));
}

/* Nobody hands out more than they have. */
static enum mh_err check_scopes(const struct api_call *c, struct json_fault *fault)
{
    const json_t *scopes = json_object_get(c->body, "scopes");
    char          pointer[32];

    if (json_array_size(scopes) == 0 || json_array_size(scopes) > API_MAX_SCOPES)
        return json_fault(fault, "/scopes", "must name 1 to %d scopes", API_MAX_SCOPES);
    for (size_t i = 0; i < json_array_size(scopes); i++) {
        const char *scope = json_string_value(json_array_get(scopes, i));
        snprintf(pointer, sizeof pointer, "/scopes/%zu", i);
        if (scope == NULL || !keys_scope_known(scope))
            return json_fault(fault, pointer, "is no scope; see /openapi.json");
        if (!key_allows(c->key, scope))
            return json_fault(fault, pointer, "is more than the calling key may do itself");
    }
    return MH_OK;
}

void keys_post(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    const char       *org, *name = json_text_of(c->body, "name", "");

    if (api_org(c, &org) != MH_OK)
        return;
    enum mh_err err = check_scopes(c, &fault);
    if (err == MH_OK && !id_valid(org))
        err = json_fault(&fault, "/org_id", "is no valid org");
    if (err == MH_OK && strlen(name) > MAX_NAME)
        err = json_fault(&fault, "/name", "must be at most %d bytes", MAX_NAME);
    if (err != MH_OK)
        api_fault(c, err, &fault);
    else
        keys_create(c->api->keys, org, name, json_object_get(c->body, "scopes"), on_done, c);
}

void keys_delete(struct api_call *c)
{
    keys_revoke(c->api->keys, c->key->admin ? NULL : c->key->org, c->id, on_done, c);
}

void keys_rotate_master(struct api_call *c)
{
    rotation_run(c->api->rotation, api_answer_or_problem, c);
}
