/* http_head.h - the head of an answer, line by line as it arrives: what is kept of it, and
 * what is refused that libcurl 7.88 would take. Pure: no I/O, no libcurl. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

enum { HTTP_HEAD_MAX_BYTES = 16 * 1024, HTTP_HEAD_MAX_LINES = 128 };

struct http_head {
    struct buf  lines;                      /* "name: value\n" of the last block, names in lower case */
    size_t      bytes, line_count;          /* of all blocks, 1xx and trailers as well */
    unsigned    status;                     /* of the block being read, or of the last one */
    unsigned    layers;                     /* of compression, in that block */
    bool        begun;                      /* the block has its status line */
    bool        complete;                   /* the final answer's head has ended */
    bool        too_large;
    const char *fault;                      /* a static sentence: how it breaks the protocol; or NULL */
};

void http_head_init(struct http_head *h);
void http_head_reset(struct http_head *h);  /* for the next answer; keeps its memory */
void http_head_deinit(struct http_head *h);

/* One line with its end; the empty one ends a block. Blocks of 1xx are forgotten when the
 * next one begins; trailers are not kept. All lines count towards both maxima: libcurl keeps
 * every header of an exchange in memory, without end, and takes 130 bytes more for each.
 * False: the answer is to be given up, for too_large or fault. Refused are a status line
 * other than "HTTP/1.0" or "HTTP/1.1" with three digits, 101 (nobody asks for an upgrade),
 * a Content-Length that is no number below 10^18, codings other than gzip and deflate, and
 * more than one layer of those. */
bool http_head_line(struct http_head *h, const char *line, size_t bytes);
