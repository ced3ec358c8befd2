/* health.c - see health.h. */
#include "webhook/health.h"

unsigned health_failed(struct health *h, int64_t now_ms, int64_t disable_after_ms)
{
    if (h->failing_since_ms == 0)
        h->failing_since_ms = now_ms;
    h->failures++;
    int64_t failing_ms = now_ms - h->failing_since_ms;

    if (disable_after_ms > 0 && failing_ms >= disable_after_ms && h->failures >= HEALTH_FAILURES)
        return HEALTH_DISABLE;
    if (h->stored || failing_ms < HEALTH_STORE_MS)
        return 0;
    h->stored = true;
    return HEALTH_STORE;
}

unsigned health_succeeded(struct health *h, int64_t now_ms, int64_t *failed_since_ms)
{
    struct health before = *h;
    unsigned      todo = 0;

    *h = (struct health){ 0 };
    *failed_since_ms = before.failing_since_ms;
    if (before.failing_since_ms == 0)
        return 0;
    if (before.stored)
        todo |= HEALTH_STORE;
    if (before.circuit_opened || now_ms - before.failing_since_ms >= HEALTH_RECOVERED_MS)
        todo |= HEALTH_RECOVERED;
    return todo;
}
