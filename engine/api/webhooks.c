/* webhooks.c - webhook endpoints: create, read, change, delete, test. */
#include "api/deliveries.h"

#include "base/clock.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t MAX_OVERLAP_MS = 365LL * 24 * 3600 * 1000;

static const char *why_not_done(enum mh_err err)
{
    switch (err) {
    case MH_CONFLICT:     return "other engines kept changing this webhook; read it and try again";
    case MH_BUSY:         return "too many changes of this webhook are under way; try again later";
    case MH_NOT_FOUND:    return "the webhook was deleted meanwhile";
    case MH_PRECONDITION: return "the webhook was changed since the state that If-Match names; read it "
                                 "again (GET shows its ETag), then decide";
    default:              return NULL;
    }
}

static void on_done(void *arg, enum mh_err err, const struct endpoints_answer *answer)
{
    struct api_call *c = arg;

    if (err == MH_OK)
        api_answer_tagged(c, c->route->success, json_incref(answer->json), answer->revision);
    else if (err == MH_UNPROCESSABLE)
        api_fault(c, err, answer->fault);
    else
        api_problem(c, err, why_not_done(err));
}

struct endpoint *webhooks_endpoint(struct api_call *c)
{
    struct endpoint *e = endpoints_find(c->api->endpoints, c->key->admin ? NULL : c->key->org, c->id);
    char             detail[160];

    if (e == NULL) {
        snprintf(detail, sizeof detail, "there is no webhook '%.72s'", c->id);
        api_problem(c, MH_NOT_FOUND, detail);
    }
    return e;
}

static const struct endpoint_most *most_of(const struct api_call *c)
{
    return &endpoints_spec(c->api->endpoints)->most;
}

void webhooks_post(struct api_call *c)
{
    struct json_fault fault = { .pointer = "", .text = "" };
    const char       *org;
    json_t           *merged = NULL;

    if (api_org(c, &org) != MH_OK)
        return;
    enum mh_err err = id_valid(org) ? endpoint_check(c->body, NULL, most_of(c), &merged, &fault)
                                    : json_fault(&fault, "/org_id", "is no valid org");
    if (err != MH_OK)
        api_fault(c, err, &fault);
    else
        endpoints_create(c->api->endpoints, org, merged, on_done, c);
}

void webhooks_list(struct api_call *c)
{
    const char *asked = http_request_query(c->http, "org_id");
    const char *org = c->key->admin && asked == NULL ? NULL : c->org;

    api_answer(c, 200, json_pack("{s:o, s:n}", "items", endpoints_describe(c->api->endpoints, org),
                                 "next"));
}

void webhooks_get(struct api_call *c)
{
    struct endpoint *e = webhooks_endpoint(c);

    if (e != NULL)
        api_answer_tagged(c, 200, endpoint_describe(e), e->revision);
}

void webhooks_patch(struct api_call *c)
{
    struct json_fault fault = { .pointer = "/org_id", .text = "cannot be changed" };
    struct endpoint  *e = webhooks_endpoint(c);

    if (e == NULL)
        return;
    if (json_object_get(c->body, "org_id"))
        api_fault(c, MH_UNPROCESSABLE, &fault);
    else if (!api_if_match(c, e->revision))
        api_problem(c, MH_PRECONDITION, why_not_done(MH_PRECONDITION));
    else
        endpoints_update(e, c->body, api_is_conditional(c) ? e->revision : ENDPOINTS_ANY, on_done, c);
}

const struct json_field rotate_fields[] = { { "overlap", JSON_IS_STRING, false } };
const size_t            rotate_field_count = ARRAY_LEN(rotate_fields);

static void on_rotated(void *arg, enum mh_err err, const struct endpoints_answer *answer)
{
    if (err == MH_CONFLICT)
        api_problem(arg, err, "so many secrets live that one has to end first; an overlap of 0s ends "
                              "all but the new one");
    else
        on_done(arg, err, answer);
}

void webhooks_rotate(struct api_call *c)
{
    const char       *overlap = json_text_of(c->body, "overlap", NULL);
    int64_t           overlap_ms = endpoints_spec(c->api->endpoints)->overlap_ms;
    struct json_fault fault = { .pointer = "", .text = "" };
    struct endpoint  *e = webhooks_endpoint(c);

    if (e == NULL)
        return;
    if (overlap != NULL && (clock_parse_duration(overlap, &overlap_ms) != MH_OK ||
                            overlap_ms > MAX_OVERLAP_MS))
        api_fault(c, json_fault(&fault, "/overlap", "must be a time such as 24h, at most 365d"), &fault);
    else
        endpoints_rotate(e, overlap_ms, on_rotated, c);
}

void webhooks_delete(struct api_call *c)
{
    struct endpoint *e = webhooks_endpoint(c);

    if (e != NULL)
        endpoints_delete(c->api->endpoints, e, on_done, c);
}

static void on_tested(void *arg, enum mh_err err, size_t deliveries)
{
    struct api_call *c = arg;
    struct event    *e = c->data;

    if (err == MH_OK)
        api_answer(c, 202, json_pack("{s:s, s:i}", "id", e->id, "deliveries", (int)deliveries));
    else
        api_problem(c, err, NULL);
    event_unref(e);
}

void webhooks_test(struct api_call *c)
{
    struct endpoint  *e = webhooks_endpoint(c);
    struct event     *event = NULL;
    struct json_fault fault = { .pointer = "", .text = "" };

    if (e == NULL)
        return;
    char       *text = mem_printf("{\"event\":\"webhook.test\",\"data\":{\"webhook_id\":\"%s\","
                                  "\"message\":\"This is a test from moonhook.\"}}", e->target.id);
    enum mh_err err = event_parse(EVENT_PLAIN, (struct json_span){ text, strlen(text) },
                                  e->target.org, clock_now_ms(), &event, &fault);
    free(text);
    if (err != MH_OK) {
        api_fault(c, err, &fault);
        return;
    }
    c->data = event;
    dispatch_accept_for(c->api->dispatch, event, &e->target, on_tested, c);
}

void webhooks_deliveries(struct api_call *c)
{
    struct endpoint *e = webhooks_endpoint(c);

    if (e != NULL)
        deliveries_page(c, e->target.org, e->target.id);
}
