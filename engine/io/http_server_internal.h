/* http_server_internal.h - what http_server.c and http_request.c share. */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "io/http_server.h"

#include <microhttpd.h>

struct http_server {
    struct http_server_spec spec;
    struct MHD_Daemon *daemon;
    uv_poll_t          poll;
    uv_idle_t          again;               /* active: something was resumed */
    struct timer       timer, look;         /* look: of http_overflow.c, like spare */
    int                spare;               /* a descriptor to tell with that there is none; or -1 */
    unsigned           open_handles;
    int                listener;            /* libmicrohttpd's; -1 once quiesced */
    uint16_t           port;
    struct list        waiting;             /* requests that the handler has not answered */
    size_t             unfinished;          /* given to the handler, not yet freed */
    unsigned           idle_runs;           /* of MHD_run(), since anything happened */
    bool               draining, stopping;
    bool               running;             /* inside MHD_run(): not to be entered again */
    bool               quiesce_soon;        /* asked for by a handler; done when it is over */
};

struct http_request {
    struct list            node;
    struct http_server    *server;          /* NULL: stopped before the handler answered */
    struct MHD_Connection *connection;
    const char            *method, *path;
    struct buf             body;
    size_t                 discarded;
    struct MHD_Response   *response;        /* made, not yet queued */
    unsigned               status;
    bool                   handed, suspended, answered;
    struct client_watch   *watch;
    void                  *data;
    void                 (*gone)(struct http_request *);
};

/* http_server.c: one more MHD_run() before the loop sleeps. */
void http_server_run_again(struct http_server *s);

/* http_overflow.c: who waits to be accepted while libmicrohttpd does not. `closed` comes when
 * nothing of it is left. */
void http_overflow_begin(struct http_server *s, uv_loop_t *loop);
void http_overflow_end(struct http_server *s, void (*closed)(struct timer *look));
bool http_overflow_waits(const struct http_server *s);

/* http_request.c: libmicrohttpd's callbacks. */
enum MHD_Result http_request_on_access(void *arg, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload, size_t *upload_bytes, void **state);
void http_request_on_completed(void *arg, struct MHD_Connection *connection, void **state,
                               enum MHD_RequestTerminationCode why);

/* Answers a suspended request over its handler's head: the server is stopping. */
void http_request_give_up(struct http_request *r);
