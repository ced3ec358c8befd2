/* command.c - see command.h. What goes in was bounded by the caller, so running
 * out of memory here is the end of the process. */
#include "core/command.h"

#include "base/util.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void command_init(struct command *c)
{
    *c = (struct command){ 0 };
    buf_init(&c->bytes, SIZE_MAX / 4);
}

void command_deinit(struct command *c)
{
    buf_deinit(&c->bytes);
    free(c->lens);
    free(c->argv);
}

static void must(enum mh_err err)
{
    if (err != MH_OK)
        abort();
}

void command_add(struct command *c, const void *data, size_t bytes)
{
    if (c->count == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 64;
        c->lens = realloc(c->lens, c->cap * sizeof *c->lens);
        must(c->lens ? MH_OK : MH_NOMEM);
    }
    must(buf_append(&c->bytes, data, bytes));
    c->lens[c->count++] = bytes;
}

void command_text(struct command *c, const char *text) { command_add(c, text, strlen(text)); }

void command_format(struct command *c, const char *format, ...)
{
    char    text[512];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    must(n >= 0 && (size_t)n < sizeof text ? MH_OK : MH_TOO_LARGE);
    command_add(c, text, (size_t)n);
}

struct redis_args command_args(struct command *c)
{
    size_t at = 0;

    free(c->argv);
    c->argv = mem_alloc(c->count * sizeof *c->argv);
    for (size_t i = 0; i < c->count; at += c->lens[i++])
        c->argv[i] = c->bytes.data + at;
    return (struct redis_args){ c->argv, c->lens, (int)c->count };
}
