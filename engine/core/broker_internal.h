/* broker_internal.h - what the kinds of request share: broker.c (the table of them, the
 * life of a request, its answer) and one broker_*.c for each. */
#pragma once

#include "base/bucket.h"
#include "base/map.h"
#include "core/broker.h"

enum broker_kind { BROKER_HTTP, BROKER_SIGN, BROKER_STORE, BROKER_EMIT, BROKER_KINDS };

struct broker_tally { uint64_t requests, denied, failed; };

/* What one plugin did, over all of its processes. */
struct broker_use {
    char                plugin[MH_ID_BYTES];
    struct broker_tally of[BROKER_KINDS];
    struct bucket       emits;
    struct bucket       denials;            /* lines in the log, not refusals */
    uint64_t            unlogged;
};

struct broker {
    struct broker_spec  spec;
    struct map          uses;               /* by plugin */
    struct redis_script store, store_forget;
    struct list         answers;            /* long ones: see broker_answer.c */
    uv_idle_t          *turns;              /* NULL while there are none */
};

/* Why a request is not carried out. */
struct refusal {
    char rule[300];                         /* of MH_DENIED: the permission that is missing */
    char why[200];                          /* one sentence, without secrets */
    bool final;                             /* it will not go better later */
};

struct broker_row;

/* One open request; `call->request` points here. Where a callback holds it (`held`) when
 * its call ends, it lives on without one until that callback comes. */
struct open_request {
    struct broker           *broker;
    const struct broker_row *row;           /* NULL: of no kind that moonhook knows */
    struct broker_subject   *who;           /* NULL with `call` */
    struct hook_call        *call;          /* NULL: it ended; nobody waits for the answer */
    struct broker_use       *use;
    struct http_exchange    *exchange;      /* of http: abandoned with the call */
    struct long_answer      *answer;        /* of http: what came of it, likewise */
    bool                     held;          /* by a callback that cannot be taken back */
    int64_t                  since_us;      /* monotonic */
    size_t                   body_bytes;    /* of its frame */
    const struct store_row  *store;         /* of store: what it asked for */
    struct event            *event;         /* of emit: counted */
};

/* Begins what the REQUEST asks for. An error is answered by broker.c, with *no filled. */
typedef enum mh_err broker_start(struct open_request *r, const json_t *head,
                                 const struct frame *frame, struct refusal *no);
broker_start broker_http_start, broker_sign_start, broker_store_start, broker_emit_start;

/* Of http: gives up the exchange. */
void broker_http_abandon(struct open_request *r);

/* Of http: takes secrets out of what came (borrowed during the call) and replies, now or later;
 * broker_answer_abandon() gives up r->answer. */
void broker_answer(struct open_request *r, const struct http_result *result);
void broker_answer_abandon(struct open_request *r);

/* Fills no->why; returns `err`. */
enum mh_err broker_refuse(struct refusal *no, enum mh_err err, const char *format, ...)
    MH_PRINTF(3, 4);

/* Each answers and frees `r`. `head` is stolen. */
void broker_reply(struct open_request *r, json_t *head, const void *body, size_t bytes);
void broker_reply_error(struct open_request *r, enum mh_err err, const struct refusal *no);

/* First in the callback that holds `r`: charges the call for the time that it waited.
 * False, and `r` is freed: the call ended meanwhile. */
bool broker_resume(struct open_request *r);
