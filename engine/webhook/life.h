/* life.h - what an endpoint goes through: pauses, an open circuit, being disabled, recovery.
 *
 * Joins the pure parts (gate.h, health.h) with the clock, the pipeline and Redis. With several
 * engines each sees its own attempts, and hears of the others' pauses and circuits (share.h).
 * The events that are sent have ids made of endpoint and time of failure, so that the org gets
 * one of them, whoever sends it and however often (Q3). */
#pragma once

#include "webhook/endpoint.h"

void life_init(struct endpoint *e);                         /* of a zeroed one with target and owner */
void life_load(struct endpoint *e, const json_t *stored);   /* of one that is served */
void life_stored(struct endpoint *e, json_t *stored);       /* adds what must survive a restart */
void life_describe(const struct endpoint *e, json_t *described);

/* The target_ops.may_begin. */
bool life_may_begin(struct target *t);

/* An attempt begins; true: it probes the circuit. life_ended() follows. */
bool life_begin(struct endpoint *e);

struct life_attempt {
    enum breaker_result circuit;
    bool    probe;
    bool    failed;                         /* charged to the endpoint: days of it disable */
    int64_t began_ms;                       /* monotonic */
    int64_t pause_ms;                       /* what the receiver asked for; not above 0: nothing */
};
void life_ended(struct endpoint *e, const struct life_attempt *a);

/* Its settings changed: looks again whether deliveries wait. */
void life_update(struct endpoint *e);
/* An operator says that it is well: no pause, the circuit closed, nothing failed. */
void life_renew(struct endpoint *e);

/* No more deliveries until an operator activates it; the org gets `endpoint.disabled`. */
void life_disable(struct endpoint *e, const char *reason);
