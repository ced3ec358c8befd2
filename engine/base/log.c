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

/* How much of what snprintf() meant to write it could write. */
static size_t fitting(int wanted, size_t room)
{
    if (wanted < 0)
        return 0;
    return (size_t)wanted < room ? (size_t)wanted : room - 1;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    char    line[LINE_BYTES], at[CLOCK_TEXT_BYTES];
    va_list args;

    if (level < threshold)
        return;
    clock_format(clock_now_ms(), at);
    size_t len = fitting(snprintf(line, sizeof line, "%s level=%s event=%s ", at, names[level],
                                  event), sizeof line);
    va_start(args, format);
    len += fitting(vsnprintf(line + len, sizeof line - len, format, args), sizeof line - len);
    va_end(args);
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

/* How many bytes at `s` are one UTF-8 character that a terminal only shows; 0 for
 * control characters (C0, DEL, C1) and for what is not well-formed UTF-8. */
static size_t shown_bytes(const unsigned char *s)
{
    static const struct { unsigned char first, last, low, high; size_t bytes; } forms[] = {
        { 0x20, 0x7e, 0x00, 0x00, 1 },      /* Unicode table 3-7; first and last bound the */
        { 0xc2, 0xc2, 0xa0, 0xbf, 2 },      /* first byte, low and high the second */
        { 0xc3, 0xdf, 0x80, 0xbf, 2 },
        { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 },
        { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 },
        { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (s[0] < forms[i].first || s[0] > forms[i].last)
            continue;
        if (forms[i].bytes > 1 && (s[1] < forms[i].low || s[1] > forms[i].high))
            continue;
        size_t at = 2;
        while (at < forms[i].bytes && s[at] >= 0x80 && s[at] <= 0xbf)
            at++;
        return at >= forms[i].bytes ? forms[i].bytes : 0;
    }
    return 0;
}

/* What stands at `s`, as it stands in the line. Sets *taken to the bytes read
 * and returns the bytes written: at most 4 and a NUL. */
static size_t quote_character(const unsigned char *s, char out[5], size_t *taken)
{
    *taken = 1;
    if (*s == '"' || *s == '\\')
        return (size_t)snprintf(out, 5, "\\%c", *s);
    if (*s == '\n')
        return (size_t)snprintf(out, 5, "\\n");
    size_t shown = shown_bytes(s);
    if (shown == 0)
        return (size_t)snprintf(out, 5, "\\x%02x", *s);
    memcpy(out, s, shown);
    *taken = shown;
    return shown;
}

const char *log_quote(const char *text, char *out, size_t size)
{
    size_t used = 0, taken;

    if (size < 3) {
        if (size > 0)
            *out = '\0';
        return out;
    }
    out[used++] = '"';
    for (; *text != '\0'; text += taken) {
        char   piece[5];
        size_t len = quote_character((const unsigned char *)text, piece, &taken);
        if (used + len + 2 > size)
            break;
        memcpy(out + used, piece, len);
        used += len;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
