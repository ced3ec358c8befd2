/* with_http_client.h - for tests of the HTTP client: one call at a time, and what it
 * ended with. */
#pragma once

#include "with_http.h"

#include "io/http_client.h"

enum { MANY_BYTES = 1024 * 1024 };

static struct http_client *client;

/* ---- What an exchange ended with ----------------------------------------------- */

struct end {
    unsigned    count;
    enum mh_err err;
    unsigned    status;
    bool        resolved;                   /* the host's address was known */
    char        detail[200], address[64], served_by[64], location[64];
    char       *body;
    size_t      body_bytes;
};

static struct end got;

static inline void forget(void)
{
    free(got.body);
    got = (struct end){ .count = 0 };
}

static inline void on_end(void *arg, const struct http_result *r)
{
    (void)arg;
    got.count++;
    got.err = r->err;
    got.status = r->status;
    got.resolved = r->timing.dns_us > 0;
    snprintf(got.detail, sizeof got.detail, "%s", r->detail);
    snprintf(got.address, sizeof got.address, "%s", r->address);
    http_result_header(r, "x-served-by", got.served_by, sizeof got.served_by);
    http_result_header(r, "location", got.location, sizeof got.location);
    free(got.body);
    got.body = malloc(r->body_bytes + 1);
    got.body_bytes = r->body_bytes;
    memcpy(got.body, r->body, r->body_bytes + 1);       /* with its NUL */
}

static inline struct http_call call_to(const char *method, const char *url)
{
    return (struct http_call){ .method = method, .url = url, .timeout_ms = PATIENCE_MS,
                               .max_response_bytes = 4 * MANY_BYTES };
}

static inline struct http_exchange *start(const struct http_call *call)
{
    struct http_exchange *x = NULL;

    forget();
    assert_int_equal(http_client_start(client, call, on_end, NULL, &x), MH_OK);
    assert_int_equal(got.count, 0);
    return x;
}

static inline void ask(const struct http_call *call)
{
    start(call);
    RUN_UNTIL(&loop, got.count == 1);
}

static inline const char *url_of(const char *host, uint16_t port, const char *path)
{
    static char url[200];
    snprintf(url, sizeof url, "http://%s:%u%s", host, port, path);
    return url;
}

static inline void client_begin(const struct http_client_spec *spec)
{
    assert_int_equal(http_client_new(&loop, spec, &client), MH_OK);
}
