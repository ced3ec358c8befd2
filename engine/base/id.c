/* id.c - see id.h. Randomness is read from the kernel in blocks: one system call
 * for many ids. A forked child starts with an empty block, or it would make its
 * parent's ids again. */
#include "base/id.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Up to 256 bytes getrandom() is never interrupted by a signal, nor short. */
enum { POOL_BYTES = 250, TIME_CHARS = 10, RANDOM_BYTES = 10, MAX_CHARS = 64 };

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void encode_time(int64_t unix_ms, char out[TIME_CHARS])
{
    for (int i = TIME_CHARS - 1; i >= 0; i--, unix_ms >>= 5)
        out[i] = alphabet[unix_ms & 31];
}

/* 5 bytes are 8 characters. */
static void encode_block(const unsigned char in[5], char out[8])
{
    uint64_t bits = 0;
    for (int i = 0; i < 5; i++)
        bits = bits << 8 | in[i];
    for (int i = 7; i >= 0; i--, bits >>= 5)
        out[i] = alphabet[bits & 31];
}

void id_format(const char *prefix, int64_t unix_ms, const unsigned char random[10],
               char out[MH_ID_BYTES])
{
    int at = snprintf(out, MH_ID_BYTES, "%.8s_", prefix);
    encode_time(unix_ms, out + at);
    encode_block(random, out + at + TIME_CHARS);
    encode_block(random + 5, out + at + TIME_CHARS + 8);
    out[at + TIME_CHARS + 16] = '\0';
}

static struct {
    unsigned char bytes[POOL_BYTES];
    size_t        used;
    bool          watched;                  /* for forks */
} pool = { .used = POOL_BYTES };

static void pool_empty(void) { pool.used = POOL_BYTES; }

static const unsigned char *pool_take(void)
{
    if (!pool.watched)
        pool.watched = pthread_atfork(NULL, NULL, pool_empty) == 0;
    if (pool.used + RANDOM_BYTES > POOL_BYTES) {
        if (getrandom(pool.bytes, POOL_BYTES, 0) != POOL_BYTES)
            abort();                        /* no kernel that we run on fails here */
        pool.used = 0;
    }
    pool.used += RANDOM_BYTES;
    return pool.bytes + pool.used - RANDOM_BYTES;
}

void id_new(const char *prefix, char out[MH_ID_BYTES])
{
    id_format(prefix, clock_now_ms(), pool_take(), out);
}

bool id_valid(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789_-:";
    size_t len = strlen(text);
    return len >= 1 && len <= MAX_CHARS && strspn(text, allowed) == len;
}
