/* http_request.c - one request, from its headers to the end of its answer; see
 * http_server.h.
 *
 * A request's memory belongs to libmicrohttpd's callbacks: it is freed when the
 * exchange is over and the handler has answered, whichever comes last. While a
 * connection is suspended libmicrohttpd does not look at it, so a handler that wants
 * to know that its client went away has the socket watched by the loop.
 *
 * Invariants: `connection` is NULL exactly when the exchange is over; a suspended
 * request was handed over, waits for its answer and has no response. */
#include "io/http_server_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DISCARD_FACTOR = 8 };                /* so far a body is read on, for a clean 413 */

struct client_watch {                       /* outlives its request until the loop closed it */
    uv_poll_t            poll;
    struct http_request *request;
};

static void resume(struct http_request *r)
{
    r->suspended = false;
    MHD_resume_connection(r->connection);
    http_server_run_again(r->server);
}

/* ---- A client that goes away while its connection is suspended ----------------- */

static void on_watch_closed(uv_handle_t *handle)
{
    free(container_of((uv_poll_t *)handle, struct client_watch, poll));
}

static void watch_stop(struct http_request *r)
{
    if (r->watch == NULL)
        return;
    uv_poll_stop(&r->watch->poll);
    uv_close((uv_handle_t *)&r->watch->poll, on_watch_closed);
    r->watch = NULL;
}

static void on_disconnect(uv_poll_t *poll, int status, int events)
{
    struct http_request *r = container_of(poll, struct client_watch, poll)->request;

    (void)status, (void)events;
    watch_stop(r);
    resume(r);                              /* libmicrohttpd calls, gets no answer, closes */
}

/* Where the socket cannot be watched, the loss shows when the answer is sent. */
static void watch_start(struct http_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct client_watch            *w = mem_alloc(sizeof *w);

    if (info == NULL ||
        uv_poll_init_socket(r->server->poll.loop, &w->poll, info->connect_fd) != 0) {
        free(w);
        return;
    }
    w->request = r;
    r->watch = w;
    uv_poll_start(&w->poll, UV_DISCONNECT, on_disconnect);
}

/* ---- Answers ------------------------------------------------------------------- */

static struct MHD_Response *make_response(const char *content_type, char *body, size_t bytes,
                                          const struct http_header *headers)
{
    struct MHD_Response *response = body
        ? MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_MUST_FREE)
        : MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);

    if (response == NULL)
        abort();                            /* out of memory */
    if (content_type != NULL)
        MHD_add_response_header(response, "Content-Type", content_type);
    for (; headers != NULL && headers->name != NULL; headers++)
        MHD_add_response_header(response, headers->name, headers->value);
    return response;
}

static void make_problem(struct http_request *r, enum mh_err err, const char *detail)
{
    static const struct http_header close_after[] = { { "Connection", "close" }, { NULL, NULL } };
    char *body = r->server->spec.problem(err, detail);

    r->status = (unsigned)err_http_status(err);
    r->response = make_response("application/problem+json", body, body ? strlen(body) : 0,
                                close_after);
}

static enum MHD_Result queue_response(struct http_request *r)
{
    enum MHD_Result queued = MHD_queue_response(r->connection, r->status, r->response);

    MHD_destroy_response(r->response);
    r->response = NULL;
    return queued;
}

/* Answers a request that the handler will not see. */
static enum MHD_Result refuse(struct http_request *r, enum mh_err err, const char *detail)
{
    r->answered = true;
    make_problem(r, err, detail);
    return queue_response(r);
}

static enum MHD_Result refuse_too_large(struct http_request *r)
{
    char detail[96];

    snprintf(detail, sizeof detail, "the body is larger than %zu bytes",
             r->server->spec.max_body_bytes);
    return refuse(r, MH_TOO_LARGE, detail);
}

/* ---- Requests ------------------------------------------------------------------ */

static void request_free(struct http_request *r)
{
    if (r->handed && r->server != NULL)
        r->server->unfinished--;
    buf_deinit(&r->body);
    if (r->response != NULL)
        MHD_destroy_response(r->response);
    free(r);
}

static struct http_request *request_new(struct http_server *s, struct MHD_Connection *connection,
                                        const char *path, const char *method)
{
    struct http_request *r = mem_alloc(sizeof *r);

    list_init(&r->node);
    r->server = s;
    r->connection = connection;
    r->path = path;
    r->method = method;
    buf_init(&r->body, s->spec.max_body_bytes);
    return r;
}

struct framing { unsigned lengths, codings; bool chunked; unsigned long long length; };

