/* webhook.c - `moonhook webhook ...`: endpoints and their deliveries. */
#include "base/util.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/story.h"
#include "cli/webhook_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct column endpoint_fields[] = {
    { "id", "id" }, { "url", "url" }, { "events", "events" }, { "org", "org_id" },
    { "active", "active" }, { "description", "description" }, { "headers", "headers" },
    { "filter", "filter" }, { "created", "created_at" }, { "rate limit", "rate_limit" },
    { "concurrency", "concurrency" },
    { "timeout ms", "timeout_ms" }, { "retry schedule", "retry_schedule" }, { "circuit", "circuit" },
    { "paused until", "paused_until" }, { "failing since", "failing_since" },
    { "disabled", "disabled_reason" }, { "public key", "public_key" }, { "secret", "secret" }, { 0 },
};

/* ---- What is shown ------------------------------------------------------------------- */

/* `/data/severity in ["critical","error"] and /data/value gt 90` */
static json_t *told_filter(const json_t *filter)
{
    char   *all = mem_strdup("");
    json_t *condition;
    size_t  i, bytes;

    json_array_foreach(filter, i, condition) {
        char *value = json_text(json_object_get(condition, "value"), &bytes);
        char *longer = mem_printf("%s%s%s %s %s", all, i > 0 ? " and " : "",
                                  json_text_of(condition, "pointer", "?"),
                                  json_text_of(condition, "op", "?"), value ? value : "?");
        free(all);
        free(value);
        all = longer;
    }
    json_t *told = json_string(all);
    free(all);
    return told;
}

/* What an endpoint does not have is left out. */
static void show_one(const json_t *answer)
{
    json_t *shown = json_copy((json_t *)answer), *filter = json_object_get(answer, "filter");

    if (json_object_size(json_object_get(answer, "headers")) == 0)
        json_object_del(shown, "headers");
    if (*json_text_of(answer, "description", "") == '\0')
        json_object_del(shown, "description");
    if (json_array_size(filter) > 0)
        json_put(shown, "filter", told_filter(filter));
    else
        json_object_del(shown, "filter");
    print_fields(shown, endpoint_fields, 0);
    json_decref(shown);
}

static void show_secret(const json_t *answer)
{
    show_one(answer);
    puts("Keep the secret now: it is not shown again.");
}

static void show_list(const json_t *answer)
{
    static const struct column columns[] = {
        { "ID", "id" }, { "ACTIVE", "active" }, { "EVENTS", "events" }, { "ORG", "org_id" },
        { "URL", "url" }, { "DESCRIPTION", "description" }, { 0 } };

    print_list(answer, columns, "no webhooks; moonhook webhook add URL makes one");
}

/* "timeout" where the last attempt failed so; as a column's path "last.error.code". */
static void point_at_last_attempts(const json_t *deliveries)
{
    size_t  i;
    json_t *delivery;

    json_array_foreach(deliveries, i, delivery) {
        json_t *attempts = json_object_get(delivery, "attempts");
        json_t *last = json_array_get(attempts, json_array_size(attempts) - 1);
        if (last != NULL)
            json_object_set(delivery, "last", last);
    }
}

static void show_deliveries(const json_t *answer)
{
    static const struct column columns[] = {
        { "ID", "id" }, { "STATUS", "status" }, { "ERROR", "last.error.code" }, { "EVENT", "event" },
        { "EVENT ID", "event_id" }, { "NEXT ATTEMPT", "next_attempt_at" }, { 0 } };

    point_at_last_attempts(json_object_get(answer, "items"));
    print_list(answer, columns, "no deliveries");
}

static void show_removed(const json_t *answer)
{
    (void)answer;
    puts("removed");
}

static void show_tested(const json_t *answer)
{
    printf("test event ");
    print_safe(stdout, json_text_of(answer, "id", "?"));
    puts(" is on its way; moonhook event show tells what becomes of it");
}

static void show_retried(const json_t *answer)
{
    if (json_object_get(answer, "target"))
        story_print_delivery(answer);
    else
        puts("it is tried again now");
}

/* ---- Commands -------------------------------------------------------------------------- */

int cmd_webhook_add(const struct options *given)
{
    json_t *body = json_object();

    json_put(body, "url", json_string(given->word[0]));
    json_put(body, "events", json_pack("[s]", "*"));
    int code = webhook_settings(given, body);
    if (code != CLI_OK) {
        json_decref(body);
        return code;
    }
    return client_run(given, &(struct client_request){ .method = "POST", .path = "/api/webhooks",
                                                       .body = body }, show_secret);
}

int cmd_webhook_list(const struct options *given)
{
    return client_run(given, &(struct client_request){ .method = "GET", .path = "/api/webhooks" },
                      show_list);
}

static int about(const struct options *given, const char *method, const char *behind, json_t *body,
                 void (*show)(const json_t *))
{
    return client_run_about(given, method, "/api/webhooks/", behind, body, show);
}

int cmd_webhook_update(const struct options *given)
{
    json_t *body = json_object();
    int     code = webhook_settings(given, body);

    if (code == CLI_OK && json_object_size(body) == 0)
        code = cli_usage("nothing is to be changed: name what is, such as --timeout 5s or --active no; "
                         "moonhook webhook update --help lists all");
    if (code == CLI_OK)
        return about(given, "PATCH", "", body, show_one);
    json_decref(body);
    return code;
}

int cmd_webhook_show(const struct options *given)
{
    return about(given, "GET", "", NULL, show_one);
}

int cmd_webhook_remove(const struct options *given)
{
    return about(given, "DELETE", "", NULL, show_removed);
}

int cmd_webhook_rotate(const struct options *given)
{
    json_t *body = json_object();

    if (options_has(given, "overlap"))
        json_put(body, "overlap", json_string(options_text(given, "overlap", "")));
    return about(given, "POST", "/rotate-secret", body, show_secret);
}

int cmd_webhook_test(const struct options *given)
{
    return about(given, "POST", "/test", NULL, show_tested);
}

int cmd_webhook_deliveries(const struct options *given)
{
    const char *status = options_text(given, "status", NULL);
    char       *encoded = client_encode(status ? status : "");
    char       *behind = mem_printf("/deliveries%s%s", status ? "?status=" : "", encoded);
    int         code = about(given, "GET", behind, NULL, show_deliveries);

    free(behind);
    free(encoded);
    return code;
}

int cmd_webhook_retry(const struct options *given)
{
    return client_run_about(given, "POST", "/api/deliveries/", "/retry", NULL, show_retried);
}
