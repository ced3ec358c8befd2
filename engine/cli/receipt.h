/* receipt.h - one request that `moonhook listen` received: does it verify, and how
 * it is shown. Pure: the time is an argument. */
#pragma once

#include "io/json.h"

#include <stdbool.h>
#include <stdint.h>

enum { RECEIPT_WHY_BYTES = 96 };

struct receipt_headers {                    /* NULL where the request has none; borrowed */
    const char *event;                      /* X-Mission-Control-Event */
    const char *body_signature;             /* X-Mission-Control-Signature */
    const char *id, *timestamp, *signature; /* webhook-id, webhook-timestamp, webhook-signature */
};

struct receipt {
    const char            *name;            /* label of the listener; NULL for none */
    const char            *method, *path, *body;
    size_t                 body_bytes;
    struct receipt_headers headers;
    json_t                *json;            /* the body, where it is JSON; owned by the caller */
    unsigned               status;          /* that it is answered with */
    bool                   checked;         /* there is a secret, so the next three mean something */
    bool                   verified;        /* every signature that was checked is right */
    bool                   by_secret, by_key;   /* which were */
    char                   standard_why[RECEIPT_WHY_BYTES];    /* "" where it is right */
    char                   ed25519_why[RECEIPT_WHY_BYTES];
    char                   body_why[RECEIPT_WHY_BYTES];
};

/* Fills checked, verified and the reasons; either may be NULL. */
void receipt_verify(struct receipt *r, const char *secret, const char *public_key, int64_t now_s);

/* A message for a Slack-compatible incoming webhook, rather than an event? */
bool receipt_is_message(const struct receipt *r);

void receipt_print(const struct receipt *r);            /* for people, on standard output */
void receipt_print_json(const struct receipt *r);       /* one line */
