/* http_server.c - see http_server.h.
 *
 * libmicrohttpd runs without threads: its epoll descriptor is polled by the loop,
 * MHD_run() does what is due, MHD_get_timeout() says when to look again. A handler
 * that answers at once costs no detour; one that answers later has its connection
 * suspended, and all connections resumed in one turn of the loop share the next
 * MHD_run(). A request's memory belongs to libmicrohttpd's callbacks: it is freed
 * when the exchange is over and the handler has answered, whichever comes last. */
#include "io/http_server.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, CONNECTION_BYTES = 32 * 1024, FLUSH_RUNS = 50,
       DISCARD_FACTOR = 8 };                /* an oversized body is read that far, for a clean 413 */

struct http_server {
    struct http_server_spec spec;
    struct MHD_Daemon *daemon;
    uv_poll_t          poll;
    struct timer       timer;
    uint16_t           port;
    struct list        pending;             /* requests given to the handler, not answered */
    size_t             pending_count;
};

struct http_request {
    struct list            node;
    struct http_server    *server;
    struct MHD_Connection *connection;      /* NULL: the exchange is over */
    const char            *method, *path;
    struct buf             body;
    size_t                 discarded;
    struct MHD_Response   *response;        /* made, not yet queued */
    unsigned               status;
    bool                   handed, suspended, answered, inside;
    void                  *data;
    void                 (*gone)(struct http_request *);
};

/* ---- Running ------------------------------------------------------------------------- */

static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run(s->daemon);
    if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
        timer_start(&s->timer, wait_ms < 60000 ? (int64_t)wait_ms : 60000);
    else
        timer_stop(&s->timer);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    run(container_of(poll, struct http_server, poll));
}

static void on_timer(struct timer *t) { run(container_of(t, struct http_server, timer)); }

/* ---- Requests --------------------------------------------------------------------------- */

static void request_free(struct http_request *r)
{
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

static enum MHD_Result queue_response(struct http_request *r)
{
    enum MHD_Result queued = MHD_queue_response(r->connection, r->status, r->response);

    MHD_destroy_response(r->response);
    r->response = NULL;
    return queued;
}

static enum MHD_Result answer_too_large(struct http_request *r)
{
    char detail[96];

    snprintf(detail, sizeof detail, "the body is larger than %zu bytes",
             r->server->spec.max_body_bytes);
    char *body = r->server->spec.problem(MH_TOO_LARGE, detail);
    r->status = (unsigned)err_http_status(MH_TOO_LARGE);
    r->answered = true;
    r->response = MHD_create_response_from_buffer(body ? strlen(body) : 0, body,
                                                  MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(r->response, "Content-Type", "application/problem+json");
    MHD_add_response_header(r->response, "Connection", "close");
    return queue_response(r);
}

static bool declares_too_much(const struct http_request *r)
{
    const char *length = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND,
                                                     "Content-Length");
    return length != NULL && strtoull(length, NULL, 10) > r->server->spec.max_body_bytes;
}

static enum MHD_Result take_body(struct http_request *r, const char *bytes, size_t *count)
{
    if (r->discarded > 0 || buf_append(&r->body, bytes, *count) != MH_OK)
        r->discarded += *count;
    *count = 0;
    return r->discarded > DISCARD_FACTOR * r->server->spec.max_body_bytes ? MHD_NO : MHD_YES;
}

static enum MHD_Result hand_over(struct http_request *r)
{
    struct http_server *s = r->server;

    r->handed = r->inside = true;
    list_push_back(&s->pending, &r->node);
    s->pending_count++;
    s->spec.handle(r, s->spec.arg);
    r->inside = false;
    if (r->response != NULL)
        return queue_response(r);
    r->suspended = true;
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_bytes, void **state)
{
    struct http_request *r = *state;

    (void)version;
    if (r == NULL) {
        *state = r = request_new(arg, connection, url, method);
        return declares_too_much(r) ? answer_too_large(r) : MHD_YES;
    }
    if (*upload_bytes > 0)
        return take_body(r, upload, upload_bytes);
    if (r->response != NULL)
        return queue_response(r);
    if (r->discarded > 0)
        return answer_too_large(r);
    return r->handed ? MHD_YES : hand_over(r);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct http_request *r = *state;

    (void)arg, (void)connection, (void)why;
    *state = NULL;
    if (r == NULL)
        return;
    r->connection = NULL;
    if (r->answered || !r->handed)
        request_free(r);
    else if (r->gone != NULL)
        r->gone(r);
}

/* ---- What a handler sees ---------------------------------------------------------------------- */

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
}

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

void http_respond(struct http_request *r, unsigned status, const char *content_type, char *body,
                  size_t body_bytes, const struct http_header *headers)
{
    if (r->server != NULL) {
        list_unlink(&r->node);
        r->server->pending_count--;
    }
    r->answered = true;
    if (r->connection == NULL || r->server == NULL) {       /* nobody is left to read it */
        free(body);
        if (r->connection == NULL)
            request_free(r);
        return;
    }
    r->status = status;
    r->response = make_response(content_type, body, body_bytes, headers);
    if (r->suspended && !r->inside) {
        r->suspended = false;
        MHD_resume_connection(r->connection);
        timer_start(&r->server->timer, 0);  /* without a thread, nothing else wakes it */
    }
}

