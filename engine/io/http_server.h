/* http_server.h - libmicrohttpd on the engine's loop; the only module that
 * includes microhttpd.h (through http_server_internal.h).
 *
 * One handler gets whole requests (body read, limits kept) and answers each
 * exactly once, at once or later; a connection waits suspended meanwhile. A
 * client that goes away before its answer is no error: the answer is dropped,
 * and `gone` of the request, if set, is called first. A client that closes its
 * sending side counts as gone. Nothing here may be called from a `gone` but what
 * takes a request, and http_server_stop() from no callback of the server's. */
#pragma once

#include "io/loop.h"

struct http_server;
struct http_request;

struct http_server_spec {
    const char *host;                       /* "127.0.0.1", "0.0.0.0", "::" */
    uint16_t    port;                       /* 0: the kernel chooses */
    bool        reuse_port;
    size_t      max_body_bytes;             /* more is answered 413 by the server itself */
    size_t      max_connections;
    unsigned    idle_timeout_s;
    const char *tls_cert_pem, *tls_key_pem; /* file contents; NULL for plain HTTP */
    void      (*handle)(struct http_request *, void *arg);
    /* Makes the body of an error that the server answers by itself. Malloc'ed. */
    char     *(*problem)(enum mh_err err, const char *detail);
    void       *arg;
};

/* MH_CONFLICT: the address is in use. MH_IO, MH_TLS: log tells. */
MH_MUST_USE enum mh_err http_server_start(uv_loop_t *loop, const struct http_server_spec *spec,
                                          struct http_server **out);
uint16_t http_server_port(const struct http_server *s);

/* Stops accepting; requests under way go on, and connections close after their next
 * answer. May be called twice, and by a handler: it then takes place behind it. */
void http_server_quiesce(struct http_server *s);
/* Requests given to the handler whose answer has not been sent to its end. */
size_t http_server_pending(const struct http_server *s);
/* Answers 503 to what the handler has not answered, closes all and frees. The
 * handler still answers each of its requests, to have it freed. */
void http_server_stop(struct http_server *s);

/* ---- A request: borrowed by the handler until it has answered. What these return
 * is libmicrohttpd's and ends with the client's connection: after `gone`, method and
 * path are empty and there are no headers; the body stays. ------------------------ */

const char *http_request_method(const struct http_request *r);
const char *http_request_path(const struct http_request *r);        /* decoded, no query */
const char *http_request_body(const struct http_request *r, size_t *bytes); /* NUL behind it */
const char *http_request_header(const struct http_request *r, const char *name);
const char *http_request_query(const struct http_request *r, const char *name);
/* Calls `visit` for each header until it returns false. */
void http_request_headers(const struct http_request *r,
                          bool (*visit)(void *arg, const char *name, const char *value),
                          void *arg);
/* A pointer of the handler's own, NULL at first. */
void  http_request_set_data(struct http_request *r, void *data);
void *http_request_data(const struct http_request *r);
/* `gone` is called at most once; the handler then still has to answer. */
void  http_request_on_gone(struct http_request *r, void (*gone)(struct http_request *));

struct http_header { const char *name, *value; };

/* Takes `body` (malloc'ed, may be NULL). Header names and values are copied;
 * the list ends with a NULL name; may be NULL. Frees the request. */
void http_respond(struct http_request *r, unsigned status, const char *content_type, char *body,
                  size_t body_bytes, const struct http_header *headers);
