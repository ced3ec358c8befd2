/* bucket.c - see bucket.h. Counts what was used, which drains with time. */
#include "base/bucket.h"

bool bucket_take(struct bucket *b, double per_s, double amount, int64_t now_us)
{
    double drained = b->used - (double)(now_us - b->at_us) / 1e6 * per_s;

    b->used = drained > 0 && b->at_us != 0 ? drained : 0;
    b->at_us = now_us;
    if (b->used > 0 && b->used + amount > per_s)
        return false;
    b->used += amount;
    return true;
}
