/* http_client_internal.h - what http_client.c and http_pump.c share. */
#pragma once

#include "base/buf.h"
#include "io/http_client.h"

#include <curl/curl.h>

struct http_client {
    struct http_client_spec spec;
    char        *ca_file;
    uv_loop_t   *loop;
    CURLM       *multi;
    struct timer timer;                     /* libcurl's own */
    struct list  active, idle;              /* exchanges */
    size_t       idle_count;
    size_t       open_polls;                /* handles that the loop still knows */
    bool         closing;
};

/* http_client.c: libcurl says that an exchange is over. */
void http_exchange_end(struct http_client *c, CURL *easy, CURLcode code);
void http_client_cancel_all(struct http_client *c);
