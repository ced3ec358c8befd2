/* bucket.c - see bucket.h. Counts what was used, which drains with time. */
#include "base/bucket.h"

/* What is used at `now_us`, drained since the last take. */
static double used_now(const struct bucket *b, double per_s, int64_t now_us)
{
    double drained = b->used - (double)(now_us - b->at_us) / 1e6 * per_s;
    return drained > 0 && b->at_us != 0 ? drained : 0;
}

bool bucket_take(struct bucket *b, double per_s, double amount, int64_t now_us)
{
    b->used = used_now(b, per_s, now_us);
    b->at_us = now_us;
    if (b->used > 0 && b->used + amount > per_s)
        return false;
    b->used += amount;
    return true;
}

int64_t bucket_wait_us(const struct bucket *b, double per_s, double amount, int64_t now_us)
{
    double used = used_now(b, per_s, now_us);
    double over = amount > per_s ? used : used + amount - per_s;

    if (used <= 0 || over <= 0)
        return 0;
    return (int64_t)(over / per_s * 1e6) + 1;
}
