/* http_reuse.c - is a kept connection clean enough for the next exchange?
 *
 * Bytes that a peer sends on an idle connection would be read as the answer to the next
 * request: libcurl 7.88 takes a readable connection for a living one. A "200 OK" left behind
 * by one delivery would make the next one delivered, also one of another path at that host.
 * So each request that goes out on a used connection looks first; where anything waits, the
 * exchange gives that connection up and is made on a fresh one. Session tickets of TLS 1.3
 * that come late cost a connection, too; they cannot be told apart.
 *
 * What a peer sends once the request is on its way is its answer, early or not.
 *
 * Before a request libcurl names the connection by its ports only, so the sockets are kept
 * here, from their making to their end. Two with the same ports lead to different addresses;
 * where one of them is unclean both count as such. */
#include "io/http_client_internal.h"

#include "io/tls_bridge.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_socket {
    struct list   by_fd, by_port;
    curl_socket_t fd;
    CURL         *maker;                    /* while it connects; NULL from the first request on */
    int           local_port, peer_port;    /* 0 while it connects */
    struct http_watch *watch;               /* kept here while libcurl wants none */
};

static struct list *bucket(struct list *table, int number)
{
    return &table[(unsigned)number % HTTP_SOCKET_BUCKETS];
}

/* ---- Sockets ------------------------------------------------------------------------- */

void http_sockets_init(struct http_client *c)
{
    for (size_t i = 0; i < HTTP_SOCKET_BUCKETS; i++) {
        list_init(&c->sockets_by_fd[i]);
        list_init(&c->sockets_by_port[i]);
    }
}

static struct http_socket *socket_of(struct http_client *c, curl_socket_t fd)
{
    list_for_each(node, after, bucket(c->sockets_by_fd, fd)) {
        struct http_socket *s = container_of(node, struct http_socket, by_fd);
        if (s->fd == fd)
            return s;
    }
    return NULL;
}

static void forget(struct http_client *c, curl_socket_t fd)
{
    struct http_socket *s = socket_of(c, fd);

    if (s == NULL)
        return;
    if (s->watch != NULL)
        http_watch_close(s->watch);
    list_unlink(&s->by_fd);
    list_unlink(&s->by_port);
    free(s);
}

/* libcurl closes a socket that never connected without telling; that is found out when its
 * number comes again. */
void http_socket_opened(struct http_client *c, CURL *maker, curl_socket_t fd)
{
    struct http_socket *s = mem_alloc(sizeof *s);

    forget(c, fd);
    *s = (struct http_socket){ .fd = fd, .maker = maker };
    list_init(&s->by_fd);
    list_init(&s->by_port);
    list_push_back(bucket(c->sockets_by_fd, fd), &s->by_fd);
    list_push_back(bucket(c->sockets_by_port, 0), &s->by_port);
}

int http_socket_close(void *client, curl_socket_t fd)
{
    forget(client, fd);
    return close(fd);
}

void http_sockets_deinit(struct http_client *c)
{
    struct list *node;

    for (size_t i = 0; i < HTTP_SOCKET_BUCKETS; i++)
        while ((node = list_pop_front(&c->sockets_by_fd[i])) != NULL)
            free(container_of(node, struct http_socket, by_fd));
}

/* One that is not connected yet may be closed without a word; its number would stay watched. */
bool http_socket_keep_watch(struct http_client *c, curl_socket_t fd, struct http_watch *w)
{
    struct http_socket *s = socket_of(c, fd);

    if (s == NULL || s->maker != NULL)
        return false;
    s->watch = w;
    return true;
}

struct http_watch *http_socket_take_watch(struct http_client *c, curl_socket_t fd)
{
    struct http_socket *s = socket_of(c, fd);
    struct http_watch  *w = s ? s->watch : NULL;

    if (w != NULL)
        s->watch = NULL;
    return w;
}

static int local_port_of(curl_socket_t fd)
{
    struct sockaddr_in6 own = { .sin6_port = 0 };       /* the port is where sockaddr_in has it */
    socklen_t           bytes = sizeof own;

    return getsockname(fd, (struct sockaddr *)(void *)&own, &bytes) == 0 ? ntohs(own.sin6_port) : 0;
}

/* Of the sockets that `maker` tried, the one that is connected gets its ports. */
static void note_connected(struct http_client *c, CURL *maker, int local_port, int peer_port)
{
    list_for_each(node, after, bucket(c->sockets_by_port, 0)) {
        struct http_socket *s = container_of(node, struct http_socket, by_port);
        if (s->maker != maker || local_port_of(s->fd) != local_port)
            continue;
        s->maker = NULL;
        s->local_port = local_port;
        s->peer_port = peer_port;
        list_unlink(&s->by_port);
        list_push_back(bucket(c->sockets_by_port, local_port), &s->by_port);
    }
}

/* ---- Before a request ------------------------------------------------------------------ */

static bool is_fresh(CURL *easy)
{
    long connections = 0;

    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
    return connections > 0;
}

/* Also true at the end of what the peer sends, and of a connection that is not known. */
static bool is_readable(struct http_client *c, int local_port, int peer_port)
{
    char     byte;
    unsigned known = 0;

    list_for_each(node, after, bucket(c->sockets_by_port, local_port)) {
        struct http_socket *s = container_of(node, struct http_socket, by_port);
        if (s->local_port != local_port || s->peer_port != peer_port)
            continue;
        if (recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
            return true;
        known++;
    }
    return known == 0;
}

static bool has_pending(CURL *easy)
{
    struct curl_tlssessioninfo *tls = NULL;

    curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls);
    return tls != NULL && tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals != NULL &&
           tls_has_pending(tls->internals);
}

bool http_connection_is_unclean(struct http_client *c, CURL *easy, int local_port, int peer_port)
{
    if (!is_fresh(easy))
        return is_readable(c, local_port, peer_port) || has_pending(easy);
    note_connected(c, easy, local_port, peer_port);
    return false;
}
