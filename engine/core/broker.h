/* broker.h - what plugins want from the world, checked and carried out.
 *
 * The sandbox can reach nothing; a hook that wants something sends a REQUEST. Who
 * asks is known by the process that speaks, never by what it says. Every request
 * is held against the plugin's approved manifest before anything happens; secrets
 * are put in here, on the way out, and taken out of what comes back. */
#pragma once

#include "core/sandbox.h"
#include "io/http_client.h"

enum { BROKER_MAX_RESPONSE_BYTES = 2 * 1024 * 1024, BROKER_MAX_URL_BYTES = 8192 };

struct broker;

/* On whose behalf: borrowed for as long as its sandbox lives. */
struct broker_subject {
    const struct manifest *manifest;
    const json_t          *config;          /* plain values */
    const struct seals    *seals;
    struct sandbox        *sandbox;
    struct limits          limits;
    int64_t                open;            /* requests under way: the broker's own */
};

struct broker *broker_new(struct http_client *http);
void           broker_free(struct broker *b);

/* Answers the REQUEST in `frame` by sandbox_reply(), now or later. */
void broker_request(struct broker *b, struct broker_subject *who, struct hook_call *call,
                    const struct frame *frame);
/* The call ends while its request is open: nothing will be answered. */
void broker_abort(struct hook_call *call);

struct broker_counts { uint64_t requests, denied, failed; };
const struct broker_counts *broker_counts(const struct broker *b);
