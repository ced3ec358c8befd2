/* filter_test.c - `moonhook webhook filter-test`: which events would go to an endpoint, as it
 * is or with another filter. Nothing is sent. */
#include "base/util.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"
#include "cli/webhook_settings.h"

#include <stdio.h>
#include <stdlib.h>

enum { NEWEST = 20 };

static void show_verdicts(const json_t *answer)
{
    static const struct column columns[] = {
        { "MATCHES", "matches" }, { "EVENT", "event" }, { "EVENT ID", "id" }, { "WHY NOT", "why" },
        { 0 } };
    const json_t *items = json_object_get(answer, "items");
    size_t        i, matching = 0;
    json_t       *item;

    json_array_foreach(items, i, item)
        matching += json_bool_of(item, "matches", false);
    print_table(items, columns, "its org has no stored event; --event TYPE --data JSON tries one of yours");
    if (json_array_size(items) > 0)
        printf("%zu of %zu would go to it\n", matching, json_array_size(items));
}

static int put_newest(const struct options *given, json_t *body)
{
    const char *text = options_text(given, "newest", NULL);
    char       *end;

    if (text == NULL && (given->words > 1 || options_has(given, "event")))
        return CLI_OK;
    long long newest = text ? strtoll(text, &end, 10) : NEWEST;
    if (text != NULL && (*end != '\0' || end == text))
        return cli_usage("--newest is how many events, not \"%.40s\"", text);
    json_put(body, "newest", json_integer(newest));
    return CLI_OK;
}

static int put_event(const struct options *given, json_t *body)
{
    json_t *data = NULL;

    if (!options_has(given, "event"))
        return options_has(given, "data")
            ? cli_usage("--data is that of an event whose type --event TYPE names") : CLI_OK;
    int code = input_json(options_text(given, "data", "{}"), "the event's data", &data);
    if (code != CLI_OK)
        return code;
    json_put(body, "event", json_string(options_text(given, "event", "")));
    json_put(body, "data", data);
    return CLI_OK;
}

static int fill_body(const struct options *given, json_t *body)
{
    json_t *ids = json_array();

    for (size_t i = 1; i < given->words; i++)
        json_array_append_new(ids, json_string(given->word[i]));
    if (given->words > 1)
        json_put(body, "event_ids", json_incref(ids));
    json_decref(ids);
    int code = webhook_settings(given, body);
    if (code == CLI_OK)
        code = put_newest(given, body);
    return code == CLI_OK ? put_event(given, body) : code;
}

int cmd_webhook_filter_test(const struct options *given)
{
    json_t *body = json_object();
    int     code = fill_body(given, body);

    if (code == CLI_OK)
        return client_run_about(given, "POST", "/api/webhooks/", "/filter-test", body, show_verdicts);
    json_decref(body);
    return code;
}
