/* client.c - see client.h. */
#include "cli/client.h"

#include "base/util.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "io/http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char DEFAULT_URL[] = "http://127.0.0.1:8420", DEFAULT_DATA[] = "./moonhook-data";

enum { TIMEOUT_MS = 30000, MAX_ANSWER_BYTES = 64 * MH_MIB, KEY_BYTES = 512, WHY_BYTES = 320 };

const struct option_spec client_options[] = {
    { "url", OPTION_VALUE, "URL", "the engine (MOONHOOK_URL; http://127.0.0.1:8420)" },
    { "key", OPTION_VALUE, "KEY", "the API key (MOONHOOK_KEY); else the data directory's" },
    { "data", OPTION_VALUE, "DIR", "data directory with admin.token (MOONHOOK_DATA)" },
    { "data-dir", OPTION_VALUE, "DIR", "the same, also where --data means something else" },
    { "ca-file", OPTION_VALUE, "FILE", "PEM certificates trusted besides the system's" },
    { "json", OPTION_FLAG, NULL, "print the answer as it comes" },
    { 0 },
};

/* ---- Where the engine is, and who asks --------------------------------------------- */

/* Like options_text(), for the common options only: `event send --data` is not ours. */
static const char *common_text(const struct options *given, const char *name)
{
    const char *text = NULL;

    for (size_t i = 0; i < given->given_count; i++)
        for (const struct option_spec *s = client_options; s->name; s++)
            if (given->given[i].spec == s && strcmp(s->name, name) == 0)
                text = given->given[i].value;
    return text;
}

/* The flag, else the variable unless it is empty, else `otherwise`. */
static const char *choose(const struct options *given, const char *flag, const char *variable,
                          const char *otherwise)
{
    const char *text = common_text(given, flag);
    const char *environment = getenv(variable);

    if (text != NULL)
        return text;
    return environment && *environment ? environment : otherwise;
}

struct access {                             /* which engine, with which key */
    char *url;                              /* without a slash at its end */
    char  key[KEY_BYTES];                   /* "" for none */
    char  no_key[WHY_BYTES];                /* why there is none, for people */
};

static void read_key_file(const char *dir, struct access *a)
{
    char *path = mem_printf("%s/admin.token", dir);
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        snprintf(a->no_key, sizeof a->no_key,
                 "no API key: give --key, MOONHOOK_KEY or --data DIR (%.150s: %s)", path,
                 strerror(errno));
    } else {
        if (fgets(a->key, sizeof a->key, file) != NULL)
            a->key[strcspn(a->key, "\r\n")] = '\0';
        fclose(file);
    }
    free(path);
}

static void access_find(const struct options *given, struct access *a)
{
    const char *key = choose(given, "key", "MOONHOOK_KEY", NULL);
    const char *dir = common_text(given, "data-dir");

    *a = (struct access){ .url = mem_strdup(choose(given, "url", "MOONHOOK_URL", DEFAULT_URL)) };
    for (size_t len = strlen(a->url); len > 0 && a->url[len - 1] == '/'; len--)
        a->url[len - 1] = '\0';
    if (key != NULL)
        snprintf(a->key, sizeof a->key, "%s", key);
    else
        read_key_file(dir ? dir : choose(given, "data", "MOONHOOK_DATA", DEFAULT_DATA), a);
}

/* ---- One exchange ------------------------------------------------------------------- */

struct exchange {
    bool        done;
    enum mh_err err;
    char        detail[200];
    unsigned    status;
    char       *body;                       /* NUL-terminated */
    size_t      body_bytes;
};

static void on_done(void *arg, const struct http_result *result)
{
    struct exchange *x = arg;

    x->done = true;
    x->err = result->err;
    x->status = result->status;
    snprintf(x->detail, sizeof x->detail, "%s", result->detail);
    if (result->err == MH_OK && result->body_bytes > 0) {
        x->body = mem_strndup(result->body, result->body_bytes);
        x->body_bytes = strlen(x->body);
    }
}

static enum mh_err run_loop(uv_loop_t *loop, const struct http_client_spec *spec,
                            const struct http_call *call, struct exchange *x)
{
    struct http_client   *client;
    struct http_exchange *under_way;
    enum mh_err           err = http_client_new(loop, spec, &client);

    if (err != MH_OK)
        return err;
    err = http_client_start(client, call, on_done, x, &under_way);
    /* The client keeps handles of its own open, so the loop is turned by hand
     * until the answer is there. */
    while (err == MH_OK && !x->done)
        uv_run(loop, UV_RUN_ONCE);
    http_client_free(client);
    uv_run(loop, UV_RUN_DEFAULT);
    return err;
}