static enum MHD_Result walk_framing(void *arg, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct framing *f = arg;

    (void)kind;
    if (strcasecmp(name, "Content-Length") == 0) {
        f->lengths++;
        f->length = strtoull(value ? value : "", NULL, 10);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        f->codings++;
        f->chunked = value != NULL && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

/* libmicrohttpd 0.9.75 takes the first Content-Length, prefers Transfer-Encoding to it
 * and reads a coding that it does not know until the end. A proxy in front may decide
 * otherwise, and then one sees a request where the other saw a body (RFC 9112, 6.3). */
static enum MHD_Result begin_request(struct http_request *r)
{
    struct framing f = { 0 };

    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, walk_framing, &f);
    if (f.lengths + f.codings > 1 || (f.codings == 1 && !f.chunked))
        return refuse(r, MH_INVALID, "the headers do not say clearly how long the body is");
    return f.length > r->server->spec.max_body_bytes ? refuse_too_large(r) : MHD_YES;
}

static enum MHD_Result take_body(struct http_request *r, const char *bytes, size_t *count)
{
    if (r->discarded > 0 || buf_append(&r->body, bytes, *count) != MH_OK)
        r->discarded += *count;
    *count = 0;
    return r->discarded / DISCARD_FACTOR > r->server->spec.max_body_bytes ? MHD_NO : MHD_YES;
}

static enum MHD_Result hand_over(struct http_request *r)
{
    struct http_server *s = r->server;

    if (s->stopping)
        return refuse(r, MH_UNAVAILABLE, "the server is stopping");
    r->handed = true;
    s->unfinished++;
    list_push_back(&s->waiting, &r->node);
    s->spec.handle(r, s->spec.arg);
    if (r->response != NULL)
        return queue_response(r);
    r->suspended = true;
    MHD_suspend_connection(r->connection);
    if (r->gone != NULL)
        watch_start(r);
    return MHD_YES;
}

enum MHD_Result http_request_on_access(void *arg, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload, size_t *upload_bytes, void **state)
{
    struct http_request *r = *state;

    (void)version;
    ((struct http_server *)arg)->idle_runs = 0;
    if (r == NULL) {
        *state = r = request_new(arg, connection, url, method);
        return begin_request(r);
    }
    if (*upload_bytes > 0)
        return take_body(r, upload, upload_bytes);
    if (r->response != NULL)
        return queue_response(r);
    if (r->discarded > 0)
        return refuse_too_large(r);
    return r->handed ? MHD_NO : hand_over(r);
}

void http_request_on_completed(void *arg, struct MHD_Connection *connection, void **state,
                               enum MHD_RequestTerminationCode why)
{
    struct http_request *r = *state;

    (void)arg, (void)connection, (void)why;
    *state = NULL;
    if (r == NULL)
        return;
    r->server->idle_runs = 0;
    watch_stop(r);
    r->connection = NULL;
    r->method = r->path = "";               /* were libmicrohttpd's */
    if (r->answered || !r->handed)
        request_free(r);
    else if (r->gone != NULL)
        r->gone(r);
}

/* ---- What a handler sees ------------------------------------------------------- */

const char *http_request_method(const struct http_request *r) { return r->method; }
const char *http_request_path(const struct http_request *r) { return r->path; }

const char *http_request_body(const struct http_request *r, size_t *bytes)
{
    *bytes = r->body.len;
    return r->body.data ? r->body.data : "";
}

const char *http_request_header(const struct http_request *r, const char *name)
{
    return r->connection ? MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name) : NULL;
}

const char *http_request_query(const struct http_request *r, const char *name)
{
    return r->connection ? MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name)
                         : NULL;
}

struct header_walk { bool (*visit)(void *, const char *, const char *); void *arg; };

static enum MHD_Result walk_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct header_walk *w = arg;

    (void)kind;
    return w->visit(w->arg, name, value ? value : "") ? MHD_YES : MHD_NO;
}

void http_request_headers(const struct http_request *r,
                          bool (*visit)(void *arg, const char *name, const char *value), void *arg)
{
    struct header_walk w = { visit, arg };

    if (r->connection != NULL)
        MHD_get_connection_values(r->connection, MHD_HEADER_KIND, walk_header, &w);
}

void http_request_set_data(struct http_request *r, void *data) { r->data = data; }
void *http_request_data(const struct http_request *r) { return r->data; }

void http_request_on_gone(struct http_request *r, void (*gone)(struct http_request *))
{
    r->gone = gone;
    if (r->suspended && gone != NULL && r->watch == NULL)
        watch_start(r);
}

void http_respond(struct http_request *r, unsigned status, const char *content_type, char *body,
                  size_t body_bytes, const struct http_header *headers)
{
    list_unlink(&r->node);
    r->answered = true;
    if (r->connection == NULL || r->response != NULL) {     /* nobody is left to read it */
        free(body);
        if (r->connection == NULL)
            request_free(r);
        return;
    }
    watch_stop(r);
    r->status = status;
    r->response = make_response(content_type, body, body_bytes, headers);
    if (r->server->draining)
        MHD_add_response_header(r->response, "Connection", "close");
    if (r->suspended)
        resume(r);
}

void http_request_give_up(struct http_request *r)
{
    if (!r->suspended)
        return;
    watch_stop(r);
    make_problem(r, MH_UNAVAILABLE, "the server is stopping");
    resume(r);
}
