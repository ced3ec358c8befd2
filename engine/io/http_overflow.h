/* http_overflow.h - what is done and said when this process has no file descriptor left. */
#pragma once

#include <stdbool.h>

/* At most one line a second. */
void http_overflow_log(void);

/* A new descriptor that clients and receivers leave alone: it is one of the last, for what is
 * lost and made anew meanwhile, above all the way to Redis. */
bool http_overflow_is_last(int fd);
