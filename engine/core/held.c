/* held.c - see held.h. */
#include "core/held.h"

#include <string.h>

void held_add(struct held *h, struct delivery *d)
{
    if (d->held)
        return;
    d->held = true;
    d->held_bytes = d->attempts != NULL ? strlen(d->attempts) : 0;
    h->bytes += d->held_bytes;
    if (d->event->held++ == 0)
        h->bytes += d->event->envelope_bytes;
}

void held_remove(struct held *h, struct delivery *d)
{
    if (!d->held)
        return;
    d->held = false;
    h->bytes -= d->held_bytes;
    if (--d->event->held == 0)
        h->bytes -= d->event->envelope_bytes;
}

size_t held_free_bytes(const struct held *h)
{
    size_t taken = h->bytes + h->promised_bytes;
    return taken < h->most_bytes ? h->most_bytes - taken : 0;
}

size_t held_free_events(const struct held *h) { return held_free_bytes(h) / EVENT_MAX_BYTES; }

bool held_is_full(const struct held *h) { return h->arriving_bytes >= h->most_bytes; }
