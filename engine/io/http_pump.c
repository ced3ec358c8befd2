/* http_pump.c - libcurl's multi socket interface on the loop: it names sockets to
 * watch and one timer; what happens on them is told back to it.
 *
 * libcurl gives a socket up when its exchange ends and wants it again when the next one
 * begins, most often at once. The kernel is told of neither: the watch stays as it is
 * (http_socket_keep_watch), and ends only when something happens that nobody waits for. */
#include "io/http_client_internal.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct http_watch {                         /* one socket of libcurl's */
    uv_poll_t           poll;
    struct http_client *client;
    curl_socket_t       socket;
    int                 wanted;             /* by libcurl: UV_READABLE, UV_WRITABLE */
    int                 polled;             /* what the loop waits for */
};

static void take_results(struct http_client *c)
{
    CURLMsg *message;
    int      left;

    while ((message = curl_multi_info_read(c->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            http_exchange_end(c, message->easy_handle, message->data.result);
}

static void act(struct http_client *c, curl_socket_t socket, int events)
{
    int running;

    curl_multi_socket_action(c->multi, socket, events, &running);
    take_results(c);
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void poll_for(struct http_watch *w, int events)
{
    if (events == w->polled)
        return;
    if (events == 0)
        uv_poll_stop(&w->poll);
    else
        uv_poll_start(&w->poll, events, on_socket);
    w->polled = events;
}

/* A server that refuses a body answers, closes, and the kernel resets. libcurl would
 * write, fail, and never read that answer; so wherever it wants to read as well it is
 * told to, which it does before it writes. libuv ends the poll of a socket that failed:
 * libcurl is then told to read only, and finds the failure behind the last byte. */
static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct http_watch *w = container_of(poll, struct http_watch, poll);
    int                flags = w->wanted & UV_READABLE ? CURL_CSELECT_IN : 0;

    if (status < 0)
        w->polled = 0;
    poll_for(w, w->wanted);
    if (w->wanted == 0)
        return;
    if (status < 0) {
        flags = CURL_CSELECT_IN;
    } else if (events & UV_WRITABLE) {
        flags |= CURL_CSELECT_OUT;
    }
    act(w->client, w->socket, flags);
}

static void on_time(struct timer *t)
{
    act(container_of(t, struct http_client, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void on_timer_closed(struct timer *t)
{
    struct http_client *c = container_of(t, struct http_client, timer);

    free(c->ca_file);
    free(c);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct http_watch  *w = container_of((uv_poll_t *)handle, struct http_watch, poll);
    struct http_client *c = w->client;

    free(w);
    if (--c->open_polls == 0 && c->closing)
        timer_close(&c->timer, on_timer_closed);
}

void http_watch_close(struct http_watch *w)
{
    poll_for(w, 0);
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static struct http_watch *watch_new(struct http_client *c, curl_socket_t socket)
{
    struct http_watch *w = mem_alloc(sizeof *w);

    w->client = c;
    w->socket = socket;
    if (uv_poll_init_socket(c->loop, &w->poll, socket) != 0)
        abort();                            /* the kernel is out of memory or of watches */
    c->open_polls++;
    return w;
}

static struct http_watch *watch_again(struct http_client *c, curl_socket_t socket)
{
    struct http_watch *w = http_socket_take_watch(c, socket);

    if (w == NULL)
        w = watch_new(c, socket);
    curl_multi_assign(c->multi, socket, w);
    return w;
}

static void watch_no_more(struct http_watch *w)
{
    w->wanted = 0;
    if (!http_socket_keep_watch(w->client, w->socket, w))
        http_watch_close(w);
}

static int on_watch(CURL *easy, curl_socket_t socket, int what, void *arg, void *assigned)
{
    struct http_client *c = arg;
    struct http_watch  *w = assigned;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL)
            watch_no_more(w);
        return 0;
    }
    if (w == NULL)
        w = watch_again(c, socket);
    w->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    poll_for(w, w->wanted);
    return 0;
}

static int on_timer_wanted(CURLM *multi, long delay_ms, void *arg)
{
    struct http_client *c = arg;

    (void)multi;
    if (delay_ms < 0)
        timer_stop(&c->timer);
    else
        timer_start(&c->timer, delay_ms);
    return 0;
}

/* Found now, not when the first certificate is not trusted. */
static bool is_readable(const char *file)
{
    if (file == NULL || access(file, R_OK) == 0)
        return true;
    LOG_ERROR("ca_file_unreadable", "file=%s reason=\"%s\"", file, strerror(errno));
    return false;
}

static void make_multi(struct http_client *c)
{
    c->multi = curl_multi_init();
    if (c->multi == NULL)
        abort();                            /* out of memory */
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->spec.max_connections);
}

enum mh_err http_client_new(uv_loop_t *loop, const struct http_client_spec *spec,
                            struct http_client **out)
{
    const char *ca_file = spec->ca_file && spec->ca_file[0] ? spec->ca_file : NULL;

    if (!is_readable(ca_file))
        return MH_IO;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return MH_NOMEM;
    struct http_client *c = mem_alloc(sizeof *c);
    c->spec = *spec;
    c->loop = loop;
    c->ca_file = mem_strdup(ca_file);
    list_init(&c->active);
    list_init(&c->idle);
    http_sockets_init(c);
    timer_init(&c->timer, loop, on_time);
    make_multi(c);
    *out = c;
    return MH_OK;
}

void http_client_free(struct http_client *c)
{
    c->closing = true;                      /* `done` may not start anything anew */
    http_client_cancel_all(c);
    c->open_polls++;                        /* held while the cleanup closes sockets */
    curl_multi_cleanup(c->multi);
    http_sockets_deinit(c);
    timer_stop(&c->timer);                  /* it may fire before its handle is closed */
    if (--c->open_polls == 0)
        timer_close(&c->timer, on_timer_closed);
}