static void exchange(const struct access *a, const char *ca_file,
                     const struct client_request *request, const char *body, size_t body_bytes,
                     struct exchange *x)
{
    char       *url = mem_printf("%s%s", a->url, request->path);
    char       *auth = a->key[0] ? mem_printf("Authorization: Bearer %s", a->key) : NULL;
    char       *type = mem_printf("Content-Type: %s", request->content_type
                                                          ? request->content_type
                                                          : "application/json");
    const char *headers[] = { "Accept: application/json", type, auth, NULL };
    struct http_client_spec spec = { .ca_file = ca_file, .max_connections = 1 };
    struct http_call        call = {
        .method = request->method, .url = url, .headers = headers, .body = body,
        .body_bytes = body_bytes, .timeout_ms = TIMEOUT_MS + request->wait_ms,
        .max_response_bytes = MAX_ANSWER_BYTES,
    };
    uv_loop_t loop;

    uv_loop_init(&loop);
    enum mh_err err = run_loop(&loop, &spec, &call, x);
    if (err != MH_OK)
        x->err = err;
    uv_loop_close(&loop);
    free(url);
    free(auth);
    free(type);
}

/* ---- What became of it --------------------------------------------------------------- */

static int tell_unreachable(const struct access *a, const struct exchange *x)
{
    if (x->err == MH_CONNECT)
        return cli_failed("nothing answers at %s - is `moonhook serve` running?", a->url);
    return cli_failed("%s: %s", a->url, x->detail[0] ? x->detail : err_text(x->err));
}

/* One line for a field that is wrong, unless the detail said the same. */
static void tell_field(const json_t *field, const char *detail)
{
    char *line = mem_printf("%s: %s", json_text_of(field, "pointer", ""),
                            json_text_of(field, "detail", "is not valid"));

    if (detail == NULL || strcmp(line, detail) != 0) {
        fputs("  ", stderr);
        print_safe(stderr, line);
        fputc('\n', stderr);
    }
    free(line);
}

/* RFC 9457: the detail, then the fields. */
static int tell_problem(const struct access *a, unsigned status, const json_t *problem)
{
    const char *title = json_text_of(problem, "title", NULL);
    const char *detail = json_text_of(problem, "detail", title);
    size_t      i;
    json_t     *field;

    if (status == 401 && a->key[0] == '\0')
        return cli_failed("%s", a->no_key);
    fputs("moonhook: ", stderr);
    if (detail != NULL)
        print_safe(stderr, detail);
    else
        fprintf(stderr, "%s answered status %u", a->url, status);
    fputc('\n', stderr);
    json_array_foreach(json_object_get(problem, "errors"), i, field)
        tell_field(field, detail);
    return CLI_FAILED;
}

static int conclude(const struct access *a, const struct options *given, const struct exchange *x,
                    json_t **answer)
{
    struct json_fault fault = { 0 };
    json_t           *read = NULL;
    enum mh_err       err = x->body ? json_parse(x->body, x->body_bytes, &read, &fault) : MH_OK;
    bool              success = x->status >= 200 && x->status < 300;
    int               code = CLI_OK;

    if (options_has(given, "json") && err == MH_OK && read != NULL)
        printf("%s\n", x->body);
    if (!success)
        code = tell_problem(a, x->status, read);
    else if (err != MH_OK)
        code = cli_failed("%s answered what is not JSON: %s", a->url, fault.text);
    if (code == CLI_OK)
        *answer = read ? read : json_object();
    else
        json_decref(read);
    return code;
}

int client_call(const struct options *given, const struct client_request *request,
                json_t **answer)
{
    size_t          bytes = request->text_bytes;
    char           *own = request->body ? json_text(request->body, &bytes) : NULL;
    struct exchange x = { 0 };
    struct access   a;
    int             code;

    access_find(given, &a);
    json_decref(request->body);
    exchange(&a, choose(given, "ca-file", "MOONHOOK_CA_FILE", NULL), request,
             own ? own : request->text, bytes, &x);
    code = x.err == MH_OK ? conclude(&a, given, &x, answer) : tell_unreachable(&a, &x);
    free(own);
    free(x.body);
    free(a.url);
    return code;
}

int client_run(const struct options *given, const struct client_request *request,
               void (*show)(const json_t *answer))
{
    json_t *answer = NULL;
    int     code = client_call(given, request, &answer);

    if (code == CLI_OK && !options_has(given, "json"))
        show(answer);
    json_decref(answer);
    return code;
}

/* ---- Paths ---------------------------------------------------------------------------- */

char *client_encode(const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~:";
    char *out = mem_alloc(strlen(text) * 3 + 1);
    char *at = out;

    for (; *text; text++)
        if (strchr(plain, *text))
            *at++ = *text;
        else
            at += snprintf(at, 4, "%%%02X", (unsigned char)*text);
    return out;
}

char *client_path(const char *before, const char *id, const char *behind)
{
    char *encoded = client_encode(id);
    char *path = mem_printf("%s%s%s", before, encoded, behind);

    free(encoded);
    return path;
}

int client_run_about(const struct options *given, const char *method, const char *before,
                     const char *behind, json_t *body, void (*show)(const json_t *answer))
{
    char *path = client_path(before, given->word[0], behind);
    int   code = client_run(given, &(struct client_request){ .method = method, .path = path,
                                                             .body = body }, show);

    free(path);
    return code;
}
