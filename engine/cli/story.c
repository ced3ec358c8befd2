/* story.c - see story.h. Whatever is missing in an answer is left out. */
#include "cli/story.h"

#include "base/util.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPT_INDENT = 2, DETAIL_INDENT = 6, LABEL_WIDTH = 10 };

static void print_label(const char *label) { printf("%*s%-*s", DETAIL_INDENT, "", LABEL_WIDTH, label); }

static void print_line(const char *label, const char *text)
{
    print_label(label);
    print_safe(stdout, text);
    putchar('\n');
}

/* A scalar beside its label, anything bigger as indented JSON below it. */
static void print_member(const char *label, const json_t *value)
{
    if (value == NULL || json_is_null(value))
        return;
    if (json_is_string(value)) {
        print_line(label, json_string_value(value));
    } else {
        print_line(label, "");
        print_json(stdout, value, DETAIL_INDENT + 2);
    }
}

/* As they came, one a line. */
static void print_headers(const char *text)
{
    while (*text != '\0') {
        size_t letters = strcspn(text, "\r\n");
        char  *line = mem_strndup(text, letters);
        if (letters > 0)
            print_line("", line);
        free(line);
        text += letters;
        text += strspn(text, "\r\n");
    }
}

/* "request  POST https://..." with its headers below. */
static void print_request(const json_t *request)
{
    const char *name;
    json_t     *value;

    if (request == NULL)
        return;
    print_label("request");
    printf("%s ", json_text_of(request, "method", "POST"));
    print_safe(stdout, json_text_of(request, "url", "?"));
    putchar('\n');
    json_object_foreach(json_object_get(request, "headers"), name, value) {
        char *line = mem_printf("%s: %s", name, json_string_value(value));
        print_line("", line);
        free(line);
    }
}

static void print_response(const json_t *response)
{
    if (response == NULL)
        return;
    print_label("response");
    printf("%lld\n", (long long)json_int_of(response, "status", 0));
    print_headers(json_text_of(response, "headers", ""));
    print_member("", json_object_get(response, "body"));
}

/* "timing  dns 0.1 ms, connect 0.2 ms, ..." from the start of the attempt; what it did not
 * come to is left out. */
static void print_timing(const json_t *timing)
{
    static const struct { const char *key, *name; } rows[] = {
        { "dns_ms", "dns" }, { "connect_ms", "connect" }, { "tls_ms", "tls" },
        { "first_byte_ms", "first byte" } };

    if (!json_is_object(timing))
        return;
    print_label("timing");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double ms = json_number_value(json_object_get(timing, rows[i].key));
        if (ms > 0)
            printf("%s %.1f ms, ", rows[i].name, ms);
    }
    printf("total %.1f ms\n", json_number_value(json_object_get(timing, "total_ms")));
}

static void print_error(const json_t *error)
{
    if (!json_is_object(error))
        return;
    print_label("error");
    print_safe(stdout, json_text_of(error, "code", "?"));
    fputs(": ", stdout);
    print_safe(stdout, json_text_of(error, "message", ""));
    putchar('\n');
}

static void print_logs(const json_t *logs)
{
    size_t  i;
    json_t *line;

    json_array_foreach(logs, i, line)
        print_line(json_text_of(line, "level", "log"), json_text_of(line, "message", ""));
}

static void print_attempt(const json_t *attempt)
{
    char *status = print_value(json_object_get(attempt, "status"));

    printf("%*sattempt %lld  ", ATTEMPT_INDENT, "", (long long)json_int_of(attempt, "number", 0));
    print_safe(stdout, status);
    printf("  %.1f ms  ", json_number_value(json_object_get(attempt, "duration_ms")));
    print_safe(stdout, json_text_of(attempt, "started_at", ""));
    putchar('\n');
    print_request(json_object_get(attempt, "request"));
    print_response(json_object_get(attempt, "response"));
    print_timing(json_object_get(attempt, "timing"));
    print_member("result", json_object_get(attempt, "result"));
    print_error(json_object_get(attempt, "error"));
    print_logs(json_object_get(attempt, "logs"));
    free(status);
}

void story_print_delivery(const json_t *delivery)
{
    const json_t *target = json_object_get(delivery, "target");
    const char   *next = json_text_of(delivery, "next_attempt_at", NULL);
    size_t        i;
    json_t       *attempt;

    print_safe(stdout, json_text_of(target, "kind", "target"));
    putchar(' ');
    print_safe(stdout, json_text_of(target, "id", "?"));
    fputs("  ", stdout);
    print_safe(stdout, json_text_of(delivery, "status", "?"));
    fputs("  ", stdout);
    print_safe(stdout, json_text_of(delivery, "id", ""));
    putchar('\n');
    json_array_foreach(json_object_get(delivery, "attempts"), i, attempt)
        print_attempt(attempt);
    if (next != NULL) {
        printf("%*snext attempt at ", ATTEMPT_INDENT, "");
        print_safe(stdout, next);
        putchar('\n');
    }
}

static void print_not_delivered(const json_t *list)
{
    size_t  i;
    json_t *one;

    if (json_array_size(list) > 0)
        puts("\nnot delivered, by today's configuration, to");
    json_array_foreach(list, i, one) {
        const json_t *target = json_object_get(one, "target");
        printf("%*s", ATTEMPT_INDENT, "");
        print_safe(stdout, json_text_of(target, "kind", "target"));
        putchar(' ');
        print_safe(stdout, json_text_of(target, "id", "?"));
        fputs(": ", stdout);
        print_safe(stdout, json_text_of(one, "why", "?"));
        putchar('\n');
    }
}

void story_print_event(const json_t *event)
{
    static const struct column columns[] = {
        { "event", "id" }, { "type", "event" }, { "org", "org_id" }, { "at", "timestamp" }, { 0 } };
    const json_t *deliveries = json_object_get(event, "deliveries");
    size_t        i;
    json_t       *delivery;

    print_fields(event, columns, 0);
    puts("data");
    print_json(stdout, json_object_get(event, "data"), 2);
    if (json_array_size(deliveries) == 0)
        puts("\nno delivery: no plugin and no webhook took this event");
    json_array_foreach(deliveries, i, delivery) {
        putchar('\n');
        story_print_delivery(delivery);
    }
    print_not_delivered(json_object_get(event, "not_delivered"));
}
