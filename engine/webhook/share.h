/* share.h - what engines tell each other of how an endpoint fares: its receiver's pause and
 * its open circuit. Kept in Redis (store.h, kind "gates"), so both survive a restart, too.
 *
 * An entry is written when the circuit changes and when a pause ends SHARE_PAUSE_MS later than
 * the one that is there; others hear of it within STORE_LOOK_MS. It goes when the circuit
 * closes or an operator says that the endpoint is well. Times in it are Unix times: the
 * engines' clocks are to agree, and whatever they say nobody waits for longer than a pause or
 * a circuit may last. */
#pragma once

#include "core/store.h"

struct endpoint;

enum { SHARE_PAUSE_MS = 1000 };

/* Tells the others how the gate of `e` is now, if they do not know. */
void share_gate(struct endpoint *e);

/* An entry, at the start or later: `value` NULL where there is none (any more). */
void share_hear(struct endpoint *e, const json_t *value);

/* It was deleted: nothing is left of it. */
void share_forget(struct endpoint *e);
