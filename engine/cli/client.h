/* client.h - one REST request of a client command, and what became of it.
 *
 * The engine is found by --url or MOONHOOK_URL; the key by --key, MOONHOOK_KEY
 * or the data directory's admin.token. A request runs on an event loop of its
 * own, to its end. */
#pragma once

#include "base/options.h"
#include "io/json.h"

extern const struct option_spec client_options[];

struct client_request {
    const char *method, *path;              /* path with its query, escaped; see client_path() */
    json_t     *body;                       /* taken; NULL for none */
    const char *text;                       /* instead of body: bytes that are sent as they are */
    size_t      text_bytes;
    const char *content_type;               /* of text */
    int64_t     wait_ms;                    /* that the server may take beyond the usual */
};

/* On CLI_OK, *answer is the JSON of a 2xx answer, owned by the caller; with
 * --json it was also printed as it came. Otherwise standard error has told why. */
int client_call(const struct options *given, const struct client_request *request,
                json_t **answer);

/* client_call(), then `show` unless --json printed the answer already. */
int client_run(const struct options *given, const struct client_request *request,
               void (*show)(const json_t *answer));

/* client_run() about the thing that the first word names: its path is `before` + that word + `behind`.
 * `body`: taken; NULL for none. */
int client_run_about(const struct options *given, const char *method, const char *before,
                     const char *behind, json_t *body, void (*show)(const json_t *answer));

/* "/api/webhooks/" + ID, percent-encoded, + "/test"; malloc'ed. */
char *client_path(const char *before, const char *id, const char *behind);

/* Percent-encodes a value for a query or a path; malloc'ed. */
char *client_encode(const char *text);
