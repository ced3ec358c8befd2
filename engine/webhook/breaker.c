/* breaker.c - see breaker.h. */
#include "webhook/breaker.h"

#include "base/state.h"
#include "core/schedule.h"

enum { SAME_MS = 10 };                      /* what a time may lose between two clocks */

static const struct state states[] = {
    [BREAKER_CLOSED]    = { "closed",    STATE(BREAKER_OPEN) },
    [BREAKER_OPEN]      = { "open",      STATE(BREAKER_HALF_OPEN) | STATE(BREAKER_CLOSED) },
    [BREAKER_HALF_OPEN] = { "half_open", STATE(BREAKER_OPEN) | STATE(BREAKER_CLOSED) },
};

static void move(struct breaker *b, unsigned to)
{
    if (b->state != to)
        state_move(states, &b->state, to, "circuit", b->who);
}

void breaker_init(struct breaker *b, const char *who, int64_t first_wait_ms)
{
    *b = (struct breaker){ .who = who, .first_wait_ms = first_wait_ms };
}

const char *breaker_state_name(const struct breaker *b) { return states[b->state].name; }

void breaker_reset(struct breaker *b)
{
    move(b, BREAKER_CLOSED);
    b->failures = 0;
    b->probing = false;
    b->wait_ms = 0;
}

int64_t breaker_wait_ms(struct breaker *b, int64_t now_ms)
{
    if (b->state == BREAKER_OPEN && now_ms >= b->probe_ms)
        move(b, BREAKER_HALF_OPEN);
    if (b->state == BREAKER_OPEN)
        return b->probe_ms - now_ms;
    return b->state == BREAKER_HALF_OPEN && b->probing ? BREAKER_PROBED : 0;
}

bool breaker_begin(struct breaker *b)
{
    if (b->state != BREAKER_HALF_OPEN || b->probing)
        return false;
    b->probing = true;
    return true;
}

static void open_for(struct breaker *b, int64_t wait_ms, int64_t now_ms, uint32_t random)
{
    int64_t               most_ms = BREAKER_GROWTH * b->first_wait_ms;
    const struct schedule wait = { { wait_ms < most_ms ? wait_ms : most_ms }, 1 };

    if (b->state == BREAKER_CLOSED)
        b->opened_ms = now_ms;
    move(b, BREAKER_OPEN);
    b->wait_ms = wait.delay_ms[0];
    b->probe_ms = now_ms + schedule_delay_ms(&wait, 0, random);
}

bool breaker_adopt(struct breaker *b, int64_t opened_ms, int64_t probe_ms, int64_t turn_ms,
                   int64_t wait_ms)
{
    bool known = b->state != BREAKER_CLOSED && probe_ms <= b->probe_ms + SAME_MS;

    if (known || b->probing)
        return false;
    if (b->state == BREAKER_CLOSED)
        b->opened_ms = opened_ms;
    move(b, BREAKER_OPEN);
    b->failures = BREAKER_FAILURES;
    b->wait_ms = wait_ms;
    b->probe_ms = turn_ms;
    return true;
}

static void note_failure(struct breaker *b, const struct breaker_attempt *a, int64_t now_ms,
                         uint32_t random)
{
    if (b->state != BREAKER_CLOSED) {
        if (a->probe)                       /* others are late news from before it opened */
            open_for(b, 2 * b->wait_ms, now_ms, random);
        return;
    }
    if (b->failures++ == 0 || a->began_ms < b->streak_began_ms)
        b->streak_began_ms = a->began_ms;
    if (b->failures >= BREAKER_FAILURES && now_ms - b->streak_began_ms >= BREAKER_STREAK_MS)
        open_for(b, b->first_wait_ms, now_ms, random);
}

void breaker_note(struct breaker *b, const struct breaker_attempt *a, int64_t now_ms,
                  uint32_t random)
{
    if (a->probe)
        b->probing = false;
    if (a->result == BREAKER_SUCCESS)
        breaker_reset(b);
    else if (a->result == BREAKER_FAILURE)
        note_failure(b, a, now_ms, random);
}