/* ---- Starting and stopping ----------------------------------------------------------------------- */

static int bind_address(const struct addrinfo *a, bool reuse_port)
{
    int one = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static enum mh_err open_listener(const struct http_server_spec *spec, int *fd)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found = NULL;
    char            port[8];

    snprintf(port, sizeof port, "%u", spec->port);
    int why = getaddrinfo(spec->host, port, &hints, &found);
    if (why != 0) {
        LOG_ERROR("listen_failed", "host=%s reason=\"%s\"", spec->host, gai_strerror(why));
        return MH_IO;
    }
    *fd = -1;
    for (const struct addrinfo *a = found; a != NULL && *fd < 0; a = a->ai_next)
        *fd = bind_address(a, spec->reuse_port);
    freeaddrinfo(found);
    if (*fd >= 0)
        return MH_OK;
    LOG_ERROR("listen_failed", "host=%s port=%s reason=\"%s\"", spec->host, port, strerror(errno));
    return errno == EADDRINUSE ? MH_CONFLICT : MH_IO;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t               bytes = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static void on_mhd_log(void *arg, const char *format, va_list args)
{
    char text[256], quoted[300];

    (void)arg;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    LOG_DEBUG("http_server", "message=%s", log_quote(text, quoted, sizeof quoted));
}

static struct MHD_Daemon *start_daemon(struct http_server *s, int fd)
{
    bool                  tls = s->spec.tls_cert_pem != NULL;
    unsigned              flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
                                  MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls_options[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)s->spec.tls_cert_pem },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)s->spec.tls_key_pem },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

    return MHD_start_daemon(flags, 0, NULL, NULL, on_access, s,
                            MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
                            MHD_OPTION_LISTEN_SOCKET, fd,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->spec.max_connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, s->spec.idle_timeout_s,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                            MHD_OPTION_ARRAY, tls ? tls_options : none, MHD_OPTION_END);
}

enum mh_err http_server_start(uv_loop_t *loop, const struct http_server_spec *spec,
                              struct http_server **out)
{
    int         fd;
    enum mh_err err = open_listener(spec, &fd);

    if (err != MH_OK)
        return err;
    signal(SIGPIPE, SIG_IGN);
    struct http_server *s = mem_alloc(sizeof *s);
    s->spec = *spec;
    s->port = port_of(fd);
    list_init(&s->pending);
    s->daemon = start_daemon(s, fd);
    if (s->daemon == NULL) {
        LOG_ERROR("listen_failed", "reason=\"%s\"", spec->tls_cert_pem
                  ? "the certificate and its key cannot be used" : "libmicrohttpd refused");
        close(fd);
        free(s);
        return spec->tls_cert_pem ? MH_TLS : MH_IO;
    }
    uv_poll_init(loop, &s->poll,
                 MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_poll_start(&s->poll, UV_READABLE, on_poll);
    timer_init(&s->timer, loop, on_timer);
    *out = s;
    return MH_OK;
}

uint16_t http_server_port(const struct http_server *s) { return s->port; }
size_t   http_server_pending(const struct http_server *s) { return s->pending_count; }

void http_server_quiesce(struct http_server *s)
{
    int fd = MHD_quiesce_daemon(s->daemon);

    if (fd >= 0)
        close(fd);
}

static void on_timer_closed(struct timer *t) { free(container_of(t, struct http_server, timer)); }

static void on_poll_closed(uv_handle_t *handle)
{
    struct http_server *s = container_of((uv_poll_t *)handle, struct http_server, poll);
    timer_close(&s->timer, on_timer_closed);
}

/* What still waits is told so; libmicrohttpd wants nothing suspended when it stops.
 * The handlers' answers come later, or never, and are dropped. */
static void answer_the_rest(struct http_server *s)
{
    struct list *node;

    while ((node = list_pop_front(&s->pending)) != NULL) {
        struct http_request *r = container_of(node, struct http_request, node);
        char                *body = s->spec.problem(MH_UNAVAILABLE, "the server is stopping");
        r->server = NULL;
        r->status = 503;
        r->response = make_response("application/problem+json", body, body ? strlen(body) : 0, NULL);
        if (r->suspended)
            MHD_resume_connection(r->connection);
        r->suspended = false;
    }
}

void http_server_stop(struct http_server *s)
{
    answer_the_rest(s);
    for (int i = 0; i < FLUSH_RUNS; i++)
        MHD_run(s->daemon);
    uv_poll_stop(&s->poll);
    MHD_stop_daemon(s->daemon);
    uv_close((uv_handle_t *)&s->poll, on_poll_closed);
}
