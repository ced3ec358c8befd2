/* buf.c - see buf.h. Grows by doubling; never past max_bytes and the final NUL. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 256 };

/* No object is larger than PTRDIFF_MAX; with that, sums of lengths cannot wrap. */
void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){ .max_bytes = max_bytes < PTRDIFF_MAX ? max_bytes : PTRDIFF_MAX - 1 };
}

void buf_deinit(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max_bytes);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->data != NULL)
        b->data[0] = '\0';
}

enum mh_err buf_reserve(struct buf *b, size_t count)
{
    if (count > b->max_bytes || b->len > b->max_bytes - count)
        return MH_TOO_LARGE;
    size_t need = b->len + count + 1;
    if (need <= b->cap)
        return MH_OK;
    size_t cap = b->cap > FIRST_BYTES ? b->cap : FIRST_BYTES;
    while (cap < need)
        cap *= 2;
    if (cap > b->max_bytes + 1)
        cap = b->max_bytes + 1;
    char *grown = realloc(b->data, cap);
    if (grown == NULL)
        return MH_NOMEM;
    b->data = grown;
    b->cap = cap;
    return MH_OK;
}

enum mh_err buf_append(struct buf *b, const void *bytes, size_t count)
{
    enum mh_err err = buf_reserve(b, count);
    if (err != MH_OK)
        return err;
    if (count > 0)
        memcpy(b->data + b->len, bytes, count);
    b->len += count;
    b->data[b->len] = '\0';
    return MH_OK;
}

enum mh_err buf_puts(struct buf *b, const char *text) { return buf_append(b, text, strlen(text)); }

enum mh_err buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    enum mh_err err = n < 0 ? MH_INVALID : buf_reserve(b, (size_t)n);
    if (err == MH_OK) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return err;
}

void buf_consume(struct buf *b, size_t count)
{
    if (count > b->len)
        count = b->len;
    if (count == 0)
        return;
    memmove(b->data, b->data + count, b->len - count);
    b->len -= count;
    b->data[b->len] = '\0';
}

char *buf_take(struct buf *b, size_t *len)
{
    char *data = b->data;
    *len = b->len;
    buf_init(b, b->max_bytes);
    return data;
}
