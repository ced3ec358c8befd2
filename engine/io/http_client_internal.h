/* http_client_internal.h - what http_client.c and http_pump.c share. */
#pragma once

#include "base/buf.h"
#include "io/http_client.h"
#include "io/http_head.h"

#include <curl/curl.h>

enum { HTTP_SOCKET_BUCKETS = 512 };

struct http_client {
    struct http_client_spec spec;
    char        *ca_file;
    uv_loop_t   *loop;
    CURLM       *multi;
    struct timer timer;                     /* libcurl's own */
    struct list  active, idle;              /* exchanges */
    size_t       idle_count;
    struct list  sockets_by_fd[HTTP_SOCKET_BUCKETS], sockets_by_port[HTTP_SOCKET_BUCKETS];
    size_t       open_polls;                /* handles that the loop still knows */
    bool         closing;
};

/* http_client.c: libcurl says that an exchange is over. */
void http_exchange_end(struct http_client *c, CURL *easy, CURLcode code);
void http_client_cancel_all(struct http_client *c);

/* http_pump.c: a socket that the loop watches for libcurl. Ends the watch, now. */
struct http_watch;
void http_watch_close(struct http_watch *w);

/* http_reuse.c: its sockets, and before a request: is this a connection that is used again,
 * and on which something waits that the request cannot have caused? */
void http_sockets_init(struct http_client *c);
void http_sockets_deinit(struct http_client *c);        /* when libcurl has closed all */
void http_socket_opened(struct http_client *c, CURL *maker, curl_socket_t fd);
int  http_socket_close(void *client, curl_socket_t fd);
/* Between two requests on a connection the watch of its socket is kept for the next one, until
 * the socket is closed. False: of this socket it cannot be kept. */
bool http_socket_keep_watch(struct http_client *c, curl_socket_t fd, struct http_watch *w);
struct http_watch *http_socket_take_watch(struct http_client *c, curl_socket_t fd);  /* or NULL */
bool http_connection_is_unclean(struct http_client *c, CURL *easy, int local_port, int peer_port);
