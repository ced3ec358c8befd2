/* http_listener.c - see http_listener.h. */
#include "io/http_listener.h"

#include "base/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static int bind_address(const struct addrinfo *a, bool reuse_port, int backlog)
{
    int one = 1, zero = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (a->ai_family == AF_INET6)           /* "::" means every address, whatever the sysctl says */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && (backlog == 0 || listen(fd, backlog) == 0))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* An address in use ends the search: serving on another one of the name's addresses
 * would hide that some clients reach a stranger. */
static int bind_first(const struct addrinfo *found, bool reuse_port, int backlog, int *why)
{
    int fd = -1;

    *why = EADDRNOTAVAIL;
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = bind_address(a, reuse_port, backlog);
        *why = errno;
        if (fd < 0 && *why == EADDRINUSE)
            break;
    }
    return fd;
}

static enum mh_err open_address(const char *host, uint16_t port, bool reuse_port, int backlog, int *fd)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found = NULL;
    char            service[8];
    int             why;

    snprintf(service, sizeof service, "%u", port);
    int unknown = getaddrinfo(host, service, &hints, &found);
    if (unknown != 0) {
        LOG_ERROR("listen_failed", "host=%s reason=\"%s\"", host, gai_strerror(unknown));
        return MH_IO;
    }
    int bound = bind_first(found, reuse_port, backlog, &why);
    freeaddrinfo(found);
    if (bound < 0) {
        LOG_ERROR("listen_failed", "host=%s port=%u reason=\"%s\"", host, port, strerror(why));
        return why == EADDRINUSE ? MH_CONFLICT : MH_IO;
    }
    *fd = bound;
    return MH_OK;
}

enum mh_err http_listener_open(const char *host, uint16_t port, bool reuse_port, int *fd)
{
    return open_address(host, port, reuse_port, BACKLOG, fd);
}

enum mh_err http_listener_reserve(const char *host, uint16_t port, bool reuse_port, int *fd)
{
    return open_address(host, port, reuse_port, 0, fd);
}

uint16_t http_listener_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t               bytes = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}
