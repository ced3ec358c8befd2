/* broker.h - what plugins want from the world, checked and carried out.
 *
 * The sandbox can reach nothing; a hook that wants something sends a REQUEST
 * (proto/message.h has them all). Who asks is known by the process that speaks, never
 * by what it says. Every request is held against the plugin's approved manifest before
 * anything happens; secrets are put in here, on the way out, and taken out of what
 * comes back. What is refused is logged with the rule that refused it, and counted.
 *
 * Each kind of request has a file of its own: broker_http.c (and broker_answer.c for what
 * comes back), broker_sign.c, broker_store.c, broker_emit.c. What they read from a REQUEST is made by a pure
 * broker_*_prepare() each, which does no I/O. */
#pragma once

#include "core/sandbox.h"
#include "io/http_client.h"
#include "io/redis.h"

enum {
    BROKER_MAX_RESPONSE_BYTES = 2 * 1024 * 1024,
    BROKER_MAX_URL_BYTES      = 8192,
    BROKER_MAX_OPEN_BYTES     = 8 * 1024 * 1024,    /* bodies of one plugin's open requests */
    BROKER_MAX_ANSWERS_BYTES  = 16 * 1024 * 1024,   /* that are coming in for one plugin */
    BROKER_CONCEAL_WORK       = 256 * 1024,         /* in one turn of the loop; see conceal_some() */
    BROKER_MAX_LOOKUPS        = 32,                 /* of one plugin, given up and still going on */
};

struct broker;
struct dispatch;
struct queues;

/* All borrowed, for as long as the broker lives. */
struct broker_spec {
    uv_loop_t          *loop;
    struct http_client *http;
    struct redis       *redis;
    const char         *prefix;             /* of Redis keys */
    struct dispatch    *dispatch;
    struct queues      *queues;
};

/* On whose behalf: borrowed for as long as its sandbox lives. */
struct broker_subject {
    const struct manifest *manifest;
    const json_t          *config;          /* plain values */
    const struct seals    *seals;
    struct sandbox        *sandbox;
    struct limits          limits;
    /* The broker's own: */
    int64_t                open;            /* requests under way */
    size_t                 open_bytes;      /* of their bodies */
    size_t                 room_bytes;      /* for answers: from BROKER_MAX_ANSWERS_BYTES down */
    unsigned               lookups;         /* of names, given up in the middle */
    int64_t                lookups_until_ms;        /* when the last of them is over */
};

struct broker *broker_new(const struct broker_spec *spec);
/* Nothing that it asked Redis or the queue for is under way any more. */
void           broker_free(struct broker *b);

/* Answers the REQUEST in `frame`, whose head is `head`, by sandbox_reply(), now or later. */
void broker_request(struct broker *b, struct broker_subject *who, struct hook_call *call,
                    const struct frame *frame, const json_t *head);
/* The call ends while its request is open: nothing will be answered. */
void broker_abort(struct hook_call *call);

/* moonhook_requests_total and its like, by plugin and kind of request. */
void broker_write_metrics(const struct broker *b, struct buf *out);
