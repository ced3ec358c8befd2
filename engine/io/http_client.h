/* http_client.h - outbound HTTP: libcurl's multi interface on the loop; the only
 * module that includes curl.h.
 *
 * Certificates are always verified; redirects are never followed; nothing comes
 * from the environment (no proxies, no .netrc). Every exchange has a timeout and
 * a maximum of bytes. An answer that breaks HTTP/1.1 is refused (http_head.h). `allow`
 * sees the address that is really dialled. */
#pragma once

#include "base/list.h"
#include "io/loop.h"

#include <sys/socket.h>

struct http_client;
struct http_exchange;

struct http_client_spec {
    const char *ca_file;                    /* PEM added to the system's; NULL for none */
    size_t      max_connections;            /* kept open for reuse */
    /* May this address be dialled? NULL: all may. */
    bool      (*allow)(void *arg, const struct sockaddr *address);
    void       *arg;
};

/* MH_IO: the CA file cannot be read; the log tells. */
MH_MUST_USE enum mh_err http_client_new(uv_loop_t *loop, const struct http_client_spec *spec,
                                        struct http_client **out);
/* Cancels what is under way (each `done` gets MH_CANCELLED) and frees. Not from
 * within a `done`. */
void http_client_free(struct http_client *c);

struct http_call {                          /* borrowed during http_client_start() only */
    const char *method, *url;
    const char *const *headers;             /* "Name: value" lines, NULL at the end; may be NULL */
    const void *body;                       /* NULL for none; is copied */
    size_t      body_bytes;
    const char *user, *password;            /* Basic authentication; NULL for none */
    int64_t     timeout_ms;                 /* of the whole exchange */
    size_t      max_response_bytes;         /* of the body, decompressed */
    /* What the bodies of several exchanges may still take together; NULL: no such limit.
     * Not borrowed but used until the exchange is over. Past it: MH_BUSY. */
    size_t     *room_bytes;
};

/* Each counts from the start of the exchange, as libcurl does. */
struct http_timing { int64_t dns_us, connect_us, tls_us, first_byte_us, total_us; };

struct http_result {                        /* borrowed during `done` */
    enum mh_err err;                        /* MH_OK: there was an answer, of any status; else
                                             * DNS CONNECT TLS BLOCKED TIMEOUT PROTOCOL TOO_LARGE
                                             * BUSY CANCELLED INVALID (bad URL) */
    char        detail[200];                /* one sentence for people, when err is not MH_OK */
    unsigned    status;                     /* 0 until the head of the answer is complete */
    const char *headers;                    /* "name: value\n" lines, names in lower case; the
                                             * answer's own, neither 1xx nor trailers */
    size_t      headers_bytes;
    const char *body;                       /* NUL-terminated; cut where TOO_LARGE */
    size_t      body_bytes;
    struct http_timing timing;
    char        address[64];                /* "203.0.113.7:443", empty if none was dialled */
};

/* `done` comes exactly once, never inside this call. The exchange is freed when
 * it returns. MH_INVALID: the method or a header is not valid; MH_CANCELLED: the
 * client is being freed. `done` is then not called. */
MH_MUST_USE enum mh_err http_client_start(struct http_client *c, const struct http_call *call,
                                          void (*done)(void *arg, const struct http_result *),
                                          void *arg, struct http_exchange **out);
/* Whether the host's address is not known yet. The thread that looks a name up outlives
 * an exchange that ends now, for as long as the name servers stay silent. */
bool http_exchange_resolving(const struct http_exchange *x);
/* Ends it now; `done` is not called. */
void http_exchange_abandon(struct http_exchange *x);

/* The value of a header in result->headers, copied to `out` (cut to `size`);
 * false if there is none. `name` in lower case. */
bool http_result_header(const struct http_result *r, const char *name, char *out, size_t size);
