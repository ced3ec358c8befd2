/* redis_trouble.h - what can be wrong with a Redis, in words for whoever runs it.
 * Pure: no I/O, no globals. */
#pragma once

#include <stddef.h>

enum { REDIS_TROUBLE_BYTES = 400 };

/* `why`: what Redis answered, or why it cannot be reached. Writes it without what only a
 * programmer wants to know and, where it is a known one, with what it means and where to
 * mend it. Returns out. */
const char *redis_trouble(const char *why, char out[REDIS_TROUBLE_BYTES]);
