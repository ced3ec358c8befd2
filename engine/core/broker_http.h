/* broker_http.h - a plugin's HTTP request, checked and with its secrets put in. */
#pragma once

#include "core/broker.h"

enum { BROKER_MAX_HEADERS = 64 };

struct broker_http_call {
    struct http_call http;                  /* points into what follows */
    struct buf       url, body, user, password;
    struct buf       lines[BROKER_MAX_HEADERS];
    const char      *headers[BROKER_MAX_HEADERS + 1];
    size_t           header_count;
};

/* `head` is the REQUEST's. MH_DENIED or MH_INVALID with a sentence in *why (static).
 * *out is to be deinitialised in any case. */
MH_MUST_USE enum mh_err broker_http_prepare(const struct broker_subject *who, const json_t *head,
                                            const struct frame *frame,
                                            struct broker_http_call *out, const char **why);
void broker_http_deinit(struct broker_http_call *c);
