/* http_overflow.c - clients that wait while libmicrohttpd accepts none.
 *
 * Out of descriptors it stops to accept until one of its own connections is closed, and notices
 * even that only with its next event: it may be deaf long after there is room again. So the
 * listener is looked at a few times a second. Who waits there then is handed to libmicrohttpd
 * or, where there is no descriptor, told so by means of one that is kept for that. At its
 * limit of connections clients wait as ever, but no longer than there is no place. */
#include "io/http_overflow.h"

#include "io/http_server_internal.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOK_MS = 200, AT_ONCE = 64, RESERVED = 8, MAX_ASKED_BYTES = 64 * 1024,
       MAX_REFUSAL_BYTES = 2048 };

bool http_overflow_waits(const struct http_server *s)
{
    struct pollfd p = { .fd = s->listener, .events = POLLIN };
    return s->listener >= 0 && poll(&p, 1, 0) > 0;
}

static void keep_spare(struct http_server *s)
{
    if (s->spare < 0)
        s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* A client of TLS would not understand it. What it asked is read first, or closing would
 * reset the connection, answer and all. */
static void tell_busy(struct http_server *s, int fd)
{
    char  asked[4096], text[MAX_REFUSAL_BYTES];
    char *body = s->spec.problem(MH_BUSY, "no file descriptor is left; send this again later");
    int   bytes = snprintf(text, sizeof text, "HTTP/1.1 %d Too Many Requests\r\nRetry-After: 1\r\n"
                           "Connection: close\r\nContent-Type: application/problem+json\r\n"
                           "Content-Length: %zu\r\n\r\n%s", err_http_status(MH_BUSY), strlen(body), body);

    for (ssize_t n = 1, all = 0; n > 0 && all < MAX_ASKED_BYTES; all += n)
        n = recv(fd, asked, sizeof asked, MSG_DONTWAIT);
    if (s->spec.tls_cert_pem == NULL && bytes < (int)sizeof text)
        (void)!send(fd, text, (size_t)bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    free(body);
}

void http_overflow_log(void)
{
    static struct log_limit limit;

    if (log_allowed(&limit))
        LOG_WARN("descriptors_exhausted", "do=\"raise the limit of open files: ulimit -n, LimitNOFILE\"");
}

static bool refuse_one(struct http_server *s)
{
    http_overflow_log();
    if (s->spare < 0)
        return false;
    close(s->spare);
    s->spare = -1;
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        tell_busy(s, fd);
        close(fd);
    }
    keep_spare(s);
    return fd >= 0;
}

bool http_overflow_is_last(int fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + RESERVED >= limit.rlim_cur;
}

static bool take_one(struct http_server *s)
{
    struct sockaddr_storage address;
    socklen_t               bytes = sizeof address;
    int fd = accept4(s->listener, (struct sockaddr *)&address, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0 && http_overflow_is_last(fd)) {
        tell_busy(s, fd);
        close(fd);
    } else if (fd >= 0)                     /* which is libmicrohttpd's now, whatever it says */
        (void)MHD_add_connection(s->daemon, fd, (struct sockaddr *)&address, bytes);
    return fd >= 0 || ((errno == EMFILE || errno == ENFILE) && refuse_one(s));
}

static bool has_place(const struct http_server *s)
{
    return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections <
           s->spec.max_connections;
}

static void on_look(struct timer *t)
{
    struct http_server *s = container_of(t, struct http_server, look);
    bool                waited = http_overflow_waits(s);

    keep_spare(s);
    for (int i = 0; i < AT_ONCE && has_place(s) && http_overflow_waits(s) && take_one(s); i++)
        ;
    if (waited)
        http_server_run_again(s);
    timer_start(&s->look, LOOK_MS);
}

void http_overflow_begin(struct http_server *s, uv_loop_t *loop)
{
    s->spare = -1;
    keep_spare(s);
    timer_init(&s->look, loop, on_look);
    timer_start(&s->look, LOOK_MS);
}

void http_overflow_end(struct http_server *s, void (*closed)(struct timer *look))
{
    if (s->spare >= 0)
        close(s->spare);
    timer_close(&s->look, closed);
}
