/* http_server.c - see http_server.h: the daemon on the loop, from start to stop.
 *
 * libmicrohttpd runs without threads: its epoll descriptor is polled by the loop,
 * MHD_run() does what is due, MHD_get_timeout() says when to look again. A handler
 * that answers at once costs no detour; one that answers later has its connection
 * suspended. Without threads libmicrohttpd has no descriptor that a resume could
 * signal, so the server itself asks the loop for one more MHD_run(), which all
 * connections resumed in that turn share; it costs no system call.
 *
 * Invariant: nothing is suspended when the daemon stops; libmicrohttpd would abort. */
#include "io/http_server_internal.h"

#include "base/log.h"
#include "io/http_listener.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTION_BYTES = 16 * 1024,        /* bounds a request's line and headers; libmicrohttpd
                                             * clears it all after each request */
       FLUSH_RUNS = 50, ACCEPT_RUNS = 100, MAX_PAUSE_MS = 60000,
       QUICK_RUNS = 8, PATIENT_RUNS = 200, SLOW_PAUSE_MS = 20 };

/* ---- Running ------------------------------------------------------------------- */

/* While a TLS client owes a part of its handshake, libmicrohttpd 0.9.75 does not notice
 * that there is nothing to read and wants to run again at once; a client that stops there
 * would cost a whole core. Runs that nothing came of therefore become rare. What the
 * client sends at last is an event, which ends the pause. */
static int64_t pause_of(const struct http_server *s, unsigned long long wait_ms)
{
    if (wait_ms > 0 || s->spec.tls_cert_pem == NULL || s->idle_runs < QUICK_RUNS)
        return wait_ms < MAX_PAUSE_MS ? (int64_t)wait_ms : MAX_PAUSE_MS;
    return s->idle_runs < PATIENT_RUNS ? 1 : SLOW_PAUSE_MS;
}

static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    s->idle_runs++;
    s->running = true;
    MHD_run(s->daemon);                     /* a request that moves sets idle_runs to 0 */
    s->running = false;
    if (s->quiesce_soon)
        http_server_quiesce(s);
    if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
        timer_start(&s->timer, pause_of(s, wait_ms));
    else
        timer_stop(&s->timer);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_server *s = container_of(poll, struct http_server, poll);

    (void)status, (void)events;
    s->idle_runs = 0;
    run(s);
}

static void on_timer(struct timer *t) { run(container_of(t, struct http_server, timer)); }

static void on_again(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    run(container_of(idle, struct http_server, again));
}

/* An idle handle also keeps the loop from sleeping in this turn. */
void http_server_run_again(struct http_server *s) { uv_idle_start(&s->again, on_again); }

/* ---- Starting ------------------------------------------------------------------ */

static void on_mhd_log(void *arg, const char *format, va_list args)
{
    char text[256], quoted[300];

    (void)arg;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    LOG_DEBUG("http_server", "message=%s", log_quote(text, quoted, sizeof quoted));
}

/* A decoded NUL would cut the text: what has one stays as it came, and matches nothing. */
static size_t unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    return strstr(text, "%00") != NULL ? strlen(text) : MHD_http_unescape(text);
}

static struct MHD_Daemon *start_daemon(struct http_server *s)
{
    bool                  tls = s->spec.tls_cert_pem != NULL;
    unsigned              flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                                  (tls ? MHD_USE_TLS : MHD_USE_TURBO);
    struct MHD_OptionItem tls_options[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)s->spec.tls_cert_pem },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)s->spec.tls_key_pem },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

    return MHD_start_daemon(flags, 0, NULL, NULL, http_request_on_access, s,
                            MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
                            MHD_OPTION_LISTEN_SOCKET, s->listener,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->spec.max_connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, s->spec.idle_timeout_s,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, http_request_on_completed, NULL,
                            MHD_OPTION_ARRAY, tls ? tls_options : none, MHD_OPTION_END);
}

static void join_loop(struct http_server *s, uv_loop_t *loop)
{
    uv_poll_init(loop, &s->poll,
                 MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_poll_start(&s->poll, UV_READABLE, on_poll);
    uv_idle_init(loop, &s->again);
    timer_init(&s->timer, loop, on_timer);
    http_overflow_begin(s, loop);
    s->open_handles = 4;
}

enum mh_err http_server_start(uv_loop_t *loop, const struct http_server_spec *spec,
                              struct http_server **out)
{
    int         fd;
    enum mh_err err = http_listener_open(spec->host, spec->port, spec->reuse_port, &fd);

    if (err != MH_OK)
        return err;
    signal(SIGPIPE, SIG_IGN);
    struct http_server *s = mem_alloc(sizeof *s);
    s->spec = *spec;
    s->listener = fd;
    s->port = http_listener_port(fd);
    list_init(&s->waiting);
    s->daemon = start_daemon(s);
    if (s->daemon == NULL) {
        LOG_ERROR("listen_failed", "reason=\"%s\"", spec->tls_cert_pem
                  ? "the certificate and its key cannot be used" : "libmicrohttpd refused");
        close(fd);                          /* which libmicrohttpd did in most cases */
        free(s);
        return spec->tls_cert_pem ? MH_TLS : MH_IO;
    }
    join_loop(s, loop);
    *out = s;
    return MH_OK;
}

uint16_t http_server_port(const struct http_server *s) { return s->port; }
size_t   http_server_pending(const struct http_server *s) { return s->unfinished; }

/* ---- Stopping ------------------------------------------------------------------ */

/* Closing the listener resets the connections that the kernel made but nobody accepted;
 * those come in first. */
void http_server_quiesce(struct http_server *s)
{
    s->quiesce_soon = s->running;
    if (s->draining || s->running)
        return;
    for (int i = 0; i < ACCEPT_RUNS && http_overflow_waits(s); i++)
        run(s);
    if (s->draining)                        /* a handler of these runs asked as well */
        return;
    s->draining = true;
    s->listener = -1;
    int fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0)
        close(fd);
    run(s);
}

/* What still waits is told so. The handlers' own answers come later and are dropped. */
static void tell_the_rest(struct http_server *s)
{
    list_for_each(node, after, &s->waiting)
        http_request_give_up(container_of(node, struct http_request, node));
}

static void close_one(struct http_server *s)
{
    if (--s->open_handles == 0)
        free(s);
}

static void on_poll_closed(uv_handle_t *handle)
{
    close_one(container_of((uv_poll_t *)handle, struct http_server, poll));
}

static void on_again_closed(uv_handle_t *handle)
{
    close_one(container_of((uv_idle_t *)handle, struct http_server, again));
}

static void on_timer_closed(struct timer *t)
{
    close_one(container_of(t, struct http_server, timer));
}

static void on_look_closed(struct timer *t)
{
    close_one(container_of(t, struct http_server, look));
}

void http_server_stop(struct http_server *s)
{
    struct list *node;

    s->stopping = s->draining = true;
    tell_the_rest(s);
    for (int i = 0; i < FLUSH_RUNS && s->unfinished > 0; i++)
        MHD_run(s->daemon);
    uv_close((uv_handle_t *)&s->poll, on_poll_closed);      /* before its descriptor */
    uv_close((uv_handle_t *)&s->again, on_again_closed);
    timer_close(&s->timer, on_timer_closed);
    http_overflow_end(s, on_look_closed);
    MHD_stop_daemon(s->daemon);
    while ((node = list_pop_front(&s->waiting)) != NULL)
        container_of(node, struct http_request, node)->server = NULL;
}
