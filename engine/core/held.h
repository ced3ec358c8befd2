/* held.h - how many bytes of deliveries and their events an engine has in memory, and how many
 * it may have (I6). One for all parts of the queue. Pure.
 *
 * An event counts once, however many deliveries share it; with each delivery count the attempts
 * that it tells of. What is on its way into memory is promised beforehand. */
#pragma once

#include "core/delivery.h"

struct held {
    size_t most_bytes;
    size_t bytes;                           /* of what is owned */
    size_t promised_bytes;                  /* of what is being accepted or loaded */
    size_t arriving_bytes;                  /* of events that wait to be accepted */
};

/* `d` is in memory from now on; from then on it is not. Both do nothing the second time. */
void held_add(struct held *h, struct delivery *d);
void held_remove(struct held *h, struct delivery *d);

size_t held_free_bytes(const struct held *h);
/* So many events of any size have room. */
size_t held_free_events(const struct held *h);
/* So much waits to be accepted that no more should come. */
bool   held_is_full(const struct held *h);
