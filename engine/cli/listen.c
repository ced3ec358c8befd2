/* listen.c - `moonhook listen`: a receiver that verifies and prints.
 *
 * It listens on 127.0.0.1 only. With a secret, what does not verify is answered
 * 401 and does not count; without one everything is accepted, and a message for
 * a Slack-compatible webhook is answered as Slack does, with a body of "ok".
 *
 * `--secret -` reads the secret from standard input after the address was
 * printed: a secret is only made when the address is known. Requests that come
 * before it wait. */
#include "base/clock.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/receipt.h"
#include "io/http_server.h"
#include "webhook/signer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BODY_BYTES = 8 * MH_MIB, MAX_CONNECTIONS = 256, IDLE_S = 60, LEAVE_AFTER_MS = 20 };

struct listener {
    const char         *name, *secret, *public_key;
    long                port, status, count;          /* count 0: no end */
    bool                json, secret_comes;
    char                secret_line[SECRET_TEXT_BYTES + 2];
    long                accepted;
    uv_loop_t           loop;
    struct http_server *server;
    uv_signal_t         signals[2];
    struct timer        leave;
};

/* ---- The end ------------------------------------------------------------------------------ */

/* The last answer leaves before the server stops. */
static void on_leave(struct timer *t)
{
    struct listener *l = container_of(t, struct listener, leave);

    if (http_server_pending(l->server) > 0) {
        timer_start(t, LEAVE_AFTER_MS);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(l->signals); i++)
        uv_close((uv_handle_t *)&l->signals[i], NULL);
    timer_close(t, NULL);
    http_server_stop(l->server);
}

static void leave(struct listener *l)
{
    http_server_quiesce(l->server);
    timer_start(&l->leave, LEAVE_AFTER_MS);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct listener *l = handle->data;

    (void)number;
    uv_signal_stop(handle);
    leave(l);
}

/* ---- A request ------------------------------------------------------------------------------ */

static void read_request(const struct listener *l, struct http_request *request,
                         struct receipt *receipt)
{
    struct json_fault fault;

    *receipt = (struct receipt){
        .name = l->name, .method = http_request_method(request),
        .path = http_request_path(request),
        .headers = {
            .event = http_request_header(request, "X-Mission-Control-Event"),
            .body_signature = http_request_header(request, "X-Mission-Control-Signature"),
            .id = http_request_header(request, "webhook-id"),
            .timestamp = http_request_header(request, "webhook-timestamp"),
            .signature = http_request_header(request, "webhook-signature"),
        },
    };
    receipt->body = http_request_body(request, &receipt->body_bytes);
    if (receipt->body == NULL)
        receipt->body = "";
    if (json_parse(receipt->body, receipt->body_bytes, &receipt->json, &fault) != MH_OK)
        receipt->json = NULL;
}

static void on_request(struct http_request *request, void *arg)
{
    struct listener *l = arg;
    struct receipt   receipt;

    read_request(l, request, &receipt);
    receipt_verify(&receipt, l->secret, l->public_key, clock_now_ms() / 1000);
    bool accepted = !receipt.checked || receipt.verified;
    receipt.status = accepted ? (unsigned)l->status : 401;
    (l->json ? receipt_print_json : receipt_print)(&receipt);
    bool  message = receipt_is_message(&receipt);
    char *body = mem_strdup(!accepted ? "signature refused\n" : message ? "ok" : "");
    json_decref(receipt.json);
    http_respond(request, receipt.status, "text/plain", body, strlen(body), NULL);
    l->accepted += accepted;
    if (accepted && l->accepted == l->count)
        leave(l);
}

static char *on_problem(enum mh_err err, const char *detail)
{
    return mem_printf("%s\n", detail ? detail : err_text(err));
}

/* ---- The whole -------------------------------------------------------------------------------- */

static int read_number(const struct options *given, const char *name, long low, long high,
                       long otherwise, long *out)
{
    const char *text = options_text(given, name, NULL);
    char       *end;

    *out = otherwise;
    if (text == NULL)
        return CLI_OK;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *out < low || *out > high)
        return cli_usage("--%s takes a number from %ld to %ld, not \"%.40s\"", name, low, high,
                         text);
    return CLI_OK;
}

