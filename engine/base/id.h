/* id.h - identifiers: a prefix, the time, and randomness, in one sortable word.
 *
 *     evt_01kaj3v9tq8m6x2r5n0c4w7zyb
 *     prefix, 10 characters of milliseconds, 16 of randomness (Crockford base 32,
 *     lower case: the layout of a ULID). Ids of one prefix sort by time. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MH_ID_BYTES = 72 };                  /* longest id that is accepted, with NUL */

/* `prefix` without the underscore, at most 8 characters. `random` is 10 bytes. */
void id_format(const char *prefix, int64_t unix_ms, const unsigned char random[10],
               char out[MH_ID_BYTES]);

/* The same with the present time and the kernel's randomness. For one thread. */
void id_new(const char *prefix, char out[MH_ID_BYTES]);

/* Letters, digits, '_', '-' and ':', 1 to 64 of them. No dot: it would make the
 * signed text "id.timestamp.body" ambiguous (Standard Webhooks 1.0). */
bool id_valid(const char *text);
