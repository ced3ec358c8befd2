/* http_head.c - see http_head.h. */
#include "io/http_head.h"

#include "base/util.h"

#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS = 18 };                /* 10^18 - 1 fits in 63 bits */

void http_head_init(struct http_head *h)
{
    *h = (struct http_head){ .status = 0 };
    buf_init(&h->lines, HTTP_HEAD_MAX_BYTES);
}

void http_head_reset(struct http_head *h)
{
    struct buf lines = h->lines;

    buf_reset(&lines);
    *h = (struct http_head){ .lines = lines };
}

void http_head_deinit(struct http_head *h) { buf_deinit(&h->lines); }

static bool refuse(struct http_head *h, const char *fault)
{
    h->fault = fault;
    return false;
}

static bool all_digits(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return bytes > 0;
}

/* ---- The status line ------------------------------------------------------------- */

/* "HTTP/1.1 200 OK"; the reason may be missing, and the blank before it then too. */
static bool read_status_line(struct http_head *h, const char *line, size_t bytes)
{
    bool ours = bytes >= 12 && memcmp(line, "HTTP/1.", 7) == 0 && (line[7] == '0' || line[7] == '1') &&
                line[8] == ' ' && all_digits(line + 9, 3) && (bytes == 12 || line[12] == ' ');

    if (!ours)
        return refuse(h, "the answer does not begin with a status line of HTTP/1.1");
    h->status = (unsigned)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    if (h->status < 100)
        return refuse(h, "the status of the answer is below 100");
    if (h->status == 101)
        return refuse(h, "the answer switches to another protocol, which was not asked for");
    h->begun = true;
    h->layers = 0;
    buf_reset(&h->lines);
    return true;
}

static bool end_block(struct http_head *h)
{
    h->begun = false;
    h->complete = h->status >= 200;
    return true;
}

/* ---- Headers that decide how the body is read ---------------------------------------- */

static bool check_length(struct http_head *h, const char *value, size_t bytes)
{
    if (!all_digits(value, bytes) || bytes > LENGTH_DIGITS)
        return refuse(h, "the answer's Content-Length is not a number of bytes");
    return true;
}

static bool is_word(const char *text, size_t bytes, const char *word)
{
    return bytes == strlen(word) && strncasecmp(text, word, bytes) == 0;
}

/* Brotli and zstd may ask for windows of many megabytes; a bomb in a bomb grows squared. */
static bool check_coding(struct http_head *h, const char *coding, size_t bytes)
{
    static const struct { const char *name; unsigned layers; } known[] = {
        { "gzip", 1 }, { "x-gzip", 1 }, { "deflate", 1 }, { "identity", 0 }, { "chunked", 0 }, { "", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (is_word(coding, bytes, known[i].name)) {
            h->layers += known[i].layers;
            return h->layers <= 1 || refuse(h, "the answer is compressed more than once");
        }
    return refuse(h, "the answer has a coding other than gzip and deflate");
}

static size_t trimmed(const char **text, size_t bytes)
{
    while (bytes > 0 && (**text == ' ' || **text == '\t'))
        (*text)++, bytes--;
    while (bytes > 0 && ((*text)[bytes - 1] == ' ' || (*text)[bytes - 1] == '\t'))
        bytes--;
    return bytes;
}

static bool check_codings(struct http_head *h, const char *value, size_t bytes)
{
    const char *end = value + bytes;

    for (;;) {
        const char *comma = memchr(value, ',', (size_t)(end - value)), *coding = value;
        size_t      length = trimmed(&coding, (size_t)((comma ? comma : end) - value));
        if (!check_coding(h, coding, length))
            return false;
        if (comma == NULL)
            return true;
        value = comma + 1;
    }
}

static bool check_header(struct http_head *h, const char *name, size_t name_bytes, const char *value,
                         size_t bytes)
{
    static const struct {
        const char *name;
        bool      (*check)(struct http_head *, const char *value, size_t bytes);
    } checks[] = {
        { "content-length", check_length },
        { "content-encoding", check_codings },
        { "transfer-encoding", check_codings },
    };

    bytes = trimmed(&value, bytes);
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (is_word(name, name_bytes, checks[i].name))
            return checks[i].check(h, value, bytes);
    return true;
}

/* ---- Keeping ------------------------------------------------------------------------- */

static bool keep_header(struct http_head *h, const char *line, size_t bytes)
{
    size_t name = h->lines.len;

    if (buf_append(&h->lines, line, bytes) != MH_OK || buf_puts(&h->lines, "\n") != MH_OK) {
        h->too_large = true;
        return false;
    }
    for (char *c = h->lines.data + name; *c != ':'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return true;
}

static bool read_header(struct http_head *h, const char *line, size_t bytes)
{
    const char *colon = memchr(line, ':', bytes);

    if (colon == NULL || *line == ' ' || *line == '\t')     /* a folded line has no name */
        return true;
    size_t name_bytes = (size_t)(colon - line);
    return check_header(h, line, name_bytes, colon + 1, bytes - name_bytes - 1) &&
           keep_header(h, line, bytes);
}

bool http_head_line(struct http_head *h, const char *line, size_t bytes)
{
    h->bytes += bytes;
    if (h->bytes > HTTP_HEAD_MAX_BYTES || ++h->line_count > HTTP_HEAD_MAX_LINES) {
        h->too_large = true;
        return false;
    }
    while (bytes > 0 && (line[bytes - 1] == '\n' || line[bytes - 1] == '\r'))
        bytes--;
    if (h->complete)                        /* trailers */
        return true;
    if (!h->begun)
        return read_status_line(h, line, bytes);
    return bytes == 0 ? end_block(h) : read_header(h, line, bytes);
}
