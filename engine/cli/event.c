/* event.c - `moonhook event ...`: sends events and tells what became of them.
 *
 * A batch of any length goes in portions of what one request may hold; each
 * portion is accepted or refused by itself, and so is each event in it. */
#include "base/clock.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"
#include "cli/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WAIT_MS = 10000, PORTION_LINES = 1000, PORTION_BYTES = 512 * MH_KIB };

/* ---- One event ------------------------------------------------------------------------ */

/* A number, or a list of them, as the number of deliveries. */
static long long deliveries_of(const json_t *answer)
{
    const json_t *deliveries = json_object_get(answer, "deliveries");

    return json_is_array(deliveries) ? (long long)json_array_size(deliveries)
                                     : json_integer_value(deliveries);
}

/* One column for both: what the hook returned, or why it failed. */
static void print_outcomes(const json_t *results, const struct column *columns)
{
    size_t  i;
    json_t *row;

    json_array_foreach(results, i, row) {
        json_t *outcome = json_object_get(json_object_get(row, "error"), "message");
        if (outcome == NULL)
            outcome = json_object_get(row, "result");
        json_put(row, "outcome", outcome ? json_incref(outcome) : json_null());
    }
    print_table(results, columns, "no plugin took this event");
}

static void show_sent(const json_t *answer)
{
    static const struct column columns[] = {
        { "PLUGIN", "plugin" }, { "STATUS", "status" }, { "MS", "duration_ms" },
        { "RESULT", "outcome" }, { 0 } };
    const json_t *results = json_object_get(answer, "results");
    long long     count = deliveries_of(answer);

    print_safe(stdout, json_text_of(answer, "id", "?"));
    if (json_object_get(answer, "deliveries"))
        printf("  accepted, %lld %s", count, count == 1 ? "delivery" : "deliveries");
    putchar('\n');
    if (results != NULL)
        print_outcomes(results, columns);
}

static int wait_of(const struct options *given, int64_t *wait_ms)
{
    const char *text = options_text(given, "wait", NULL);

    *wait_ms = options_has(given, "wait") ? DEFAULT_WAIT_MS : 0;
    if (text != NULL && clock_parse_duration(text, wait_ms) != MH_OK)
        return cli_usage("--wait=%s is not a number of milliseconds", text);
    return CLI_OK;
}

static int event_body(const struct options *given, json_t **body)
{
    json_t *data = NULL;
    int     code = input_json(options_text(given, "data", "{}"), "the event's data", &data);

    if (code != CLI_OK)
        return code;
    *body = json_object();
    json_put(*body, "event", json_string(given->word[0]));
    json_put(*body, "data", data);
    if (options_has(given, "id"))
        json_put(*body, "id", json_string(options_text(given, "id", "")));
    if (options_has(given, "org"))
        json_put(*body, "org_id", json_string(options_text(given, "org", "")));
    return CLI_OK;
}

static int send_one(const struct options *given)
{
    int64_t wait_ms;
    json_t *body;
    int     code = wait_of(given, &wait_ms);

    if (code == CLI_OK)
        code = event_body(given, &body);
    if (code != CLI_OK)
        return code;
    char *path = wait_ms > 0 ? mem_printf("/api/events?wait=%" PRId64, wait_ms)
                             : mem_strdup("/api/events");
    code = client_run(given, &(struct client_request){ .method = "POST", .path = path,
                                                       .body = body, .wait_ms = wait_ms },
                      show_sent);
    free(path);
    return code;
}

/* ---- A batch --------------------------------------------------------------------------- */

struct batch { const struct options *given; size_t line, accepted, refused; };

/* The outcome of each event of a portion, whose first line is number `first`. */
static void count_outcomes(struct batch *b, const json_t *answer, const size_t *line_numbers)
{
    size_t  i;
    json_t *item;

    json_array_foreach(json_object_get(answer, "items"), i, item) {
        const json_t *error = json_object_get(item, "error");
        if (error == NULL) {
            b->accepted++;
            continue;
        }
        b->refused++;
        fprintf(stderr, "line %zu: ", i < PORTION_LINES ? line_numbers[i] : 0);
        print_safe(stderr, json_text_of(error, "detail", json_text_of(error, "message",
                                                                      "refused")));
        fputc('\n', stderr);
    }
}

/* Takes lines from *at while they fit one request; blank lines are passed over. */
static size_t next_portion(struct batch *b, const char **at, struct buf *portion,
                           size_t line_numbers[PORTION_LINES])
{
    size_t count = 0;

    buf_reset(portion);
    while (**at != '\0' && count < PORTION_LINES) {
        size_t letters = strcspn(*at, "\n"), whole = letters + ((*at)[letters] == '\n');
        bool   blank = strspn(*at, " \t\r") >= letters;
        if (!blank && portion->len > 0 && portion->len + whole > PORTION_BYTES)
            break;
        b->line++;
        if (!blank && buf_append(portion, *at, letters) == MH_OK
            && buf_puts(portion, "\n") == MH_OK)
            line_numbers[count++] = b->line;
        *at += whole;
    }
    return count;
}

static int send_portions(struct batch *b, const char *text)
{
    size_t     line_numbers[PORTION_LINES];
    struct buf portion;
    int        code = CLI_OK;

    buf_init(&portion, strlen(text) + 2);
    while (code == CLI_OK && next_portion(b, &text, &portion, line_numbers) > 0) {
        json_t *answer = NULL;
        code = client_call(b->given, &(struct client_request){
            .method = "POST", .path = "/api/events/batch", .text = portion.data,
            .text_bytes = portion.len, .content_type = "application/x-ndjson" }, &answer);
        if (code == CLI_OK)
            count_outcomes(b, answer, line_numbers);
        json_decref(answer);
    }
    buf_deinit(&portion);
    return code;
}

static int send_batch(const struct options *given, const char *argument)
{
    struct batch b = { .given = given };
    struct buf   text;

    if (argument[0] != '@' && strcmp(argument, "-") != 0)
        return cli_usage("--batch takes @FILE or -");
    buf_init(&text, 0);
    int code = input_read(argument, &text);
    if (code == CLI_OK)
        code = send_portions(&b, text.data ? text.data : "");
    buf_deinit(&text);
    if (!options_has(given, "json"))
        printf("%zu accepted, %zu refused\n", b.accepted, b.refused);
    return code == CLI_OK && b.refused > 0 ? CLI_FAILED : code;
}

/* ---- Commands ---------------------------------------------------------------------------- */

int cmd_event_send(const struct options *given)
{
    const char *batch = options_text(given, "batch", NULL);

    if ((batch == NULL) != (given->words == 1))
        return cli_usage("event send takes a TYPE, or --batch @FILE.ndjson");
    return batch ? send_batch(given, batch) : send_one(given);
}

int cmd_event_show(const struct options *given)
{
    const char *org = options_text(given, "org", NULL);
    char       *encoded = client_encode(org ? org : "");
    char       *query = mem_printf("%s%s", org ? "?org_id=" : "", encoded);
    int         code = client_run_about(given, "GET", "/api/events/", query, NULL, story_print_event);

    free(query);
    free(encoded);
    return code;
}
