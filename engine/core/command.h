/* command.h - builds the arguments of one Redis command, one after another.
 *
 * Everything is copied into one buffer, so that building a command for hundreds
 * of events costs a handful of allocations. */
#pragma once

#include "base/buf.h"
#include "io/redis.h"

struct command {
    struct buf bytes;                       /* the arguments, back to back */
    size_t    *lens;
    size_t     count, cap;
    const char **argv;                      /* made by command_args() */
};

void command_init(struct command *c);
void command_deinit(struct command *c);

void command_add(struct command *c, const void *data, size_t bytes);
void command_text(struct command *c, const char *text);
void command_format(struct command *c, const char *format, ...) MH_PRINTF(2, 3);

/* Borrowed until the command changes. */
struct redis_args command_args(struct command *c);
