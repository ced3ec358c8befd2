/* deliveries.c - one delivery, its retry, and pages of a target's deliveries. */
#include "api/deliveries.h"

#include "base/clock.h"
#include "base/util.h"

#include <stdio.h>
#include <string.h>

static const char not_found[] = "no such delivery is stored for this org";

static void on_read(void *arg, enum mh_err err, json_t *record)
{
    struct api_call *c = arg;

    if (err == MH_OK)
        api_answer(c, 200, json_incref(record));
    else
        api_problem(c, err, err == MH_NOT_FOUND ? not_found : NULL);
}

static bool key_of(const struct api_call *c, char key[DELIVERY_KEY_BYTES])
{
    struct delivery_parts parts;

    int n = snprintf(key, DELIVERY_KEY_BYTES, "%s/%s", c->org, c->id);
    return n > 0 && n < DELIVERY_KEY_BYTES && delivery_split(key, &parts) == MH_OK;
}

void deliveries_get(struct api_call *c)
{
    char key[DELIVERY_KEY_BYTES];

    if (key_of(c, key))
        queue_read_delivery(queues_of_delivery(c->api->queues, key), key, on_read, c);
    else
        api_problem(c, MH_NOT_FOUND, not_found);
}

static void on_retried(void *arg, enum mh_err err)
{
    struct api_call *c = arg;

    if (err == MH_OK)
        api_answer(c, 202, json_pack("{s:s, s:s}", "id", c->id, "status", "pending"));
    else
        api_problem(c, err, err == MH_NOT_FOUND ? not_found
                          : err == MH_CONFLICT ? "the delivery is under way already" : NULL);
}

void deliveries_retry(struct api_call *c)
{
    char key[DELIVERY_KEY_BYTES];

    if (key_of(c, key))
        queue_retry(queues_of_delivery(c->api->queues, key), key, on_retried, c);
    else
        api_problem(c, MH_NOT_FOUND, not_found);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static bool is_shown(const struct api_call *c, const json_t *record)
{
    const char *status = http_request_query(c->http, "status");

    return status == NULL || strcmp(status, json_text_of(record, "status", "")) == 0;
}

static void on_page(void *arg, enum mh_err err, json_t *page)
{
    struct api_call *c = arg;

    if (err != MH_OK) {
        api_problem(c, err, NULL);
        return;
    }
    json_t *items = json_array(), *all = json_object_get(page, "items");
    for (size_t i = 0; i < json_array_size(all); i++)
        if (is_shown(c, json_array_get(all, i)))
            json_array_append(items, json_array_get(all, i));
    api_answer(c, 200, json_pack("{s:o, s:O}", "items", items, "next",
                                 json_object_get(page, "next")));
}

void deliveries_page(struct api_call *c, const char *org, const char *target_id)
{
    size_t limit = (size_t)api_query_int(c, "limit", 50, 1, 200);

    queue_read_log(queues_of(c->api->queues, org), org, target_id,
                   http_request_query(c->http, "cursor"), limit, on_page, c);
}

/* ---- Of all targets -------------------------------------------------------------------------- */

static bool is_status(const char *text)
{
    static const char *const all[] = { "pending", "delivering", "retrying", "delivered", "dead",
                                       "cancelled" };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(all[i], text) == 0)
            return true;
    return false;
}

static void on_list(void *arg, enum mh_err err, json_t *list)
{
    struct api_call *c = arg;

    if (err == MH_OK)
        api_answer(c, 200, json_incref(list));
    else
        api_problem(c, err, err == MH_INVALID ? "cursor: is not the `next` of a page" : NULL);
}

void deliveries_list(struct api_call *c)
{
    struct queue_deliveries_query query = { .org = c->org };

    if (api_query_time(c, "since", 0, &query.since_ms) != MH_OK ||
        api_query_time(c, "until", CLOCK_END_MS, &query.until_ms) != MH_OK)
        return;
    query.type = http_request_query(c->http, "event");
    query.status = http_request_query(c->http, "status");
    query.after = http_request_query(c->http, "cursor");
    query.limit = (size_t)api_query_int(c, "limit", 50, 1, 200);
    if (query.status == NULL || is_status(query.status))
        queue_read_deliveries(queues_of(c->api->queues, c->org), &query, on_list, c);
    else
        api_problem(c, MH_UNPROCESSABLE, "status: must be pending, delivering, retrying, delivered, "
                    "dead or cancelled");
}
