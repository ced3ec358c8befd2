/* bucket.h - a token bucket: so much a second, and at most one second's worth at once.
 * Pure: the caller brings the clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket { double used; int64_t at_us; };      /* all zero: full */

/* Takes `amount` where `per_s` allow it; false, and nothing is taken, where not. What
 * is larger than a second's worth passes when the bucket is full. */
bool bucket_take(struct bucket *b, double per_s, double amount, int64_t now_us);

/* Microseconds until bucket_take() of the same would be true; 0: now. Takes nothing. */
int64_t bucket_wait_us(const struct bucket *b, double per_s, double amount, int64_t now_us);
