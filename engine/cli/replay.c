/* replay.c - `moonhook webhook replay` and `replays`: begins a replay, shows how far it is
 * until it has ended. Ctrl-C leaves it running: it is the engine's, not this command's. */
#include "base/clock.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 300 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void show_replays(const json_t *answer)
{
    static const struct column columns[] = {
        { "ID", "id" }, { "STATUS", "status" }, { "TARGET", "target.id" }, { "ONLY", "only" },
        { "DRY RUN", "dry_run" }, { "ENQUEUED", "enqueued" }, { "LOOKED", "looked" },
        { "TOTAL", "total" }, { "CREATED", "created_at" }, { 0 } };

    print_list(answer, columns, "no replays");
}

int cmd_webhook_replays(const struct options *given)
{
    return client_run(given, &(struct client_request){ .method = "GET", .path = "/api/replays" },
                      show_replays);
}

int cmd_webhook_replay_cancel(const struct options *given)
{
    json_t *answer = NULL;
    char   *path = client_path("/api/replays/", given->word[0], "");
    int     code = client_call(given, &(struct client_request){ .method = "DELETE", .path = path },
                               &answer);

    if (code == CLI_OK && !options_has(given, "json"))
        puts("cancelled; what it enqueued is delivered");
    json_decref(answer);
    free(path);
    return code;
}

/* ---- What is asked for -------------------------------------------------------------------- */

/* "2h", that long ago, or a time as RFC 3339 writes it. */
static int put_time(const struct options *given, const char *name, json_t *body)
{
    const char *text = options_text(given, name, NULL);
    char        at[CLOCK_TEXT_BYTES];
    int64_t     ms;

    if (text == NULL)
        return CLI_OK;
    if (clock_parse(text, &ms) != MH_OK) {
        if (clock_parse_duration(text, &ms) != MH_OK)
            return cli_usage("--%s=%s is neither a time (2026-01-22T10:00:00Z) nor how long ago (2h)",
                             name, text);
        ms = clock_now_ms() - ms;
    }
    clock_format(ms, at);
    json_put(body, name, json_string(at));
    return CLI_OK;
}

static int put_rate(const struct options *given, json_t *body)
{
    const char *text = options_text(given, "rate", NULL);
    char       *end;

    if (text == NULL)
        return CLI_OK;
    long long rate = strtoll(text, &end, 10);
    if (*end != '\0' || end == text)
        return cli_usage("--rate=%s is not a number of deliveries a second", text);
    json_put(body, "rate", json_integer(rate));
    return CLI_OK;
}

static int fill_body(const struct options *given, json_t *body)
{
    int code = put_time(given, "since", body);

    if (code == CLI_OK && !options_has(given, "since"))
        code = cli_usage("webhook replay takes --since: how long ago (2h), or a time");
    if (code == CLI_OK)
        code = put_time(given, "until", body);
    if (code == CLI_OK)
        code = put_rate(given, body);
    if (options_has(given, "only"))
        json_put(body, "only", json_string(options_text(given, "only", "")));
    if (options_has(given, "dry-run"))
        json_put(body, "dry_run", json_true());
    return code;
}

/* ---- How far it is ------------------------------------------------------------------------- */

static bool is_running(const json_t *job)
{
    return strcmp(json_text_of(job, "status", ""), "running") == 0;
}

static long long number(const json_t *job, const char *name)
{
    return (long long)json_int_of(job, name, 0);
}

/* One line, over the one before on a terminal. */
static void show_progress(const json_t *job)
{
    const char *held = json_text_of(job, "held", NULL);

    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%lld of %lld events looked at, %lld enqueued", number(job, "looked"),
            number(job, "total"), number(job, "enqueued"));
    if (held != NULL) {
        fputs("; waiting: ", stderr);
        print_safe(stderr, held);
    }
    if (!is_running(job))
        fputs("\r\033[K", stderr);
    fflush(stderr);
}

static int show_end(const json_t *job)
{
    const char *status = json_text_of(job, "status", "?");
    bool        dry = json_bool_of(job, "dry_run", false);

    print_safe(stdout, json_text_of(job, "id", "?"));
    fputs("  ", stdout);
    print_safe(stdout, status);
    printf("  %lld %s of %lld events that match; %lld looked at\n", number(job, "enqueued"),
           dry ? "would be delivered" : "enqueued", number(job, "matched"), number(job, "looked"));
    if (json_text_of(job, "reason", NULL) != NULL)
        return cli_failed("%s", json_text_of(job, "reason", ""));
    return strcmp(status, "done") == 0 ? CLI_OK : CLI_FAILED;
}

static int left_running(const json_t *job)
{
    const char *id = json_text_of(job, "id", "?");

    print_safe(stdout, id);
    fputs(" goes on; moonhook webhook replays shows how far it is,\n"
          "moonhook webhook cancel-replay ", stdout);
    print_safe(stdout, id);
    puts(" ends it");
    return CLI_OK;
}

static int look_again(const struct options *given, json_t **job)
{
    struct timespec pause = { 0, LOOK_MS * 1000000L };
    json_t         *now = NULL;
    char           *path = client_path("/api/replays/", json_text_of(*job, "id", ""), "");

    nanosleep(&pause, NULL);
    int code = interrupted ? CLI_OK
             : client_call(given, &(struct client_request){ .method = "GET", .path = path }, &now);
    free(path);
    if (now != NULL) {
        json_decref(*job);
        *job = now;
    }
    return code;
}

static int follow(const struct options *given, json_t **job)
{
    struct sigaction action = { .sa_handler = on_interrupt };
    int              code = CLI_OK;

    sigaction(SIGINT, &action, NULL);
    while (code == CLI_OK && is_running(*job) && !interrupted) {
        show_progress(*job);
        code = look_again(given, job);
    }
    show_progress(*job);
    if (code != CLI_OK)
        return code;
    return is_running(*job) ? left_running(*job) : show_end(*job);
}

int cmd_webhook_replay(const struct options *given)
{
    json_t *body = json_object(), *job = NULL;
    int     code = fill_body(given, body);

    if (code != CLI_OK) {
        json_decref(body);
        return code;
    }
    char *path = client_path("/api/webhooks/", given->word[0], "/replay");
    code = client_call(given, &(struct client_request){ .method = "POST", .path = path,
                                                        .body = body, .wait_ms = 10000 }, &job);
    free(path);
    if (code == CLI_OK && !options_has(given, "json"))
        code = follow(given, &job);
    json_decref(job);
    return code;
}
