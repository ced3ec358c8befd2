/* with_http.h - for tests of the HTTP server and client: a loop, a server whose
 * handler does what the path says, and a peer that speaks raw bytes. */
#pragma once

#include "with_loop.h"

#include "io/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_BODY = 64 * 1024, MAX_HELD = 8 };

static uv_loop_t            loop;
static struct http_server  *server;
static unsigned             handled, gone;
static struct http_request *held[MAX_HELD];
static unsigned             held_count;

/* ---- The server ---------------------------------------------------------------- */

static inline void on_gone(struct http_request *r) { (void)r; gone++; }

/* Says what it was asked: method, path, body. */
static inline void echo(struct http_request *r)
{
    const struct http_header headers[] = { { "X-Served-By", "moonhook" }, { NULL, NULL } };
    size_t bytes, size;
    const char *body = http_request_body(r, &bytes);
    size = strlen(http_request_method(r)) + strlen(http_request_path(r)) + bytes + 3;
    char *text = malloc(size);
    int   n = snprintf(text, size, "%s %s ", http_request_method(r), http_request_path(r));

    memcpy(text + n, body, bytes);
    http_respond(r, 200, "text/plain", text, (size_t)n + bytes, headers);
}

static inline void echo_held(unsigned i)
{
    struct http_request *r = held[i];
    held[i] = NULL;
    echo(r);
}

/* "/later" is held until echo_held(), "/watched" as well, with `gone` set; the rest is
 * answered at once. */
static inline void handle(struct http_request *r, void *arg)
{
    const char *path = http_request_path(r);

    (void)arg;
    handled++;
    if (strcmp(path, "/later") != 0 && strcmp(path, "/watched") != 0) {
        echo(r);
        return;
    }
    if (strcmp(path, "/watched") == 0)
        http_request_on_gone(r, on_gone);
    assert_true(held_count < MAX_HELD);
    held[held_count++] = r;
}

static inline char *problem(enum mh_err err, const char *detail)
{
    char text[200];
    snprintf(text, sizeof text, "{\"code\":\"%s\",\"detail\":\"%s\"}", err_code(err), detail);
    return strdup(text);
}

static inline struct http_server_spec plain_spec(void)
{
    return (struct http_server_spec){ .host = "127.0.0.1", .max_body_bytes = MAX_BODY,
                                      .max_connections = 100, .idle_timeout_s = 60,
                                      .handle = handle, .problem = problem };
}

static inline void server_begin(const struct http_server_spec *spec)
{
    handled = gone = held_count = 0;
    uv_loop_init(&loop);
    assert_int_equal(http_server_start(&loop, spec, &server), MH_OK);
}

/* Stops the server; what the test held is answered, as each handler has to. */
static inline void server_stop(void)
{
    http_server_stop(server);
    for (unsigned i = 0; i < held_count; i++)
        if (held[i] != NULL)
            http_respond(held[i], 200, NULL, NULL, 0, NULL);
}

static inline void server_end(void)
{
    server_stop();
    loop_end(&loop);
}

/* ---- A peer that speaks raw bytes, whichever side opened the connection -------- */

struct raw {
    uv_poll_t poll;
    int       fd;
    char      got[256 * 1024];              /* NUL behind it */
    size_t    bytes;
    bool      ended;                        /* the other side closed */
};

static inline void raw_close(struct raw *r)
{
    if (r->fd < 0)
        return;
    uv_close((uv_handle_t *)&r->poll, NULL);
    close(r->fd);
    r->fd = -1;
}

/* All there is: libuv ends a poll whose socket was reset, with bytes still to read. */
static inline void raw_read(struct raw *r)
{
    ssize_t n;

    while ((n = recv(r->fd, r->got + r->bytes, sizeof r->got - 1 - r->bytes, MSG_DONTWAIT)) > 0)
        r->bytes += (size_t)n;
    r->got[r->bytes] = '\0';
    if (n == 0 || errno != EAGAIN) {
        r->ended = true;
        uv_poll_stop(&r->poll);
    }
}

static inline void raw_on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    raw_read(container_of(poll, struct raw, poll));
}

static inline void raw_open(struct raw *r, int fd)
{
    r->fd = fd;
    r->bytes = 0;
    r->ended = false;
    r->got[0] = '\0';
    uv_poll_init_socket(&loop, &r->poll, fd);
    uv_poll_start(&r->poll, UV_READABLE, raw_on_poll);
}

static inline int dial(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline void raw_connect(struct raw *r)
{
    int fd = dial(http_server_port(server));

    assert_true(fd >= 0);
    raw_open(r, fd);
}

/* False where the other side has closed already. */
static inline bool raw_send(struct raw *r, const void *text, size_t bytes)
{
    return send(r->fd, text, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static inline void raw_say(struct raw *r, const char *text)
{
    assert_true(raw_send(r, text, strlen(text)));
}

static inline unsigned raw_count(const struct raw *r, const char *text)
{
    unsigned n = 0;
    for (const char *at = strstr(r->got, text); at != NULL; at = strstr(at + 1, text))
        n++;
    return n;
}

#define RAW_UNTIL(r, text) RUN_UNTIL(&loop, strstr((r)->got, text) != NULL)
