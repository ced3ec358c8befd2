/* buf.h - a growing byte buffer that has a maximum.
 *
 * `data` is always followed by a NUL that `len` does not count, once anything
 * was appended. The buffer owns its memory until buf_deinit() or buf_take(). */
#pragma once

#include "base/err.h"

#include <stddef.h>

struct buf {
    char  *data;
    size_t len, cap;
    size_t max_bytes;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_deinit(struct buf *b);
void buf_reset(struct buf *b);                       /* empties, keeps the memory */

/* MH_TOO_LARGE past max_bytes, MH_NOMEM; the buffer is then as it was. */
MH_MUST_USE enum mh_err buf_append(struct buf *b, const void *bytes, size_t count);
MH_MUST_USE enum mh_err buf_puts(struct buf *b, const char *text);
MH_MUST_USE enum mh_err buf_printf(struct buf *b, const char *format, ...) MH_PRINTF(2, 3);

/* Room for `count` more bytes and a NUL after data + len. The caller adds to len,
 * and sets the NUL if it is going to read the bytes as text. */
MH_MUST_USE enum mh_err buf_reserve(struct buf *b, size_t count);

/* Removes the first `count` bytes. */
void buf_consume(struct buf *b, size_t count);

/* Moves the bytes to the caller, who frees them; the buffer is then empty. NULL
 * when nothing was ever appended. */
char *buf_take(struct buf *b, size_t *len);
