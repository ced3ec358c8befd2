/* breaker.h - a circuit breaker: an endpoint that only fails is left alone for a while.
 * Pure: the caller brings the clock (monotonic) and the randomness.
 *
 *     closed ----- BREAKER_FAILURES failures in a row, over at least BREAKER_STREAK_MS ----> open
 *     open ------- its wait is over ------------------------------------------------> half-open
 *     half-open -- the one delivery that probes it succeeds --> closed; fails --> open, for longer
 *
 * The streak begins when the first of its attempts began, so a receiver that hangs opens the
 * circuit with its first time-outs, and one that refuses within BREAKER_STREAK_MS of load: both
 * within 2 s of sustained failure. Any success closes it, also that of an attempt begun
 * before it opened. Waits double from `first_wait_ms` to BREAKER_GROWTH times that, each with
 * +-10 % uniform jitter, so that engines and endpoints do not probe in step. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_FAILURES = 5, BREAKER_STREAK_MS = 1000, BREAKER_GROWTH = 10 };

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    unsigned    state;                      /* enum breaker_state */
    const char *who;                        /* for the log; borrowed */
    unsigned    failures;                   /* in a row */
    int64_t     streak_began_ms;
    bool        probing;                    /* half-open: the one attempt is under way */
    int64_t     first_wait_ms, wait_ms;     /* the latest wait, before jitter */
    int64_t     opened_ms, probe_ms;        /* open: since when, and when it is half-open */
};

void        breaker_init(struct breaker *b, const char *who, int64_t first_wait_ms);
const char *breaker_state_name(const struct breaker *b);

/* Closed, as if nothing had failed. */
void breaker_reset(struct breaker *b);

/* Milliseconds until an attempt may begin: 0 is now; BREAKER_PROBED while the probe is under
 * way: its end decides. Makes an open one half-open when its time has come. */
enum { BREAKER_PROBED = -1 };
int64_t breaker_wait_ms(struct breaker *b, int64_t now_ms);

/* Others found it open since `opened_ms` and probe it at `probe_ms`; here the probe's turn is
 * at `turn_ms`. False: nothing new, or the probe that is under way here decides. */
bool breaker_adopt(struct breaker *b, int64_t opened_ms, int64_t probe_ms, int64_t turn_ms,
                   int64_t wait_ms);

/* An attempt begins; true: it is the probe, which breaker_note() is to be told. */
bool breaker_begin(struct breaker *b);

/* How an attempt ended. BREAKER_NEITHER tells nothing about the endpoint's health (the
 * engine stopped it, or the receiver asked for a pause). `random`: uniform over uint32_t. */
enum breaker_result { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NEITHER };
struct breaker_attempt { enum breaker_result result; bool probe; int64_t began_ms; };
void breaker_note(struct breaker *b, const struct breaker_attempt *a, int64_t now_ms,
                  uint32_t random);