static int check_secret(const char *secret)
{
    struct signed_bytes nothing = { "msg", 0, "", 0 };
    struct signature    unused;

    if (signer_sign(secret, &nothing, &unused) == MH_OK)
        return CLI_OK;
    return cli_usage("--secret takes \"whsec_\" and base64 of 24 to 64 bytes, as "
                     "`moonhook webhook add` shows it");
}

static int check_public_key(const char *key)
{
    struct signed_bytes nothing = { "msg", 0, "", 0 };

    if (key == NULL || signer_verify_ed25519(key, &nothing, "", 0) != MH_INVALID)
        return CLI_OK;
    return cli_usage("--public-key takes \"whpk_\" and base64 of 32 bytes, as "
                     "`moonhook webhook show` shows it");
}

/* The first line of standard input. */
static int read_secret(struct listener *l)
{
    if (fgets(l->secret_line, sizeof l->secret_line, stdin) == NULL)
        return cli_failed("standard input ended before the secret came");
    l->secret_line[strcspn(l->secret_line, "\r\n")] = '\0';
    l->secret = l->secret_line;
    return check_secret(l->secret);
}

static int read_options(const struct options *given, struct listener *l)
{
    int code;

    *l = (struct listener){ .name = options_text(given, "name", NULL),
                            .secret = options_text(given, "secret", NULL),
                            .public_key = options_text(given, "public-key", NULL),
                            .json = options_has(given, "json") };
    if ((code = read_number(given, "port", 0, 65535, 0, &l->port)) != CLI_OK
        || (code = read_number(given, "status", 200, 599, 200, &l->status)) != CLI_OK
        || (code = read_number(given, "count", 1, 1000000000, 0, &l->count)) != CLI_OK
        || (code = check_public_key(l->public_key)) != CLI_OK)
        return code;
    l->secret_comes = l->secret && strcmp(l->secret, "-") == 0;
    return l->secret && !l->secret_comes ? check_secret(l->secret) : CLI_OK;
}

static enum mh_err start(struct listener *l)
{
    static const int  numbers[ARRAY_LEN(l->signals)] = { SIGINT, SIGTERM };
    struct http_server_spec spec = {
        .host = "127.0.0.1", .port = (uint16_t)l->port, .max_body_bytes = MAX_BODY_BYTES,
        .max_connections = MAX_CONNECTIONS, .idle_timeout_s = IDLE_S, .handle = on_request,
        .problem = on_problem, .arg = l,
    };
    enum mh_err err = http_server_start(&l->loop, &spec, &l->server);

    if (err != MH_OK)
        return err;
    timer_init(&l->leave, &l->loop, on_leave);
    for (size_t i = 0; i < ARRAY_LEN(l->signals); i++) {
        uv_signal_init(&l->loop, &l->signals[i]);
        l->signals[i].data = l;
        uv_signal_start(&l->signals[i], on_signal, numbers[i]);
    }
    return MH_OK;
}

static int run(struct listener *l)
{
    enum mh_err err = start(l);
    int         code = CLI_OK;

    if (err == MH_CONFLICT)
        return cli_failed("port %ld is in use", l->port);
    if (err != MH_OK)
        return cli_failed("cannot listen on port %ld: %s", l->port, err_text(err));
    printf("listening http://127.0.0.1:%u\n", http_server_port(l->server));
    if (l->secret_comes && (code = read_secret(l)) != CLI_OK)
        leave(l);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    if (code == CLI_OK && l->accepted < l->count)
        return cli_failed("stopped after %ld of %ld requests", l->accepted, l->count);
    return code;
}

int cmd_listen_run(const struct options *given)
{
    struct listener l;
    int             code = read_options(given, &l);

    if (code != CLI_OK)
        return code;
    /* A program that reads our lines gets each one as it happens. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    uv_loop_init(&l.loop);
    code = run(&l);
    uv_loop_close(&l.loop);
    return code;
}
