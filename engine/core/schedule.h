/* schedule.h - when a failed delivery is tried again. Pure.
 *
 * The default for webhooks is 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h,
 * 24 h (DESIGN 4); plugins have a shorter one. The first entry is the delay of
 * the first attempt. Each delay gets +-10 % uniform jitter. */
#pragma once

#include "base/err.h"

#include <stdint.h>

enum { SCHEDULE_MAX = 32 };

struct schedule { int64_t delay_ms[SCHEDULE_MAX]; unsigned count; };

/* "0s,5s,5m": MH_INVALID when empty, too long or not durations. */
MH_MUST_USE enum mh_err schedule_parse(const char *text, struct schedule *out);

/* Delay before attempt `made` + 1, when `made` attempts were made; -1 when there
 * is no further attempt. `random` is uniform over all of uint32_t; it spreads a
 * delay evenly over the whole milliseconds within 10 % of it. */
int64_t schedule_delay_ms(const struct schedule *s, unsigned made, uint32_t random);

/* Retry-After (RFC 9110 10.2.3): seconds or an HTTP date in any of its three
 * forms. -1 when the text is neither, so that the schedule decides; else 0 (a
 * date in the past) to `cap_ms`. Expects the C locale's names of days and months. */
int64_t schedule_retry_after_ms(const char *text, int64_t now_ms, int64_t cap_ms);
