/* log.c - formats a line in one buffer and writes it with one write(2). */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 4096, LIMIT_MS = 1000 };

static const char *const names[] = { "debug", "info", "warn", "error" };
static enum log_level    threshold = LOG_INFO_LEVEL;

void log_set_level(enum log_level level) { threshold = level; }

enum mh_err log_level_parse(const char *word, enum log_level *level)
{
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word, names[i]) == 0) {
            *level = (enum log_level)i;
            return MH_OK;
        }
    return MH_INVALID;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    char    line[LINE_BYTES], at[CLOCK_TEXT_BYTES];
    va_list args;

    if (level < threshold)
        return;
    clock_format(clock_now_ms(), at);
    int head = snprintf(line, sizeof line, "%s level=%s event=%s ", at, names[level], event);
    va_start(args, format);
    int tail = vsnprintf(line + head, sizeof line - (size_t)head, format, args);
    va_end(args);
    size_t len = (size_t)head + (size_t)(tail > 0 ? tail : 0);
    if (len > sizeof line - 1)
        len = sizeof line - 1;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return;                            /* nobody is left to tell */
}

int log_allowed(struct log_limit *limit)
{
    int64_t now = clock_mono_ms();
    if (limit->last_ms != 0 && now - limit->last_ms < LIMIT_MS)
        return 0;
    limit->last_ms = now;
    return 1;
}

/* One source byte as it stands in the line: at most 4 bytes and a NUL. */
static size_t quote_byte(unsigned char c, char out[5])
{
    if (c == '"' || c == '\\')
        return (size_t)snprintf(out, 5, "\\%c", c);
    if (c == '\n')
        return (size_t)snprintf(out, 5, "\\n");
    if (c < 0x20 || c == 0x7f)
        return (size_t)snprintf(out, 5, "\\x%02x", c);
    out[0] = (char)c;
    return 1;
}

const char *log_quote(const char *text, char *out, size_t size)
{
    size_t used = 0;

    if (size < 3)
        return "";
    out[used++] = '"';
    for (; *text != '\0'; text++) {
        char   piece[5];
        size_t len = quote_byte((unsigned char)*text, piece);
        if (used + len + 2 > size)
            break;
        memcpy(out + used, piece, len);
        used += len;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
