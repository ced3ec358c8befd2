/* gate.c - see gate.h. */
#include "webhook/gate.h"

int64_t gate_closed_ms(struct gate *g, int64_t now_ms)
{
    int64_t circuit_ms = breaker_wait_ms(&g->breaker, now_ms);
    int64_t pause_ms = g->paused_until_ms - now_ms;

    if (pause_ms <= 0 || circuit_ms > pause_ms)
        return circuit_ms;
    return pause_ms;
}

int64_t gate_wait_ms(struct gate *g, int64_t now_us)
{
    int64_t closed_ms = gate_closed_ms(g, now_us / 1000);

    if (closed_ms != 0 || g->per_s <= 0)
        return closed_ms;
    return (bucket_wait_us(&g->bucket, g->per_s, 1, now_us) + 999) / 1000;
}

void gate_take(struct gate *g, int64_t now_us)
{
    if (g->per_s > 0)
        (void)bucket_take(&g->bucket, g->per_s, 1, now_us);
}

void gate_pause(struct gate *g, int64_t wait_ms, int64_t now_ms)
{
    if (now_ms + wait_ms > g->paused_until_ms)
        g->paused_until_ms = now_ms + wait_ms;
}

void gate_reset(struct gate *g)
{
    g->paused_until_ms = 0;
    breaker_reset(&g->breaker);
}
