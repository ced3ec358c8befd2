/* clock.h - time. Wall time is for people and for Redis scores; monotonic time
 * is for deadlines and durations. */
#pragma once

#include "base/err.h"

#include <stdint.h>

enum { CLOCK_TEXT_BYTES = 32 };
#define CLOCK_END_MS INT64_C(253402300799999)   /* the last millisecond of the year 9999 */

int64_t clock_now_ms(void);                 /* Unix time in milliseconds */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_boot_ms(void);                /* monotonic, and goes on while the machine sleeps */
int64_t clock_cpu_us(void);                 /* CPU time of this process */

/* "2026-01-22T10:00:00.000Z", NUL-terminated. */
void clock_format(int64_t unix_ms, char out[CLOCK_TEXT_BYTES]);

/* RFC 3339 with any offset, fraction optional (cut to milliseconds); a leap second
 * reads as the second after it. MH_INVALID otherwise, and *unix_ms is untouched. */
MH_MUST_USE enum mh_err clock_parse(const char *text, int64_t *unix_ms);

/* "250ms", "5s", "10m", "2h", "7d" or a bare number of milliseconds.
 * MH_INVALID for anything else and for more than ten years. */
MH_MUST_USE enum mh_err clock_parse_duration(const char *text, int64_t *ms);
